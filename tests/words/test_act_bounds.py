"""Acts: every field of every kind has bounds, and a value out of them is refused."""

from __future__ import annotations

import msgspec
import pytest
import rfc8785

from registry import acts
from registry.errors import Malformed
from support.wording import BODIES, HEX, NONCE, TIME, encoded, forged, put, put_in_body, refused

HEADER_BOUNDS: dict[str, tuple[object, ...]] = {
    "registry": ("0", HEX.upper(), HEX + "\n", HEX[:-1], None, 1),
    "actor": ("", HEX.upper(), HEX + "\n", HEX + "00", "x" * 64, None),
    "time": (
        "",
        "2026-01-02T03:04:05Z",
        "2026-01-02 03:04:05.000006Z",
        "2026-01-02T03:04:05.000006+00:00",
        TIME + "\n",
        "٢026-01-02T03:04:05.000006Z",
        0,
    ),
    "nonce": ("", NONCE[:-1], NONCE + "00", NONCE.upper(), NONCE + "\n", None),
}
_NAMES = ("", "-x", ".x", "a b", "a/b", "prod\n", "prod\0", "é", "n" * 129, 1, None)
_HEXES = ("", HEX[:-1], HEX + "0", HEX.upper(), HEX + "\n", "g" * 64, None, 0)
_NUMBERS = (0, -1, 1_000_000_000, 1.5, "1", True, None)
_SIZES = (-1, 2.0**60, 0.5, "0", None)
_TEXTS = ("\0", "a\0b", "t" * 4097, None, 7)
_IDS = ("", "A", "a_b", "a/b", "../a", "a\n", "b" * 101, None)
BOUNDS: dict[str, dict[tuple[str | int, ...], tuple[object, ...]]] = {
    "genesis": {
        ("name",): _NAMES,
        ("admin", "name"): _NAMES,
        ("admin", "suite"): _NAMES,
        ("admin", "signing"): ("!", "A", "A" * 8192, None, 3),
        ("admin", "sealing"): ("!", "A", "A" * 8192, None),
        ("ledger",): ("", "AAAA", "A" * 44 + "A" * 4, None),
    },
    "push": {
        ("model",): (
            "net",
            "vision/",
            "/net",
            "vision/net/int8",
            "vision/net\n",
            "vision/n\0t",
            "vision/é",
            "n" * 129 + "/net",
            "vision/" + "n" * 129,
            None,
        ),
        ("number",): _NUMBERS,
        ("digest",): _HEXES,
        ("label",): tuple(name for name in _NAMES if name is not None),
        ("aliases",): (["a b"], ["x\n"], [None], "prod", [f"a{n}" for n in range(65)]),
        ("metadata",): (
            {"": "x"},
            {"k" * 129: "x"},
            {"a\0": "x"},
            {"a": "x\0"},
            {"a": "t" * 4097},
            {"a": 1},
            {f"k{n}": "" for n in range(257)},
            [],
        ),
        ("bundle",): ("!", "A", None),
        ("files",): ([], None, {}),
        ("files", 0, "path"): ("", *_TEXTS),
        ("files", 0, "size"): _SIZES,
        ("files", 0, "sha256"): _HEXES,
        ("files", 0, "blob"): _IDS,
        ("files", 0, "extra"): (1,),
        ("blobs", 0, "id"): _IDS,
        ("blobs", 0, "format"): ("", "age", acts.BLOB_FORMAT + "\n", acts.BLOB_FORMAT + "x", None),
        ("blobs", 0, "size"): _SIZES,
        ("blobs", 0, "sha256"): _HEXES,
        ("blobs", 0, "content"): _HEXES,
        ("blobs", 0, "epoch"): _NUMBERS,
        ("blobs", 0, "key", "suite"): _NAMES,
        ("blobs", 0, "key", "ciphertext"): ("!", "A" * 16384, None),
        ("blobs", 0, "key", "extra"): (1,),
        ("vault", "epoch"): _NUMBERS,
        ("vault", "suite"): _NAMES,
        ("vault", "public"): ("!", "A" * 8192, None),
        ("vault", "shares"): ([], None),
        ("vault", "shares", 0, "recipient"): _HEXES,
        ("vault", "shares", 0, "sealed", "suite"): _NAMES,
        ("attestations",): (["!"], [None], "", ["AAAA"] * 65),
    },
    "alias": {("name",): _NAMES, ("number",): _NUMBERS, ("digest",): _HEXES},
    "yank": {("reason",): ("", *_TEXTS), ("number",): _NUMBERS, ("digest",): _HEXES},
    "pull": {("purpose",): _NAMES, ("number",): _NUMBERS, ("digest",): _HEXES},
}


@pytest.mark.parametrize("field", HEADER_BOUNDS)
def test_the_header_has_bounds(field: str) -> None:
    for value in HEADER_BOUNDS[field]:
        refused(forged("pull", put("predicate", field, to=value)), "does not parse")


@pytest.mark.parametrize(
    ("kind", "path"),
    [(kind, path) for kind, fields in BOUNDS.items() for path in fields],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else value,
)
def test_every_field_has_bounds(kind: str, path: tuple[str | int, ...]) -> None:
    for value in BOUNDS[kind][path]:
        payload = _agreeing(kind, path, value)
        with pytest.raises(Malformed, match="does not parse"):
            acts.decode(payload)


def _agreeing(kind: str, path: tuple[str | int, ...], value: object) -> bytes:
    """The forged statement with a subject that agrees with it: the bound alone can refuse it."""
    statement = encoded(kind)
    put_in_body(*path, to=value)(statement)
    body = statement["predicate"]["body"]
    if kind != "genesis":
        statement["subject"] = [
            {"name": f"{body['model']}:{body['number']}", "digest": {"sha256": body["digest"]}}
        ]
        if not isinstance(body["digest"], str):
            statement["subject"][0]["digest"]["sha256"] = HEX
    return rfc8785.dumps(statement)


def test_every_field_of_every_body_is_in_the_table_of_bounds() -> None:
    """A new field must say which values it refuses."""
    for kind, body in BODIES.items():
        covered = {path[0] for path in BOUNDS[kind]}
        if kind in ("alias", "yank", "pull"):
            covered |= {"model"}  # the same type as in a push
        assert covered >= set(msgspec.structs.asdict(body)) - {"blobs", "vault"}
