"""Attacks on the ledger: its entries and the nodes of its tree."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from registry import acts, catalog, strictjson
from registry.crypto import merkle
from registry.crypto.dsse import Envelope, Signature
from registry.errors import BadProof
from registry.records import tables
from support.attacks import (
    entry_of,
    envelopes,
    findings,
    flipped,
    found,
    reads_as_before,
    refused,
    signed,
    turned,
)
from support.story import STORY
from support.victim import MODEL, REF, VERSION, Victim

SIZE = len(STORY)  # acts in the ledger
_ENTRIES = {
    "genesis": 0,
    "create": 7,
    "push": 9,
    "law-after-the-push": 10,
    "rotation": 11,
    "alias": 12,
    "law-after-the-alias": 15,
    "attestation": 21,
    "newest": 24,
}
"""The entries that a checkout of ``prod`` proves: the rotation sealed every blob's key anew, and the next act
of the law after each shows that it came in time."""
_LAW = {"enroll": 1, "team-add": 6, "grant": 17, "policy": 19}
"""Further acts of the law: proven by their chain, which the newest entry names the end of."""
_OTHERS = {
    "push-of-an-older-version": 8,
    "push-of-a-newer-version": 13,
    "yank": 14,
    "push-of-another-model": 16,
    "pull": 20,
    "refusal": 22,
    "attestation-of-another-model": 23,
}
_PLACES = {**_ENTRIES, **_OTHERS}


def _payload(envelope: bytes) -> bytes:
    parsed = Envelope.from_bytes(envelope)
    payload = parsed.payload.decode()
    changed = turned(payload, payload.index('"nonce":"') + 9).encode()  # still a nonce
    return Envelope(parsed.payload_type, changed, parsed.signatures).to_bytes()


def _signature(envelope: bytes) -> bytes:
    parsed = Envelope.from_bytes(envelope)
    (signature,) = parsed.signatures
    changed = Signature(signature.keyid, flipped(signature.sig, -1))
    return Envelope(parsed.payload_type, parsed.payload, (changed,)).to_bytes()


def _keyid(envelope: bytes) -> bytes:
    parsed = Envelope.from_bytes(envelope)
    changed = Signature("0" * 64, parsed.signatures[0].sig)
    return Envelope(parsed.payload_type, parsed.payload, (changed,)).to_bytes()


def _respelled(envelope: bytes) -> bytes:
    """The same envelope in other bytes: as good a signature, but not what the ledger has hashed."""
    return envelope.replace(b'{"payload":', b'{ "payload":', 1)


CHANGES = {
    "payload": _payload,
    "signature": _signature,
    "key-id": _keyid,
    "spelling": _respelled,
    "cut": lambda envelope: envelope[:-1],
    "emptied": lambda envelope: b"",
}


def _write(victim: Victim, seq: int, envelope: bytes) -> None:
    victim.execute(sa.update(tables.acts).where(tables.acts.c.seq == seq).values(envelope=envelope))


def test_the_entries_are_where_they_are_said_to_be(victim: Victim) -> None:
    kinds = [row["kind"] for row in victim.rows["acts"]]
    assert tuple(kinds) == STORY
    assert entry_of(victim, "push", VERSION) == _ENTRIES["push"]
    assert kinds[_ENTRIES["rotation"]] == "disable"
    assert kinds[_ENTRIES["attestation"]] == "attest"
    assert [kinds[at] for at in _LAW.values()] == ["enroll", "team-add", "grant", "policy"]
    assert [kinds[at] for at in _OTHERS.values()] == [
        *("push", "push", "yank", "push", "pull", "refusal", "attest")
    ]


def test_a_respelled_envelope_still_says_the_same(victim: Victim) -> None:
    before = envelopes(victim)[_ENTRIES["push"]]
    assert _respelled(before) != before
    assert Envelope.from_bytes(_respelled(before)) == Envelope.from_bytes(before)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("entry", _ENTRIES)
def test_a_changed_entry_is_refused(victim: Victim, entry: str, change: str) -> None:
    seq = _ENTRIES[entry]
    _write(victim, seq, CHANGES[change](envelopes(victim)[seq]))
    step, code = 3, "bad-proof"
    if entry == "genesis":  # it is read first, against the pin
        step, code = 1, _GENESIS.get(change, "malformed")
        if change == "spelling":
            step, code = 3, "bad-proof"
    refused(victim, step, code)
    assert findings(victim, blobs=False)


_GENESIS = {"payload": "wrong-registry", "signature": "bad-signature", "key-id": "bad-signature"}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("entry", _LAW)
def test_a_changed_act_of_the_law_is_refused(victim: Victim, entry: str, change: str) -> None:
    """No proof of inclusion is asked for it: its own signature and its digest in the next one hold it."""
    seq = _LAW[entry]
    _write(victim, seq, CHANGES[change](envelopes(victim)[seq]))
    assert "node-differs" in found(victim, f"level 0, position {seq}")
    if change == "spelling":  # the same act by the same signer: it says what it said
        reads_as_before(victim)
    else:
        refused(victim, 4, "malformed" if change in ("cut", "emptied") else "bad-signature")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("entry", _OTHERS)
def test_a_changed_entry_of_something_else_is_found(victim: Victim, entry: str, change: str) -> None:
    """The version does not rest on it, so a checkout goes on; the ledger as a whole no longer holds."""
    seq = _OTHERS[entry]
    _write(victim, seq, CHANGES[change](envelopes(victim)[seq]))
    assert "node-differs" in found(victim, f"level 0, position {seq}")
    if entry == "push-of-a-newer-version" and change in ("cut", "emptied"):
        refused(victim, 5, "malformed")  # it might have moved the alias, so it is read
    else:
        victim.passes()


@pytest.mark.parametrize("entry", _ENTRIES)
def test_an_entry_replaced_by_another_genuine_act_is_refused(victim: Victim, entry: str) -> None:
    seq = _ENTRIES[entry]
    _write(victim, seq, envelopes(victim)[_OTHERS["pull"]])
    refused(victim, 1 if seq == 0 else 3, "wrong-registry" if seq == 0 else "bad-proof")


@pytest.mark.parametrize("entry", ["push", "alias"])
def test_an_entry_signed_again_by_its_own_author_is_refused(victim: Victim, entry: str) -> None:
    """The same act, the same signer, another nonce: it was never admitted."""
    seq = _ENTRIES[entry]
    body = acts.decode(Envelope.from_bytes(envelopes(victim)[seq]).payload).body
    with victim.open() as context:
        _write(victim, seq, signed(context, body))
    refused(victim, 3, "bad-proof")


SWAPPED = {"two-pushes-of-the-model": (8, 9), "the-push-and-the-alias": (9, 12), "two-models": (9, 16)}


@pytest.mark.parametrize("whole", [False, True], ids=["envelopes", "whole-rows"])
@pytest.mark.parametrize("pair", SWAPPED)
def test_two_entries_swapped_are_refused(victim: Victim, pair: str, whole: bool) -> None:
    first, second = (dict(victim.rows["acts"][seq]) for seq in SWAPPED[pair])
    names = [name for name in first if name != "seq" and (whole or name == "envelope")]
    statements = [
        sa.update(tables.acts).where(tables.acts.c.seq == seq).values({name: row[name] for name in names})
        for seq, row in ((first["seq"], second), (second["seq"], first))
    ]
    aside = sa.update(tables.acts).where(tables.acts.c.seq == second["seq"]).values(digest="0" * 64)
    victim.execute(aside, *statements)
    refused(victim, 3, "bad-proof")
    assert "node-differs" in found(victim, "level 0")


@pytest.mark.parametrize("entry", _PLACES)
def test_a_dropped_entry_is_refused_or_found(victim: Victim, entry: str) -> None:
    seq = _PLACES[entry]
    victim.execute(sa.delete(tables.acts).where(tables.acts.c.seq == seq))
    if entry in _ENTRIES:
        # An act of the law that only shows that another came in time is missed by the next one.
        refused(victim, *((4, "bad-authority") if entry.startswith("law") else (3, "bad-proof")))
    else:
        victim.passes()
        found(victim, f"entry {seq}")


def test_the_last_entry_dropped_is_refused(victim: Victim) -> None:
    victim.execute(sa.delete(tables.acts).where(tables.acts.c.seq == SIZE - 1))
    refused(victim, 3, "bad-proof")
    assert "size-differs" in found(victim, f"{SIZE - 1} acts")


def test_an_entry_inserted_in_the_middle_is_refused(victim: Victim) -> None:
    """Every later entry moves on by one, with the rows that name it."""
    with victim.open() as context:
        body = acts.Yank(model=MODEL, number=1, digest="0" * 64, reason="forged")
        envelope = signed(context, body)
    _shift(victim)
    row = {**victim.rows["acts"][-1], "seq": 8, "digest": "0" * 64}
    victim.execute(sa.insert(tables.acts).values({**row, "envelope": envelope}))
    refused(victim, 3, "bad-proof")


def _shift(victim: Victim) -> None:
    rows = {name: [dict(row) for row in of_table] for name, of_table in victim.rows.items()}
    for of_table in rows.values():
        for row in of_table:
            if row.get("seq", 0) >= 8:
                row["seq"] += 1
    rows["head"][0]["size"] += 1
    victim.write(rows)


def test_an_entry_beyond_the_head_is_refused_by_the_door(victim: Victim) -> None:
    row = {**victim.rows["acts"][-1], "seq": SIZE, "digest": "0" * 64}
    victim.execute(sa.insert(tables.acts).values(row))
    refused(victim, 8, "bad-proof")
    assert "size-differs" in found(victim, f"{SIZE + 1} acts")


# --- the tree -----------------------------------------------------------------------------------

_NODES = [(level, place) for level in range(SIZE.bit_length()) for place in range(SIZE >> level)]


def _asked(victim: Victim) -> set[tuple[int, int]]:
    """The nodes that the proofs of a checkout of ``prod`` are made of."""
    asked: set[tuple[int, int]] = set()

    def read(wanted: Any) -> dict[tuple[int, int], bytes]:
        asked.update(wanted)
        return dict.fromkeys(wanted, b"\0" * 32)

    for seq in _ENTRIES.values():
        merkle.inclusion_path(seq, SIZE, read)
    return asked


def _peaks() -> set[tuple[int, int]]:
    """The nodes that the root is made of: the door would sign over them."""
    peaks: set[tuple[int, int]] = set()

    def read(wanted: Any) -> dict[tuple[int, int], bytes]:
        peaks.update(wanted)
        return dict.fromkeys(wanted, b"\0" * 32)

    merkle.root(SIZE, read)
    return peaks


@pytest.mark.parametrize("lost", [False, True], ids=["changed", "dropped"])
@pytest.mark.parametrize("node", _NODES, ids=lambda node: f"level-{node[0]}-position-{node[1]}")
def test_a_node_of_the_tree_is_refused_or_found(victim: Victim, node: tuple[int, int], lost: bool) -> None:
    row = victim.row(tables.nodes, level=node[0], position=node[1])
    where = sa.and_(tables.nodes.c.level == node[0], tables.nodes.c.position == node[1])
    change = sa.update(tables.nodes).where(where).values(hash=flipped(row["hash"]))
    victim.execute(sa.delete(tables.nodes).where(where) if lost else change)
    if node in _asked(victim):
        refused(victim, 3, "bad-proof")
    elif node in _peaks():
        refused(victim, 8, "bad-proof")
    else:
        victim.passes()
    assert found(victim, f"level {node[0]}, position {node[1]}") == {"node-differs"}


def test_every_node_of_the_tree_was_attacked(victim: Victim) -> None:
    assert {(row["level"], row["position"]) for row in victim.rows["nodes"]} == set(_NODES)


def test_the_door_signs_nothing_over_a_changed_tree(victim: Victim) -> None:
    """One wrong node, and the next checkpoint would be of a history that never was."""
    where = sa.and_(tables.nodes.c.level == 4, tables.nodes.c.position == 0)
    victim.execute(sa.update(tables.nodes).where(where).values(hash=b"\1" * 32))
    changed = victim.read()
    refused(victim, 3, "bad-proof")
    with victim.open() as context, pytest.raises(BadProof):
        catalog.alias(context, REF, "late")
    assert victim.read() == changed


def test_a_ledger_entry_is_bounded(victim: Victim) -> None:
    """An envelope of more than it may have is not parsed."""
    _write(victim, _ENTRIES["push"], strictjson.canonical({"payload": "A" * (33 << 20)}))
    refused(victim, 3, "bad-proof", REF)
