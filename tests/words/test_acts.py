"""Acts: one statement, one byte string; every field within its bounds, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from registry import acts
from registry.errors import InvalidInput, Malformed

HEX, NONCE, TIME = "ab" * 32, "cd" * 16, "2026-01-02T03:04:05.000006Z"
SEALED = acts.Sealed(suite="hpke", ciphertext=b"sealed")
SHARE = acts.Share(recipient=HEX, sealed=SEALED)
VAULT = acts.Vault(epoch=1, suite="hpke", public=b"public", shares=(SHARE,))
BLOB = acts.Blob(id="blob-1", format=acts.BLOB_FORMAT, size=9, sha256=HEX, content=HEX, epoch=1, key=SEALED)
FILE = acts.File(path="model.onnx", size=3, sha256=HEX, blob="blob-1")
KEYS = acts.Keys(name="alice", signing=b"s", suite="hpke", sealing=b"h")
BODIES: dict[str, acts.Body] = {
    "genesis": acts.Genesis(name="alice", admin=KEYS, ledger=b"l" * 32),
    "push": acts.Push(
        model="vision/net",
        number=1,
        digest=HEX,
        label="v1",
        aliases=("prod",),
        metadata={"team": "vision"},
        bundle=b"bundle",
        files=(FILE,),
        blobs=(BLOB,),
        vault=VAULT,
        attestations=(b"attested",),
    ),
    "alias": acts.Alias(model="vision/net", number=1, digest=HEX, name="prod"),
    "yank": acts.Yank(model="vision/net", number=1, digest=HEX, reason="wrong labels"),
    "pull": acts.Pull(model="vision/net", number=1, digest=HEX, purpose="run"),
}
HEADER = acts.Header(registry=HEX, actor=HEX, time=TIME, nonce=NONCE)
EVERY = pytest.mark.parametrize("kind", BODIES)


def encoded(kind: str) -> dict[str, Any]:
    """The statement as a dictionary, to be changed."""
    statement: dict[str, Any] = json.loads(acts.encode(HEADER, BODIES[kind]))
    return statement


# --- what is accepted -------------------------------------------------------------------------

_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
_name = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z")
_hex = st.binary(min_size=32, max_size=32).map(bytes.hex)
_number = st.integers(1, 999_999_999)
_size = st.integers(0, 2**53 - 1)
_sealed = st.builds(acts.Sealed, suite=_name, ciphertext=st.binary(max_size=64))
_share = st.builds(acts.Share, recipient=_hex, sealed=_sealed)
_vault = st.builds(
    acts.Vault,
    epoch=_number,
    suite=_name,
    public=st.binary(max_size=64),
    shares=st.lists(_share, min_size=1, max_size=3).map(tuple),
)
_blob = st.builds(
    acts.Blob,
    id=st.from_regex(r"\A[a-z0-9-]{1,100}\Z"),
    format=st.just(acts.BLOB_FORMAT),
    size=_size,
    sha256=_hex,
    content=_hex,
    epoch=_number,
    key=_sealed,
)
_file = st.builds(
    acts.File, path=_text.filter(bool), size=_size, sha256=_hex, blob=st.from_regex(r"\A[a-z0-9-]{1,100}\Z")
)
_of_version = {
    "model": st.builds("{}/{}".format, _name, _name),
    "number": _number,
    "digest": _hex,
}
_keys = st.builds(
    acts.Keys, name=_name, signing=st.binary(max_size=99), suite=_name, sealing=st.binary(max_size=99)
)
bodies: dict[str, st.SearchStrategy[acts.Body]] = {
    "genesis": st.builds(acts.Genesis, name=_name, admin=_keys, ledger=st.binary(min_size=32, max_size=32)),
    "push": st.builds(
        acts.Push,
        **_of_version,
        label=st.none() | _name,
        aliases=st.lists(_name, max_size=3).map(tuple),
        metadata=st.dictionaries(_text.filter(bool), _text, max_size=3),
        bundle=st.binary(max_size=64),
        files=st.lists(_file, min_size=1, max_size=3).map(tuple),
        blobs=st.lists(_blob, max_size=3).map(tuple),
        vault=st.none() | _vault,
        attestations=st.lists(st.binary(max_size=64), max_size=3).map(tuple),
    ),
    "alias": st.builds(acts.Alias, **_of_version, name=_name),
    "yank": st.builds(acts.Yank, **_of_version, reason=_text.filter(bool)),
    "pull": st.builds(acts.Pull, **_of_version, purpose=_name),
}
_times = st.datetimes(timezones=st.just(UTC)).map(acts.timestamp)
headers = st.builds(
    acts.Header,
    registry=st.just("") | _hex,
    actor=_hex,
    time=_times,
    nonce=st.binary(min_size=16, max_size=16).map(bytes.hex),
)


@EVERY
@settings(max_examples=40)
@given(data=st.data())
def test_an_act_reads_back_as_it_was(kind: str, data: st.DataObject) -> None:
    header, body = data.draw(headers), data.draw(bodies[kind])
    payload = acts.encode(header, body)
    act = acts.decode(payload)
    assert (act.header, act.body, act.kind) == (header, body, kind)
    assert rfc8785.dumps(json.loads(payload)) == payload


@EVERY
def test_an_act_is_named_by_the_digest_of_its_bytes(kind: str) -> None:
    import hashlib

    payload = acts.encode(HEADER, BODIES[kind])
    assert acts.decode(payload).digest == hashlib.sha256(payload).hexdigest()


def test_an_act_is_an_in_toto_statement_about_the_version() -> None:
    statement = encoded("push")
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://hallmark-registry/push/v1"
    assert statement["subject"] == [{"name": "vision/net:1", "digest": {"sha256": HEX}}]


def test_times_are_utc_and_sort_as_text() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    moments = [datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC) + timedelta(microseconds=n**5) for n in range(9)]
    written = [acts.timestamp(moment) for moment in moments]
    assert written == sorted(written)
    assert written == [acts.timestamp(moment.astimezone(east)) for moment in moments]
    assert written[0] == TIME


# --- what is refused --------------------------------------------------------------------------


def refused(payload: bytes, because: str = "act") -> None:
    with pytest.raises(Malformed, match=because):
        acts.decode(payload)


def forged(kind: str, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Canonical bytes of the statement after ``change``: only what was changed can be wrong."""
    statement = encoded(kind)
    change(statement)
    return rfc8785.dumps(statement)


def _set(*path: str | int, to: object) -> Callable[[dict[str, Any]], object]:
    def change(statement: dict[str, Any]) -> None:
        holder: Any = statement
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = to

    return change


def _body(*path: str | int, to: object) -> Callable[[dict[str, Any]], object]:
    return _set("predicate", "body", *path, to=to)


def test_the_forger_of_these_tests_forges_nothing_by_itself() -> None:
    for kind in BODIES:
        assert acts.decode(forged(kind, lambda statement: None)).body == BODIES[kind]


@EVERY
@pytest.mark.parametrize("where", [(), ("predicate",), ("predicate", "body"), ("subject", 0)])
def test_an_unknown_field_is_refused(kind: str, where: tuple[str | int, ...]) -> None:
    refused(forged(kind, _set(*where, "extra", to=1)))


@EVERY
def test_a_missing_field_is_refused(kind: str) -> None:
    for name in encoded(kind)["predicate"]["body"]:
        payload = forged(kind, lambda statement, name=name: statement["predicate"]["body"].pop(name))
        refused(payload)


@EVERY
def test_a_duplicate_key_is_refused(kind: str) -> None:
    payload = acts.encode(HEADER, BODIES[kind])
    nonce = f'"nonce":"{NONCE}"'.encode()
    assert nonce in payload
    refused(payload.replace(nonce, nonce + b"," + nonce), "canonical")


def test_a_duplicate_key_in_metadata_is_refused() -> None:
    payload = acts.encode(HEADER, BODIES["push"])
    pair = b'"team":"vision"'
    refused(payload.replace(pair, b'"team":"other",' + pair), "canonical")


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "space": lambda payload: payload.replace(b'{"_type"', b'{ "_type"'),
    "leading newline": lambda payload: b"\n" + payload,
    "trailing newline": lambda payload: payload + b"\n",
    "order of keys": lambda payload: payload.replace(b'"number":1,', b"").replace(
        b'"model":', b'"number":1,"model":'
    ),
    "escaped letter": lambda payload: payload.replace(b"_type", b"\\u005ftype", 1),
    "escaped slash": lambda payload: payload.replace(b"vision/net", b"vision\\/net", 1),
    "number as float": lambda payload: payload.replace(b'"number":1', b'"number":1.0'),
    "number with exponent": lambda payload: payload.replace(b'"number":1', b'"number":1e0'),
    "base64 with stray bits": lambda payload: payload.replace(b'"bundle":"YnVuZGxl"', b'"bundle":"YnVuZGx="'),
    "a second document": lambda payload: payload + b"{}",
    "byte order mark": lambda payload: b"\xef\xbb\xbf" + payload,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_second_spelling_is_refused(spelling: str) -> None:
    payload = acts.encode(HEADER, BODIES["push"])
    other = SPELLINGS[spelling](payload)
    assert other != payload
    refused(other)


@EVERY
@pytest.mark.parametrize(
    "change",
    [
        _set("subject", 0, "name", to="vision/net:2"),
        _set("subject", 0, "digest", "sha256", to="00" * 32),
        _set("subject", 0, "digest", "sha512", to="00" * 64),
        _set("subject", to=[]),
        lambda statement: statement["subject"].append(statement["subject"][0]),
    ],
    ids=["name", "digest", "second digest", "none", "twice"],
)
def test_another_subject_than_the_body_says_is_refused(
    kind: str, change: Callable[[dict[str, Any]], object]
) -> None:
    refused(forged(kind, change))


@EVERY
@pytest.mark.parametrize(
    "type_",
    [
        "https://hallmark-registry/grant/v1",
        "https://hallmark-registry/push/v2",
        "https://hallmark-registry/push",
        "https://elsewhere.example/push/v1",
        "push",
        "",
    ],
)
def test_an_unknown_kind_is_refused(kind: str, type_: str) -> None:
    refused(forged(kind, _set("predicateType", to=type_)))


@EVERY
def test_the_body_of_another_kind_is_refused(kind: str) -> None:
    for other in BODIES.keys() - {kind}:
        refused(forged(kind, _set("predicateType", to=f"https://hallmark-registry/{other}/v1")))


@EVERY
def test_another_statement_type_is_refused(kind: str) -> None:
    refused(forged(kind, _set("_type", to="https://in-toto.io/Statement/v0.1")))


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
        refused(forged("pull", _set("predicate", field, to=value)), "does not parse")


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
    _body(*path, to=value)(statement)
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


NOT_ACTS: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"PK\x03\x04",
    "not UTF-8": acts.encode(HEADER, BODIES["yank"]).replace(b"wrong labels", b"wrong\xff labels"),
    "an array": b"[]",
    "a string": b'"push"',
    "deeply nested": b"[" * 100_000,
    "deep in the body": acts.encode(HEADER, BODIES["pull"]).replace(b'"run"', b"[" * 5000 + b"]" * 5000),
    "lone surrogate": acts.encode(HEADER, BODIES["yank"]).replace(b"wrong labels", b"\\ud800"),
    "NaN": acts.encode(HEADER, BODIES["pull"]).replace(b'"number":1', b'"number":NaN'),
    "huge number": acts.encode(HEADER, BODIES["pull"]).replace(b'"number":1', b'"number":' + b"9" * 5000),
}


@pytest.mark.parametrize("payload", NOT_ACTS.values(), ids=NOT_ACTS)
def test_what_is_no_act_at_all_is_refused(payload: bytes) -> None:
    refused(payload)


@settings(max_examples=60)
@given(st.data())
def test_a_changed_byte_is_another_act_or_none(data: st.DataObject) -> None:
    payload = bytearray(acts.encode(HEADER, BODIES["push"]))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    try:
        act = acts.decode(bytes(payload))
    except Malformed:
        return
    assert acts.encode(act.header, act.body) == bytes(payload)


# --- what is signed ---------------------------------------------------------------------------

UNSAYABLE: dict[str, acts.Body] = {
    "purpose is no name": acts.Pull(model="vision/net", number=1, digest=HEX, purpose="two words"),
    "reason too long": acts.Yank(model="vision/net", number=1, digest=HEX, reason="r" * 4097),
    "NUL in the reason": acts.Yank(model="vision/net", number=1, digest=HEX, reason="a\0b"),
    "half a surrogate pair": acts.Yank(model="vision/net", number=1, digest=HEX, reason="\udcff"),
    "metadata without a name": msgspec.structs.replace(BODIES["push"], metadata={"": "x"}),
    "too many aliases": msgspec.structs.replace(BODIES["push"], aliases=tuple(f"a{n}" for n in range(65))),
}


@pytest.mark.parametrize("body", UNSAYABLE.values(), ids=UNSAYABLE)
def test_what_no_act_can_say_is_the_callers_mistake(body: acts.Body) -> None:
    with pytest.raises(InvalidInput) as caught:
        acts.compose(HEADER, body)
    assert caught.value.exit_code == 2


@EVERY
def test_composed_bytes_are_the_encoded_ones(kind: str) -> None:
    assert acts.compose(HEADER, BODIES[kind]) == acts.encode(HEADER, BODIES[kind])
