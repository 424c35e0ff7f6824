"""A verification that goes on where another ended, or begins at an entry; and what one remembers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry import fsck
from registry.audit.verify import engine, memory
from registry.context import Context
from registry.crypto import dsse
from registry.crypto.keys import VerifyingKey
from registry.errors import (
    BadCheckpoint,
    BadSignature,
    InvalidInput,
    Untrusted,
)
from support import ledgers
from support.rewriting import envelope, execute, first, rewrite
from support.verifying import LEVEL, Interrupting, resigned, verify


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Context]:
    """A generated ledger of 300 acts, this test's own."""
    with Context(ledgers.copied(tmp_path)) as context:
        yield context


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every signature of a member that is checked, but for those of the law, which is always read anew."""
    found: list[bytes] = []
    check = VerifyingKey.verify

    def counted(self: VerifyingKey, sig: bytes, data: bytes) -> None:
        found.append(sig)
        check(self, sig, data)

    monkeypatch.setattr(VerifyingKey, "verify", counted)
    return found


def interrupted(context: Context) -> int:
    """A verification that ends after five chunks; return how far it had come."""
    context.progress = Interrupting(6)
    with pytest.raises(KeyboardInterrupt):
        verify(context)
    context.progress = engine.SILENT
    record = memory.load(context.paths.home, context.config.registry_id, LEVEL)
    assert record is not None
    assert not record.done
    return record.size


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was reached is kept after every chunk."""
    monkeypatch.setattr(memory, "_OFTEN", 0.0)


def test_an_interrupted_verification_goes_on(home: Context, asked: list[bytes], often: None) -> None:
    verify(home)
    every, done = len(asked), memory.path_in(home.paths.home)
    done.unlink()
    assert interrupted(home) == 5 * 32
    assert done.stat().st_mode & 0o777 == 0o600
    asked.clear()
    again = verify(home)
    assert (again.start, again.acts) == (160, ledgers.SMALL)
    assert again.resumed is not None
    assert len(asked) < every - 80  # what was asked already is not asked again
    asked.clear()
    assert verify(home).resumed is None  # it is over: the next one is a new one
    assert len(asked) == every


def test_from_zero_begins_anew(home: Context, often: None) -> None:
    interrupted(home)
    assert (verify(home, 0).start, verify(home).start) == (0, 0)


def test_what_came_before_an_interruption_must_not_have_changed(home: Context, often: None) -> None:
    """Whoever has the ledger's key rewrites an entry that was verified, and its tree: it is another root."""
    interrupted(home)
    seq = first(home, "pull")
    rewrite(home, {seq: resigned(home, seq)})
    home.paths.checkpoint.unlink(missing_ok=True)
    with pytest.raises(Untrusted, match=r"root-differs: these are not the entries .*160 acts"):
        verify(home)
    with pytest.raises(BadSignature, match=f"entry {seq}"):
        verify(home, 0)


def test_a_ledger_that_was_verified_and_is_rewritten_is_found_by_its_record_alone(home: Context) -> None:
    """Honest acts under honest signatures, but not those that were there."""
    verify(home)
    home.paths.checkpoint.unlink(missing_ok=True)
    other = dsse.Envelope.from_bytes(envelope(home, 100))
    spelled = json.dumps(json.loads(other.to_bytes())).encode()  # the same statement in other bytes
    rewrite(home, {100: spelled})
    with pytest.raises(Untrusted, match="root-differs"):
        verify(home)
    assert verify(home, 0).acts == ledgers.SMALL


def test_a_ledger_shorter_than_the_verified_one_is_found(home: Context, tmp_path: Path) -> None:
    verify(home)
    shorter = ledgers.copied(tmp_path / "other", 200)
    file = home.paths.home / "registry.db"
    home.close()
    del home.__dict__["raw_engine"], home.__dict__["engine"]
    shutil.copy(shorter / "registry.db", file)
    record = json.loads((home.paths.home / "verified").read_text())
    assert record["size"] == 288
    with pytest.raises(Untrusted):
        verify(home)


def test_a_damaged_record_means_that_everything_is_verified(home: Context, often: None) -> None:
    interrupted(home)
    memory.path_in(home.paths.home).write_bytes(b'{"registry_id":')
    assert verify(home).start == 0


def test_signatures_before_the_start_are_not_asked_for_but_all_else_is(home: Context) -> None:
    seq = first(home, "pull", 50)
    rewrite(home, {seq: resigned(home, seq)})
    home.paths.checkpoint.unlink(missing_ok=True)
    assert verify(home, seq + 1).start == seq + 1
    assert not memory.path_in(home.paths.home).exists()  # nothing to go on from
    with pytest.raises(BadSignature):
        verify(home, seq)
    execute(home, "UPDATE events SET place = 'another' WHERE seq = 50")
    with pytest.raises(Untrusted, match=r"events\.place 50"):
        verify(home, seq + 1)


def test_the_law_is_read_from_its_beginning_whatever_the_start(home: Context) -> None:
    seq = first(home, "grant")
    rewrite(home, {seq: resigned(home, seq)})
    with pytest.raises(BadSignature, match=f"entry {seq}"):
        verify(home, 250)


def test_a_start_beyond_the_ledger_is_refused(home: Context) -> None:
    with pytest.raises(InvalidInput, match="no such entry"):
        verify(home, ledgers.SMALL + 1)


def test_the_remembered_checkpoint_is_held_against_the_ledger(home: Context) -> None:
    verify(home)  # remembers
    memory.path_in(home.paths.home).unlink()
    spelled = json.dumps(json.loads(envelope(home, 100))).encode()
    rewrite(home, {100: spelled})
    with pytest.raises(BadCheckpoint):
        verify(home)
    assert "bad-checkpoint" in {one.code for one in fsck.fsck(home).findings}
