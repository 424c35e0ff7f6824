"""What a member's program remembers of the law: the same law, theirs alone, and never ahead of the ledger."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry import law_memory, ledger, members
from registry.audit.scope import scope
from registry.context import Context
from registry.errors import Malformed
from registry.law import memory, rights
from registry.law.law import Law, from_genesis
from registry.records.database import reading
from support import ledgers, worlds

STRIDE = 7  # acts of the law between two places where it is put away and taken up again


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of which the law is remembered, however short it is."""
    monkeypatch.setattr(law_memory, "LEAST", 1)
    monkeypatch.setattr(law_memory, "STEP", 1)
    return ledgers.copied(tmp_path)


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The entries of the law that are replayed."""
    entries: list[int] = []
    plain = Law.follow
    monkeypatch.setattr(
        Law, "follow", lambda law, envelope, seq: (entries.append(seq), plain(law, envelope, seq))[1]
    )
    return entries


def _read(home: Path, who: str = "identity") -> Law:
    with Context(home, identity_file=home / f"{who}.pem") as context:
        return context.law()


def _memory(home: Path) -> Path:
    (file,) = home.glob("law-*")
    return file


def _laws(home: Path) -> Iterator[tuple[Law, list[ledger.Entry]]]:
    """A law at many places of its growth, each with the acts that are still to come."""
    with Context(home) as context, reading(context.engine) as connection:
        genesis, registry_id = ledger.entry(connection, 0).envelope, context.config.registry_id
        entries = ledger.of_law(connection, 0)
    law = from_genesis(genesis, registry_id)
    for at, entry in enumerate(entries):
        if at % STRIDE == 0:
            taken = from_genesis(genesis, registry_id)
            memory.unpack(memory.pack(law), taken)
            yield taken, entries[at:]
        law.follow(entry.envelope, entry.seq)
    yield law, []


def test_a_law_taken_up_anywhere_goes_on_as_the_same_law() -> None:
    *taken, (whole, _) = _laws(ledgers.shared())
    assert len(taken) > 3
    for law, rest in taken:
        for entry in rest:
            law.follow(entry.envelope, entry.seq)
        assert memory.pack(law) == memory.pack(whole)
        assert law.head == whole.head
        assert [law.entry(at) for at in range(law.state.position + 1)] == [
            whole.entry(at) for at in range(whole.state.position + 1)
        ]


def test_it_answers_as_the_replayed_one(home: Path) -> None:
    replayed, remembered = _read(home), _read(home)
    time = "2026-01-01T00:00:00.000000Z"
    places = [place for place in replayed.state.vaults if "/" in place[:-1]]
    assert places
    for name in replayed.state.members:
        assert remembered.state.members[name].keys.changes() == replayed.state.members[name].keys.changes()
        for place in places:
            for at in (None, 3, replayed.state.position // 2):
                said = [
                    rights.why(law.state, name, "pull", place, time, at) for law in (replayed, remembered)
                ]
                assert said[0] == said[1]
    sealed = [{name: to for name, to in law.state.sealed_to.items() if to} for law in (replayed, remembered)]
    assert sealed[0] == sealed[1]
    assert remembered.state.held == replayed.state.held


def test_the_next_process_replays_nothing(home: Path, followed: list[int]) -> None:
    _read(home)
    assert followed
    followed.clear()
    _read(home)
    assert followed == []


def test_a_short_law_is_not_kept(tmp_path: Path) -> None:
    home = ledgers.copied(tmp_path)
    _read(home)
    assert list(home.glob("law-*")) == []


@pytest.mark.parametrize("at", [0, 31, 32, 1000, -1])
def test_a_changed_memory_is_not_believed(home: Path, followed: list[int], at: int) -> None:
    _read(home)
    file = _memory(home)
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    _replayed(home, followed)


def test_a_memory_that_another_member_made_is_not_believed(home: Path, followed: list[int]) -> None:
    """Whoever can write the home, and is a member too, could otherwise make themselves an admin in it."""
    _read(home, "engineer")
    theirs = _memory(home).rename(home / "theirs")
    _read(home)
    shutil.copy(theirs, _memory(home))
    _replayed(home, followed)


def test_a_memory_of_another_registry_is_not_believed(
    home: Path, followed: list[int], tmp_path: Path
) -> None:
    other = ledgers.copied(tmp_path / "other", seed=2)
    with Context(home) as context:
        mine = context.identity.signing
    with Context(other, identity_file=other / "identity.pem") as context:
        law_memory.LawMemory(lambda keyid: home / f"law-{keyid[:16]}", lambda: mine).keep(context.law())
    _replayed(home, followed)


@pytest.mark.parametrize("damage", [b"", b"\0" * 20, b"\0" * 32])
def test_a_cut_memory_is_as_if_it_were_not_there(home: Path, followed: list[int], damage: bytes) -> None:
    _read(home)
    _memory(home).write_bytes(damage)
    _replayed(home, followed)


def _replayed(home: Path, followed: list[int]) -> None:
    followed.clear()
    _read(home)
    assert len(followed) > 10


def test_an_older_ledger_is_read_as_it_is(tmp_path: Path, home: Path, followed: list[int]) -> None:
    """The memory is ahead of a database that was put back. (That it was, the remembered checkpoint says.)"""
    own = worlds.make_home(tmp_path / "own")
    with worlds.open_context(own) as context:
        members.create_team(context, "before")
        older = context.law().head
    kept = shutil.copytree(own, tmp_path / "kept")
    with worlds.open_context(own) as context:
        members.create_team(context, "after")
        assert context.law().head != older
    memory = _memory(own).read_bytes()
    shutil.rmtree(own)
    shutil.copytree(kept, own)
    _memory(own).write_bytes(memory)
    followed.clear()
    assert _read(own).head == older
    assert followed


def test_a_memory_that_cannot_be_written_costs_time_only(home: Path, followed: list[int]) -> None:
    with Context(home) as context:
        file = context.paths.law(context.keyid)
        file.mkdir()
        assert context.law().state.position
        assert scope(context).all
    _replayed(home, followed)


@pytest.mark.parametrize("data", [b"", b"\x90", b"\xc0", b"not msgpack"])
def test_bytes_that_are_no_law_are_refused(home: Path, data: bytes) -> None:
    law, _ = next(_laws(home))
    before = memory.pack(law)
    with pytest.raises(Malformed):
        memory.unpack(data, law)
    assert memory.pack(law) == before
