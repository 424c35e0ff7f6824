"""The short way of reading an entry and the long one accept the same bytes, as the same act."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import acts
from registry.acts import Act
from registry.audit.verify import reading
from registry.audit.verify.pulls import Pulls
from registry.audit.verify.reading import Reader
from registry.crypto import dsse
from registry.crypto.identity import Identity
from registry.errors import Malformed

ALICE = Identity.generate("alice").signing
CLIENT = acts.Client("hallmark/1.0", "gpu-7.example.org")
HEADER = acts.Header("ab" * 32, ALICE.keyid, "2026-05-06T07:08:09.123456Z", "12" * 16, "cd" * 32, CLIENT)
BODIES: tuple[acts.Body, ...] = (
    acts.Pull("vision/net", 3, "ef" * 32, "serving"),
    acts.Alias("vision/net", 3, "ef" * 32, "prod"),
    acts.Yank("vision/net", 3, "ef" * 32, 'the labels, "client": wrong'),
    acts.Yank("vision/net", 3, "ef" * 32, "größer"),
    acts.Failure("vision/net", 3, "ef" * 32, "run", 10, "bad-digest"),
    acts.Refusal(member="bob", count=1, since=HEADER.time, code="not-permitted", attempt="pull"),
    acts.Team("ml"),
)
PAYLOADS = [acts.encode(HEADER, body) for body in BODIES]


def wrapped(payload: bytes, *keyids: str, kind: str = dsse.PAYLOAD_TYPE) -> bytes:
    signed = tuple(dsse.Signature(keyid, b"signature") for keyid in keyids or (ALICE.keyid,))
    return dsse.Envelope(kind, payload, signed).to_bytes()


ENVELOPES = [wrapped(payload) for payload in PAYLOADS]


def long_way(data: bytes) -> tuple[Act, dsse.Envelope] | None:
    try:
        envelope = dsse.Envelope.from_bytes(data)
        return acts.decode(envelope.payload), envelope
    except Malformed:
        return None


def agree(data: bytes) -> None:
    """Twice by one reader: what it remembers makes no difference."""
    reader, expected = Reader(), long_way(data)
    for _ in range(2):
        try:
            found = reader.read(data)
        except Malformed:
            assert expected is None
            continue
        assert expected is not None
        act, envelope = expected
        assert (found.act, found.payload) == (act, envelope.payload)
        one = len(envelope.signatures) == 1 and envelope.payload_type == dsse.PAYLOAD_TYPE
        signed = envelope.signatures[0]
        assert (found.keyid, found.signature) == ((signed.keyid, signed.sig) if one else (None, b""))


@pytest.mark.parametrize("data", ENVELOPES)
def test_what_this_program_writes_is_read_alike(data: bytes) -> None:
    agree(data)


def test_deeds_go_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the others here do not merely hold the long way against itself."""
    monkeypatch.setattr(acts, "decode", None)
    monkeypatch.setattr(reading, "_long", None)
    for data in (*ENVELOPES[:2], ENVELOPES[4]):
        Reader().read(data)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_REMEMBERED", 4)
    reader = Reader()
    for number in range(1, 20):
        client = acts.Client("hallmark/1.0", f"host-{number}")
        header = acts.Header(HEADER.registry, HEADER.actor, HEADER.time, HEADER.nonce, HEADER.law, client)
        reader.read(wrapped(acts.encode(header, acts.Pull("vision/net", number, "ef" * 32, "serving"))))
        assert len(reader._bodies) <= 4
        assert len(reader._clients) <= 4


# --- other spellings --------------------------------------------------------------------------------

_pull = PAYLOADS[0]
RESPELLED = {
    "two-signatures": wrapped(_pull, ALICE.keyid, "another"),
    "a-key-id-of-signs": wrapped(_pull, 'a"b'),
    "no-key-id": wrapped(_pull, ""),
    "another-type": wrapped(_pull, kind="text/plain"),
    "spaces": json.dumps(json.loads(ENVELOPES[0])).encode(),
    "a-name-twice": ENVELOPES[0].replace(b'"payloadType"', b'"payloadType":"x","payloadType"'),
    "an-escape": ENVELOPES[0].replace(b"payloadType", b"payloadTyp\\u0065"),
    "unknown": ENVELOPES[0][:-1] + b',"x":1}',
    "loose-bits": ENVELOPES[0].replace(b'c2lnbmF0dXJl"', b'c2lnbmF0dXI="').replace(b"XI=", b"XJ="),
    "not-json": b"\xff",
    "nothing": b"",
    "deep": b"[" * 5000,
    "body-before-actor": wrapped(json.dumps(json.loads(_pull), separators=(",", ":")).encode()),
    "a-space-in-the-body": wrapped(_pull.replace(b'"number":3', b'"number": 3')),
    "an-escape-in-the-body": wrapped(_pull.replace(b"serving", b"servin\\u0067")),
    "a-number-as-a-float": wrapped(_pull.replace(b'"number":3', b'"number":3.0')),
    "another-subject": wrapped(_pull.replace(b"net:3", b"net:4")),
    "another-digest-in-the-subject": wrapped(_pull.replace(b'sha256":"ef', b'sha256":"ee')),
    "another-kind": wrapped(_pull.replace(b"pull/v1", b"alias/v1")),
    "an-unknown-kind": wrapped(_pull.replace(b"pull/v1", b"push-/v1")),
    "more-after-the-end": wrapped(_pull + b" "),
    "an-upper-case-digest": wrapped(_pull.replace(b'law":"cd', b'law":"CD')),
    "a-body-within-the-client": wrapped(_pull.replace(b'"host":"', b'"host":"x,\\"client\\":')),
    "a-client-within-the-purpose": wrapped(_pull.replace(b"serving", b',"client":{')),
    "no-law": wrapped(
        acts.encode(acts.Header("", ALICE.keyid, HEADER.time, HEADER.nonce, "", CLIENT), BODIES[0])
    ),
}


@pytest.mark.parametrize("name", RESPELLED)
def test_another_spelling_is_judged_alike(name: str) -> None:
    agree(RESPELLED[name])


@given(st.data())
def test_changed_bytes_are_judged_alike(data: Any) -> None:
    """A few bytes changed, put in or left out: in the envelope, or in the payload within it."""
    inside = data.draw(st.booleans())
    written = bytearray(data.draw(st.sampled_from(PAYLOADS if inside else ENVELOPES)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(written) - 1))
        some = data.draw(
            st.sampled_from([b"", b'"', b"\\", b" ", b"}", b",", b"0", b"\xc3\xa9"]) | st.binary(max_size=2)
        )
        written[at : at + data.draw(st.integers(0, 2))] = some
    agree(wrapped(bytes(written)) if inside else bytes(written))


@given(st.binary(max_size=5), st.integers(0, 63))
def test_bits_after_the_last_byte_are_judged_alike(value: bytes, bits: int) -> None:
    """msgspec overlooks them in base64; two spellings of one envelope would be two entries."""
    text = base64.b64encode(b"s" * 10 + value)
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    end = len(text.rstrip(b"=")) - 1
    loose = text[:end] + alphabet[bits : bits + 1] + text[end + 1 :]
    agree(ENVELOPES[0].replace(base64.b64encode(b"signature"), loose))


# --- many together ----------------------------------------------------------------------------------


def pull(number: int) -> bytes:
    client = acts.Client("hallmark/1.0", f"host-{number}")
    header = acts.Header(HEADER.registry, ALICE.keyid, HEADER.time, f"{number:032x}", HEADER.law, client)
    return wrapped(acts.encode(header, acts.Pull("vision/net", number, "ef" * 32, "serving")))


MANY = [pull(number) for number in (1, 2, 3)]


def accepted_alike(pieces: list[bytes]) -> bool:
    """Whether they are accepted together; then each by itself is, as the same act, the long way."""
    pulls = Pulls()
    first, found = pulls.read(pieces), pulls.read(pieces)
    assert (first is None) == (found is None)
    for data, read in zip(pieces, found or (), strict=False):
        said = read[1].predicate
        if (said.actor, said.registry, said.law) != (ALICE.keyid, HEADER.registry, HEADER.law):
            return False  # whoever judges the act looks these up
        expected = long_way(data)
        assert expected is not None
        act, envelope = expected
        client, body = acts.Client(said.client.program, said.client.host), said.body
        header = acts.Header(said.registry, said.actor, said.time, said.nonce, said.law, client)
        assert act.body == acts.Pull(body.model, body.number, body.digest, body.purpose)
        assert (act.header, envelope.payload) == (header, read[0].payload)
        signed = tuple(dsse.Signature(one.keyid, one.sig) for one in read[0].signatures)
        assert envelope.signatures == signed
    return found is not None


def test_pulls_are_read_together() -> None:
    assert accepted_alike(MANY)
    assert accepted_alike([])
    assert not accepted_alike([*MANY, ENVELOPES[1]])


@pytest.mark.parametrize("name", RESPELLED)
def test_another_spelling_among_pulls_is_judged_alike(name: str) -> None:
    accepted_alike([MANY[0], RESPELLED[name], MANY[1]])


def test_attack_two_entries_that_make_sense_together_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """One ends with half of an envelope, the next begins with the other half."""
    whole = MANY[1]
    at = whole.index(b',"payloadType"')
    assert not accepted_alike([MANY[0] + b"," + whole[:at], whole[at + 1 :], MANY[2]])
    assert not accepted_alike([MANY[0] + b"," + MANY[1], MANY[2]])
    assert not accepted_alike([MANY[0] + b"," + whole[:at], whole[at + 1 :]])


VALUES = {
    "a-name-with-a-space": b'"purpose":"ser ving"',
    "an-empty-name": b'"purpose":""',
    "a-long-name": b'"purpose":"%b"' % (b"x" * 129),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_out_of_bounds_is_not_read(name: str) -> None:
    parsed = dsse.Envelope.from_bytes(MANY[1])
    odd = wrapped(parsed.payload.replace(b'"purpose":"serving"', VALUES[name]))
    assert not accepted_alike([MANY[0], odd])


@pytest.mark.parametrize(
    "change", [(b'"nonce":"0', b'"nonce":"g'), (b"2026-05", b"2026-5x"), (b"host-2", b"host\x7f2")]
)
def test_a_header_out_of_bounds_is_not_read(change: tuple[bytes, bytes]) -> None:
    parsed = dsse.Envelope.from_bytes(MANY[1])
    assert not accepted_alike([wrapped(parsed.payload.replace(*change))])


@given(st.data())
def test_changed_bytes_among_pulls_are_judged_alike(data: Any) -> None:
    pieces = list(MANY)
    inside = data.draw(st.booleans())
    place = data.draw(st.integers(0, 2))
    written = bytearray(dsse.Envelope.from_bytes(pieces[place]).payload if inside else pieces[place])
    at = data.draw(st.integers(0, len(written) - 1))
    some = data.draw(st.sampled_from([b"", b'"', b",", b"}", b"{", b"0", b"a", b"z"]) | st.binary(max_size=2))
    written[at : at + data.draw(st.integers(0, 2))] = some
    pieces[place] = wrapped(bytes(written)) if inside else bytes(written)
    accepted_alike(pieces)


@given(st.data())
def test_pieces_cut_elsewhere_are_judged_alike(data: Any) -> None:
    """The same bytes between the commas, divided at other places."""
    joined = b",".join(MANY)
    commas = [at for at, byte in enumerate(joined) if byte == ord(",")]
    cuts = sorted(data.draw(st.sets(st.sampled_from(commas), min_size=1, max_size=4)))
    pieces = [joined[begin + 1 : end] for begin, end in zip([-1, *cuts], [*cuts, len(joined)], strict=True)]
    assert accepted_alike(pieces) == (pieces == MANY)
