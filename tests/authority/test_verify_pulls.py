"""Pulls read together: what is accepted so is accepted one by one, the long way, as the same acts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import acts
from registry.audit.verify.pulls import Pulls
from registry.crypto import dsse
from support.spellings import ALICE, ENVELOPES, HEADER, RESPELLED, long_way, wrapped


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
