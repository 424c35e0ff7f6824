"""The short way of reading an entry and the long one accept the same bytes, as the same act."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import acts
from registry.audit.verify import reading
from registry.audit.verify.reading import Reader
from registry.crypto import dsse
from registry.errors import Malformed
from support.spellings import ENVELOPES, HEADER, PAYLOADS, RESPELLED, long_way, wrapped


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
