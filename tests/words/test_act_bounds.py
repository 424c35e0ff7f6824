"""Acts: every field of every kind has bounds, and a value out of them is refused."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
import rfc8785

from registry import acts
from registry.errors import Malformed
from support.wording import BODIES, HEADER, HEX, NONCE, TIME, encoded, forged, put, put_in_body, refused

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
    "law": ("0", HEX.upper(), HEX + "\n", HEX[:-1], None, 1),
    "client": (
        None,
        "hallmark/1",
        {},
        {"program": "x"},
        {"program": "x", "host": None},
        {"program": "x\n", "host": ""},
        {"program": "x", "host": "a\x7fb"},
        {"program": "x" * 256, "host": ""},
        {"program": "x", "host": "", "extra": 1},
    ),
}
_NAMES = ("", "-x", ".x", "a b", "a/b", "prod\n", "prod\0", "é", "n" * 129, 1, None)
_HEXES = ("", HEX[:-1], HEX + "0", HEX.upper(), HEX + "\n", "g" * 64, None, 0)
_NUMBERS = (0, -1, 1_000_000_000, 1.5, "1", True, None)
_SIZES = (-1, 2.0**60, 0.5, "0", None)
_TEXTS = ("\0", "a\0b", "t" * 4097, None, 7)
_IDS = ("", "A", "a_b", "a/b", "../a", "a\n", "b" * 101, None)
_MODELS = (
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
)
_TARGETS = ("", "/", "vision", "/net", "vision//", "vision/net/", "a b/", "vision/\n", "n" * 129 + "/", None)
_VAULTS = ("", "//", "/net", "vision/net/", "vision/net/int8", "a b", "ml\n", "/\n", "n" * 129, None, 1)
_ENVELOPES = ("", "!", "A", None, 3)
_TIMES = HEADER_BOUNDS["time"]
_ACTIONS = ([], ["read"], ["pull", 1], ["pull"] * 5, "pull", [None], None)
_LONG = "A" * ((1 << 20) // 3 * 4 + 8)  # base64 of more than 1 MiB
_CUSTODY: dict[tuple[str | int, ...], tuple[object, ...]] = {
    ("custody",): (None, [], "x"),
    ("custody", "extra"): (1,),
    ("custody", "vaults"): (None, {}, [None]),
    ("custody", "vaults", 0, "name"): _VAULTS,
    ("custody", "vaults", 0, "epoch"): _NUMBERS,
    ("custody", "vaults", 0, "suite"): _NAMES,
    ("custody", "vaults", 0, "public"): ("!", "A" * 8192, None),
    ("custody", "vaults", 0, "shares"): ([], None, {}),
    ("custody", "vaults", 0, "extra"): (1,),
    ("custody", "vaults", 0, "shares", 0, "recipient"): _VAULTS,
    ("custody", "vaults", 0, "shares", 0, "limited"): (None, 0, "true"),
    ("custody", "vaults", 0, "shares", 0, "extra"): (1,),
    ("custody", "vaults", 0, "shares", 0, "sealed", "suite"): _NAMES,
    ("custody", "vaults", 0, "shares", 0, "sealed", "sha256"): _HEXES,
    ("custody", "vaults", 0, "shares", 0, "sealed", "ciphertext"): ("AAAA",),
    ("custody", "shares"): (None, {}, [None]),
    ("custody", "shares", 0, "vault"): _VAULTS,
    ("custody", "shares", 0, "epoch"): _NUMBERS,
    ("custody", "shares", 0, "share"): (None, {}),
    ("custody", "shares", 0, "extra"): (1,),
    ("custody", "blobs"): (None, {}, [None]),
    ("custody", "blobs", 0, "model"): _MODELS,
    ("custody", "blobs", 0, "blob"): (None, {}),
    ("custody", "blobs", 0, "blob", "epoch"): _NUMBERS,
    ("custody", "blobs", 0, "extra"): (1,),
}
_VERSION: dict[tuple[str | int, ...], tuple[object, ...]] = {
    ("model",): _MODELS,
    ("number",): _NUMBERS,
    ("digest",): _HEXES,
}
BOUNDS: dict[str, dict[tuple[str | int, ...], tuple[object, ...]]] = {
    "genesis": {
        ("name",): _NAMES,
        ("admin",): (*_ENVELOPES, _LONG),
        ("ledger",): ("", "AAAA", "A" * 44 + "A" * 4, None),
        ("release",): (None, {}, {"suite": "hpke"}),
        ("release", "suite"): _NAMES,
        ("release", "public"): ("!", "A" * 8192, None),
        ("release", "extra"): (1,),
        **_CUSTODY,
    },
    "enroll": {
        ("name",): _NAMES,
        ("identity",): (*_ENVELOPES, _LONG),
        ("role",): ("", "root", "Admin", "admin\n", None, 1),
        ("custody",): _CUSTODY[("custody",)],
    },
    "disable": {("name",): _NAMES, ("reason",): _TEXTS, ("custody",): _CUSTODY[("custody",)]},
    "replace": {
        ("name",): _NAMES,
        ("identity",): (*_ENVELOPES, _LONG),
        ("custody",): _CUSTODY[("custody",)],
    },
    "team": {("team",): _NAMES, ("custody",): _CUSTODY[("custody",)]},
    "team-add": {("team",): _NAMES, ("name",): _NAMES, ("custody",): _CUSTODY[("custody",)]},
    "team-remove": {("team",): _NAMES, ("name",): _NAMES, ("custody",): _CUSTODY[("custody",)]},
    "grant": {
        ("grantee",): _NAMES,
        ("actions",): _ACTIONS,
        ("target",): _TARGETS,
        ("until",): tuple(time for time in _TIMES if time is not None),
        ("custody",): _CUSTODY[("custody",)],
    },
    "revoke": {
        ("grantee",): _NAMES,
        ("actions",): _ACTIONS,
        ("target",): _TARGETS,
        ("custody",): _CUSTODY[("custody",)],
    },
    "create": {("model",): _MODELS, ("custody",): _CUSTODY[("custody",)]},
    "rotate": {("vault",): _VAULTS, ("custody",): _CUSTODY[("custody",)]},
    "policy": {("text",): ("\0", "a\0b", "t" * (acts.POLICY_LIMIT + 1), None, 7)},
    "push": {
        **_VERSION,
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
        ("files", 0, "blob"): ("blob-1",),
        ("files", 0, "extra"): (1,),
        ("blobs",): (None, {}, [None]),
        ("blobs", 0, "id"): _IDS,
        ("blobs", 0, "format"): ("", "age", acts.BLOB_FORMAT + "\n", acts.BLOB_FORMAT + "x", None),
        ("blobs", 0, "size"): _SIZES,
        ("blobs", 0, "sha256"): _HEXES,
        ("blobs", 0, "content"): _HEXES,
        ("blobs", 0, "epoch"): _NUMBERS,
        ("blobs", 0, "key", "suite"): _NAMES,
        ("blobs", 0, "key", "sha256"): _HEXES,
        ("blobs", 0, "key", "extra"): (1,),
        ("vault",): ({},),
        ("attestations",): (["!"], [None], "", ["AAAA"] * 65),
        ("allowed",): (["a b"], ["A"], ["-a"], ["a\n"], ["a" * 65], [None], "dead-node", ["a"] * 65),
    },
    "alias": {**_VERSION, ("name",): _NAMES},
    "yank": {**_VERSION, ("reason",): ("", *_TEXTS)},
    "pull": {**_VERSION, ("purpose",): _NAMES},
    "failure": {
        **_VERSION,
        ("purpose",): _NAMES,
        ("step",): (8, 13, 0, -9, 9.5, "9", None, True),
        ("code",): ("a b", "A", "-a", "a\n", "a" * 65, "", None, 1),
    },
    "attest": {**_VERSION, ("statement",): (*_ENVELOPES, _LONG)},
    "refusal": {
        ("member",): ("m" * 129, None, 1),
        ("count",): _NUMBERS,
        ("since",): _TIMES,
        ("code",): ("c" * 256, "a\nb", "\0", None, 1),
        ("message",): _TEXTS,
        ("attempt",): ("c" * 256, "a\x1fb", None, 1),
        ("target",): ("t" * 301, None, 1),
        ("act",): tuple(value for value in _HEXES if value is not None),
    },
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
    if "digest" in body:
        said = body["digest"] if isinstance(body["digest"], str) else HEX
        name = f"{body['model']}:{body['number']}"
    elif kind == "genesis":
        name, said = str(body["name"]), statement["subject"][0]["digest"]["sha256"]
    else:
        said = hashlib.sha256(rfc8785.dumps(body)).hexdigest()
        name = f"{kind} {body.get(_TARGET.get(kind, 'target'), '/')}"
    statement["subject"] = [{"name": name, "digest": {"sha256": said}}]
    return rfc8785.dumps(statement)


_TARGET = {
    **dict.fromkeys(("enroll", "disable", "replace"), "name"),
    **dict.fromkeys(("team", "team-add", "team-remove"), "team"),
    "create": "model",
    "rotate": "vault",
}


@pytest.mark.parametrize("kind", BODIES)
def test_the_subject_that_these_tests_agree_on_is_the_one_of_an_act(kind: str) -> None:
    """So the bounds above are what refuses: an unchanged value, put in the same way, is read."""
    body = encoded(kind)["predicate"]["body"]
    field = next(iter(body))
    assert acts.decode(_agreeing(kind, (field,), body[field])).body == BODIES[kind]


def test_every_field_of_every_body_is_in_the_table_of_bounds() -> None:
    """A new field must say which values it refuses."""
    for kind, body in BODIES.items():
        assert {path[0] for path in BOUNDS[kind]} >= set(msgspec.structs.asdict(body))
    header = set(msgspec.structs.asdict(acts.decode(acts.encode(HEADER, BODIES["pull"])).header))
    assert set(HEADER_BOUNDS) == header


def test_every_kind_of_act_is_in_the_table() -> None:
    from registry.acts.deeds import DEED_BODIES

    assert set(BOUNDS) == set(BODIES) == acts.LAW | {body.kind for body in DEED_BODIES}
