"""Acts: one statement, one byte string; every field within its bounds, or refused."""

from __future__ import annotations

import hashlib
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
from support.sayings import bodies, headers
from support.wording import (
    BLOB,
    BODIES,
    HEADER,
    HEX,
    NONCE,
    TIME,
    VAULT,
    encoded,
    forged,
    put,
    refused,
)

EVERY = pytest.mark.parametrize("kind", BODIES)


# --- what is accepted -------------------------------------------------------------------------


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
    payload = acts.encode(HEADER, BODIES[kind])
    assert acts.decode(payload).digest == hashlib.sha256(payload).hexdigest()


@pytest.mark.parametrize("kind", BODIES)
def test_a_glance_shows_all_but_the_keys_handed_over(kind: str) -> None:
    payload = acts.encode(HEADER, BODIES[kind])
    shown, read = acts.glance(payload), acts.decode(payload)
    assert (shown.header, shown.digest) == (read.header, read.digest)
    if kind in acts.LAW - {"genesis", "policy"}:
        assert msgspec.structs.replace(read.body, custody=acts.Custody()) == shown.body
    else:
        assert shown == read


def test_a_glance_at_what_is_no_act_is_refused() -> None:
    for payload in (b"", b"{}", b"\xff", b"[" * 5000, acts.encode(HEADER, BODIES["pull"])[:-1]):
        with pytest.raises(Malformed):
            acts.glance(payload)


def test_an_act_is_an_in_toto_statement_about_the_version() -> None:
    statement = encoded("push")
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://hallmark-registry/push/v1"
    assert statement["subject"] == [{"name": "vision/net:1", "digest": {"sha256": HEX}}]


LAW = ("genesis", *(kind for kind in BODIES if kind in acts.LAW and kind != "genesis"))
TARGETS = {
    "genesis": "alice",
    "enroll": "bob",
    "disable": "bob",
    "replace": "bob",
    "team": "ml",
    "team-add": "ml",
    "team-remove": "ml",
    "grant": "vision/",
    "revoke": "vision/net",
    "create": "vision/net",
    "rotate": "/",
    "policy": "/",
}


@pytest.mark.parametrize("kind", LAW)
def test_an_act_of_the_law_is_about_its_target_and_its_body(kind: str) -> None:
    """Its subject names the target, and the digest of the body stands for what was decided."""
    statement = encoded(kind)
    (subject,) = statement["subject"]
    body = statement["predicate"]["body"]
    said = b"l" * 32 if kind == "genesis" else rfc8785.dumps(body)
    assert subject["digest"] == {"sha256": hashlib.sha256(said).hexdigest()}
    assert subject["name"] == (TARGETS[kind] if kind == "genesis" else f"{kind} {TARGETS[kind]}")
    act = acts.decode(forged(kind, lambda _: None))
    assert (act.is_law, act.target) == (True, TARGETS[kind])


@EVERY
def test_an_act_is_of_the_law_or_about_a_version_or_a_refusal(kind: str) -> None:
    act = acts.decode(forged(kind, lambda _: None))
    assert act.is_law == (kind in TARGETS)
    assert (act.number is not None) == (not act.is_law and kind != "refusal")


def test_the_sealed_keys_of_an_act_are_named_one_by_one() -> None:
    def sealed(letter: str) -> acts.Sealed:
        return acts.Sealed(suite="hpke", sha256=letter * 64)

    def share(letter: str) -> acts.Share:
        return acts.Share(recipient="alice", sealed=sealed(letter))

    def blob(letter: str) -> acts.Blob:
        return msgspec.structs.replace(BLOB, key=sealed(letter))

    vault = msgspec.structs.replace(VAULT, shares=(share("a"), share("b")))
    handed = acts.Handed(vault="vision/", epoch=1, share=share("c"))
    custody = acts.Custody((vault,), (handed,), (acts.Kept("vision/net", blob("d")),))
    for kind in TARGETS:
        if kind == "policy":
            assert list(acts.sealed_in(BODIES[kind])) == []
            continue
        body: Any = msgspec.structs.replace(BODIES[kind], custody=custody)
        assert "".join(one.sha256[0] for one in acts.sealed_in(body)) == "abcd"
    push = msgspec.structs.replace(BODIES["push"], blobs=(blob("e"), blob("f")))
    assert "".join(one.sha256[0] for one in acts.sealed_in(push)) == "ef"
    for kind in ("alias", "yank", "pull", "attest", "refusal"):
        assert list(acts.sealed_in(BODIES[kind])) == []


def test_times_are_utc_and_sort_as_text() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    moments = [datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC) + timedelta(microseconds=n**5) for n in range(9)]
    written = [acts.timestamp(moment) for moment in moments]
    assert written == sorted(written)
    assert written == [acts.timestamp(moment.astimezone(east)) for moment in moments]
    assert written[0] == TIME


# --- what is refused --------------------------------------------------------------------------


def test_the_forger_of_these_tests_forges_nothing_by_itself() -> None:
    for kind in BODIES:
        assert acts.decode(forged(kind, lambda statement: None)).body == BODIES[kind]


@EVERY
@pytest.mark.parametrize("where", [(), ("predicate",), ("predicate", "body"), ("subject", 0)])
def test_an_unknown_field_is_refused(kind: str, where: tuple[str | int, ...]) -> None:
    refused(forged(kind, put(*where, "extra", to=1)))


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
        put("subject", 0, "name", to="vision/net:2"),
        put("subject", 0, "digest", "sha256", to="00" * 32),
        put("subject", 0, "digest", "sha512", to="00" * 64),
        put("subject", to=[]),
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
        "https://hallmark-registry/erase/v1",
        "https://hallmark-registry/identity/v1",
        "https://hallmark-registry/quantization/v1",
        "https://hallmark-registry/Grant/v1",
        "https://hallmark-registry/push/v2",
        "https://hallmark-registry/push",
        "https://elsewhere.example/push/v1",
        "push",
        "",
    ],
)
def test_an_unknown_kind_is_refused(kind: str, type_: str) -> None:
    refused(forged(kind, put("predicateType", to=type_)))


@EVERY
def test_the_body_of_another_kind_is_refused(kind: str) -> None:
    for other in BODIES.keys() - {kind}:
        refused(forged(kind, put("predicateType", to=f"https://hallmark-registry/{other}/v1")))


@EVERY
def test_another_statement_type_is_refused(kind: str) -> None:
    refused(forged(kind, put("_type", to="https://in-toto.io/Statement/v0.1")))


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
    "a role that is none": msgspec.structs.replace(BODIES["enroll"], role="root"),
    "a grant of nothing": msgspec.structs.replace(BODIES["grant"], actions=()),
    "a grant on everything": msgspec.structs.replace(BODIES["grant"], target="/"),
    "a policy without end": acts.Policy(text="x" * (acts.POLICY_LIMIT + 1)),
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
