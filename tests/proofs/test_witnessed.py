"""How much of a ledger its witnesses have seen: fewer than demanded, of another tree, of the future."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.crypto import merkle, notes
from registry.crypto.checkpoint import Checkpoint, LedgerKey, origin_of, sign_checkpoint
from registry.crypto.cosignature import WitnessKey
from registry.crypto.merkle import Node
from registry.crypto.quorum import Policy
from registry.crypto.witnessed import SLACK, Demand, Seen, Witnessed, witnessed
from registry.errors import BadCheckpoint

ORIGIN = origin_of("5e" * 32)
KEY = LedgerKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))
WITNESSES = [
    WitnessKey(f"w{number}.example", Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))
    for number in range(1, 6)
]
NAMES = [key.public.name for key in WITNESSES]
NOW = 1_800_000_000
SIZE = 40


class Log:
    """A ledger of ``SIZE`` entries; ``salt`` makes another history from entry ``fork`` on."""

    def __init__(self, salt: bytes = b"", fork: int = 0) -> None:
        self.nodes: dict[Node, bytes] = {}
        for seq in range(SIZE):
            leaf = merkle.leaf_hash(bytes([seq]) + (salt if seq >= fork else b""))
            for level, index, value in merkle.appended_nodes(seq, leaf, self.read):
                self.nodes[level, index] = value

    def read(self, wanted: Sequence[Node]) -> dict[Node, bytes]:
        return {node: self.nodes[node] for node in wanted}

    def at(self, size: int) -> Checkpoint:
        return Checkpoint(ORIGIN, size, merkle.root(size, self.read))

    def note(self, size: int, key: LedgerKey = KEY) -> str:
        return sign_checkpoint(self.at(size), key)

    def path(self, old: int, new: int) -> tuple[bytes, ...]:
        return tuple(merkle.consistency_path(old, new, self.read)) if old <= new else ()

    def seen(self, size: int, *by: int, new: int = SIZE, time: int = NOW) -> Seen:
        note = notes.parse(self.note(size), ORIGIN)
        lines = tuple(WITNESSES[number].sign(note.text, time) for number in by)
        return Seen(notes.Note(note.text, note.signatures + lines).to_text(), self.path(size, new))


LOG, FORK = Log(), Log(b"fork", 8)


def demand(least: int = 2, total: int = 3) -> Policy:
    vkeys = [key.public.vkey for key in WITNESSES[:total]]
    return Policy.of(least, vkeys, KEY.public.vkey(ORIGIN))


def check(*seen: Seen, policy: Policy | None = None, now: int = NOW, log: Log = LOG) -> Witnessed:
    return witnessed(policy or demand(), log.at(SIZE), KEY.public, seen, now)


def test_two_of_three_on_one_checkpoint() -> None:
    assert check(LOG.seen(30, 0, 2)) == Witnessed(30, (NAMES[0], NAMES[2]))
    assert check(LOG.seen(SIZE, 0, 1, 2)).size == SIZE
    assert Demand(demand(), NOW).held(LOG.note(SIZE), "5e" * 32, KEY.public, (LOG.seen(30, 0, 2),)).size == 30


def test_who_saw_a_later_tree_saw_its_beginning() -> None:
    found = check(LOG.seen(12, 0), LOG.seen(25, 1), LOG.seen(33, 2))
    assert found == Witnessed(25, (NAMES[1], NAMES[2]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, SIZE), min_size=5, max_size=5), st.integers(1, 5))
def test_the_size_that_enough_have_reached(sizes: list[int], least: int) -> None:
    """0 is a witness who has seen nothing."""
    seen = [LOG.seen(size, number) for number, size in enumerate(sizes) if size]
    expected = sorted(sizes, reverse=True)[least - 1]
    if expected:
        assert check(*seen, policy=demand(least, 5)).size == expected
    else:
        with pytest.raises(BadCheckpoint, match="not enough witnesses"):
            check(*seen, policy=demand(least, 5))


def test_one_fewer_than_demanded() -> None:
    with pytest.raises(BadCheckpoint, match="not enough witnesses") as caught:
        check(LOG.seen(SIZE, 1))
    assert caught.value.on == f"1 of 3 have: {NAMES[1]}"
    with pytest.raises(BadCheckpoint, match="not enough witnesses"):
        check()


def test_the_same_witness_twice_counts_once() -> None:
    with pytest.raises(BadCheckpoint, match="not enough witnesses"):
        check(LOG.seen(SIZE, 1, 1), LOG.seen(20, 1), LOG.seen(SIZE, 1, time=NOW - 5))


def test_strangers_do_not_count() -> None:
    with pytest.raises(BadCheckpoint, match="not enough witnesses"):
        check(LOG.seen(SIZE, 0, 3, 4))
    assert check(LOG.seen(SIZE, 0, 3, 4, 1)).names == (NAMES[0], NAMES[1])


def test_what_a_stranger_brings_is_not_even_read() -> None:
    note = FORK.seen(30, 3).note
    assert check(LOG.seen(SIZE, 0, 1), Seen(note, (bytes(32),))).size == SIZE


def test_another_key_under_the_name_of_a_witness() -> None:
    liar = WitnessKey(NAMES[1], Ed25519PrivateKey.from_private_bytes(bytes([99]) * 32))
    note = notes.parse(LOG.note(SIZE), ORIGIN)
    line = liar.sign(note.text, NOW)
    with pytest.raises(BadCheckpoint, match="not enough witnesses"):
        check(Seen(notes.Note(note.text, (*note.signatures, line)).to_text(), ()), LOG.seen(SIZE, 0))
    line = notes.Signature(NAMES[1], WITNESSES[1].public.key_id, line.value)  # and its key id
    with pytest.raises(BadCheckpoint, match="does not verify"):
        check(Seen(notes.Note(note.text, (*note.signatures, line)).to_text(), ()), LOG.seen(SIZE, 0, 2))


def test_a_line_moved_from_another_checkpoint() -> None:
    old, new = notes.parse(LOG.seen(20, 1).note, ORIGIN), notes.parse(LOG.note(SIZE), ORIGIN)
    moved = notes.Note(new.text, new.signatures + old.signatures[1:]).to_text()
    with pytest.raises(BadCheckpoint, match="does not verify"):
        check(Seen(moved, ()), LOG.seen(SIZE, 0, 2))


@pytest.mark.parametrize("size", [9, 30, SIZE])
def test_another_history_than_the_one_a_witness_saw(size: int) -> None:
    seen = FORK.seen(size, 0, 1)
    for path in (seen.path, LOG.path(size, SIZE)):
        with pytest.raises(BadCheckpoint, match="not the one that its witnesses saw") as caught:
            check(Seen(seen.note, path))
        assert "two histories" in str(caught.value.hint)


def test_histories_that_part_later_are_one_until_then() -> None:
    assert check(Seen(FORK.seen(8, 0, 1).note, LOG.path(8, SIZE))).size == 8


def test_a_ledger_cut_behind_its_witnesses() -> None:
    seen = LOG.seen(SIZE, 0, 1)
    with pytest.raises(BadCheckpoint, match="shorter than its witnesses saw it"):
        witnessed(demand(), LOG.at(30), KEY.public, [LOG.seen(20, 0, 1, new=30), Seen(seen.note, ())], NOW)


def test_a_proof_that_is_missing() -> None:
    with pytest.raises(BadCheckpoint, match="not the one that its witnesses saw"):
        check(Seen(LOG.seen(20, 0, 1).note, ()))


def test_a_cosigned_checkpoint_that_the_ledger_did_not_sign() -> None:
    note = notes.parse(LOG.note(SIZE, LedgerKey.generate()), ORIGIN)
    lines = tuple(WITNESSES[number].sign(note.text, NOW) for number in (0, 1))
    with pytest.raises(BadCheckpoint, match="0 signatures of the ledger's key"):
        check(Seen(notes.Note(note.text, note.signatures + lines).to_text(), ()))


def test_a_checkpoint_of_another_ledger() -> None:
    other = Checkpoint("example.com/other", SIZE, LOG.at(SIZE).root)
    note = notes.parse(sign_checkpoint(other, KEY), "x")
    lines = tuple(WITNESSES[number].sign(note.text, NOW) for number in (0, 1))
    with pytest.raises(BadCheckpoint):
        check(Seen(notes.Note(note.text, note.signatures + lines).to_text(), ()))


def test_a_policy_for_another_ledger() -> None:
    policy = Policy.of(1, [WITNESSES[0].public.vkey], LedgerKey.generate().public.vkey(ORIGIN))
    with pytest.raises(BadCheckpoint, match="for another ledger"):
        check(LOG.seen(SIZE, 0), policy=policy)


def test_a_cosignature_of_the_future() -> None:
    assert check(LOG.seen(SIZE, 0, 1, time=NOW + SLACK)).size == SIZE
    with pytest.raises(BadCheckpoint, match="of the future"):
        check(LOG.seen(SIZE, 0, 1, time=NOW + SLACK + 1))


def test_nothing_is_demanded() -> None:
    assert check(policy=Policy.parse(b"quorum none\n")) == Witnessed(SIZE, ())


def test_what_is_newer_than_the_witnesses() -> None:
    found = check(LOG.seen(30, 0, 1))
    found.reach(0, 29)
    with pytest.raises(BadCheckpoint, match="newer than what enough witnesses have seen"):
        found.reach(0, 30)
