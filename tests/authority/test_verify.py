"""``registry audit verify``: an honest ledger holds; of one that does not, the first thing wrong is named."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from registry import acts, bundle, fsck
from registry.audit.verify import chunk, crew, engine, memory, verifying
from registry.audit.verify.finding import Finding
from registry.context import Context
from registry.crypto import dsse
from registry.crypto.keys import SigningKey, VerifyingKey
from registry.errors import (
    BadCheckpoint,
    BadSignature,
    DatabaseUnavailable,
    InvalidInput,
    Unavailable,
    Untrusted,
)
from registry.manifest import Manifest
from registry.records import tables
from registry.records.database import reading
from support import ledgers
from support.courtroom import Court
from support.rewriting import envelope, execute, first, rewrite

LEVEL = 5  # chunks of 32 entries, so that there are several


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Context]:
    """A generated ledger of 300 acts, this test's own."""
    with Context(ledgers.copied(tmp_path)) as context:
        yield context


def findings(context: Context, jobs: int = 1, **how: Any) -> list[Finding]:
    url = context.engine.url.render_as_string(hide_password=False)
    with reading(context.engine) as connection:
        how = {"level": LEVEL, "url": url, "jobs": jobs, **how}
        return list(engine.findings(connection, context.config.registry_id, **how))


def verify(context: Context, start: int | None = None, jobs: int = 1) -> verifying.Verified:
    return verifying.run(context, start, jobs, LEVEL)


def resigned(context: Context, seq: int) -> bytes:
    """The same act, signed by nobody who is known, in the signer's name."""
    parsed = dsse.Envelope.from_bytes(envelope(context, seq))
    forged = dsse.sign(parsed.payload, SigningKey.generate()).signatures[0].sig
    signed = dsse.Signature(parsed.signatures[0].keyid, forged)
    return dsse.Envelope(parsed.payload_type, parsed.payload, (signed,)).to_bytes()


# --- what holds -----------------------------------------------------------------------------------


def test_an_honest_ledger_holds(home: Context) -> None:
    done = verifying.verify(home)
    assert (done.acts, done.start, done.resumed) == (ledgers.SMALL, 0, None)
    assert done.law > 20
    assert findings(home) == []


def test_pulls_of_an_honest_ledger_take_no_closer_look(
    home: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the short way expects of index and event is what is written: else all would go the long way."""
    kinds: list[str] = []
    closer = chunk._Chunk.entry

    def looked(self: Any, found: Any, *, judged: bool) -> Any:
        kinds.append(found[2])
        return closer(self, found, judged=judged)

    monkeypatch.setattr(chunk._Chunk, "entry", looked)
    assert findings(home) == []
    assert "pull" not in kinds
    assert len(kinds) > 20


def test_processes_find_what_one_alone_finds(home: Context) -> None:
    """In the same order: of an honest ledger nothing, of another everything."""
    assert findings(home, jobs=2) == []
    rewrite(home, {seq: resigned(home, seq) for seq in (70, 250)})
    execute(home, "UPDATE events SET code = 'forged' WHERE seq IN (3, 200)")
    execute(home, "UPDATE activity SET acts = acts + 1 WHERE first = 5")
    execute(home, "DELETE FROM files WHERE rowid % 3 = 0")
    alone = findings(home)
    assert {one.code for one in alone} == {"bad-signature", "row-differs", "row-missing", "row-forged"}
    assert findings(home, jobs=2) == alone


def test_it_works_on_each_database(anywhere: Court) -> None:
    context = anywhere.root
    assert findings(context) == findings(context, jobs=2) == []
    with context.engine.begin() as connection:
        connection.execute(sa.update(tables.activity).values(acts=7))
        connection.execute(sa.update(tables.sayings).where(tables.sayings.c.saying == 2).values(text="else"))
        connection.execute(sa.delete(tables.events).where(tables.events.c.seq == 4))
    found = {(one.code, one.on.partition(" ")[0]) for one in findings(context)}
    assert found >= {
        ("row-differs", "activity.acts"),
        ("row-differs", "sayings.text"),
        ("row-missing", "events"),
    }


# --- what does not --------------------------------------------------------------------------------

HIDDEN = "UPDATE acts SET kind = 'pull' WHERE seq = ?"


def test_the_first_thing_that_is_wrong_is_named(home: Context) -> None:
    rewrite(home, {seq: resigned(home, seq) for seq in (120, 121)})
    execute(home, "UPDATE acts SET actor = ? WHERE seq = 119", "0" * 64)
    with pytest.raises(Untrusted, match=r"index-differs: .*entry 119, acts.actor"):
        verify(home)
    execute(home, "UPDATE acts SET actor = ? WHERE seq = 119", _actor(home, 119))
    with pytest.raises(BadSignature, match="entry 120"):
        verify(home)


def _actor(context: Context, seq: int) -> str:
    return acts.decode(dsse.Envelope.from_bytes(envelope(context, seq)).payload).header.actor


def test_an_act_of_the_law_that_the_index_hides_is_all_that_is_found(home: Context) -> None:
    """It is missing from the chain, so the entries themselves are read: what rests on it still does."""
    middle, last = first(home, "grant", 40), _last_of_law(home)
    execute(home, HIDDEN, middle)
    execute(home, HIDDEN, last)
    assert [(one.code, one.on) for one in findings(home)] == [
        ("index-differs", f"entry {seq}, acts.kind") for seq in (middle, last)
    ]


def _last_of_law(context: Context) -> int:
    with reading(context.engine) as connection:
        query = sa.select(sa.func.max(tables.acts.c.seq)).where(tables.acts.c.kind.in_(acts.LAW))
        return int(connection.execute(query).scalar_one())


def test_a_bundle_that_another_signed_is_found(home: Context) -> None:
    """The act is rightly signed, by somebody who has the right; the version's own signature is not theirs."""
    seq = first(home, "push")
    assert findings_of(home, seq, home.identity.signing)[0].code == "index-differs"  # all but the actor holds
    found = findings_of(home, seq, SigningKey.generate())
    assert (found[0].code, found[0].on) == ("bad-signature", f"entry {seq}")


def findings_of(context: Context, seq: int, key: SigningKey) -> list[Finding]:
    """Of a push by the admin, whose bundle and attestations are signed with ``key``."""
    act = acts.decode(dsse.Envelope.from_bytes(envelope(context, seq)).payload)
    assert isinstance(act.body, acts.Push)
    manifest = Manifest.of("model", {file.path: file.sha256 for file in act.body.files})
    admin, attested = context.identity.signing, act.body.attestations
    statements = tuple(dsse.sign(dsse.Envelope.from_bytes(one).payload, admin).to_bytes() for one in attested)
    body = replace(act.body, bundle=bundle.sign(manifest, key), attestations=statements)
    header = replace(act.header, actor=admin.keyid)
    rewrite(context, {seq: dsse.sign(acts.encode(header, body), admin).to_bytes()})
    return findings(context)


def test_a_text_that_is_not_utf8_is_found(home: Context) -> None:
    """It does not end the reading of the rows that come with it."""
    execute(home, "UPDATE events SET member = CAST(x'ff' AS TEXT) WHERE seq = 7")
    one = findings(home)[0]
    assert (one.code, one.on) == ("row-differs", "events.member 7")


def test_a_value_of_another_type_is_found(home: Context) -> None:
    execute(home, "UPDATE acts SET envelope = 'forged' WHERE seq = 9")
    one = findings(home)[0]
    assert (one.code, one.on) == ("malformed", "entry 9")


def test_entries_of_a_whole_chunk_removed_are_found(home: Context) -> None:
    execute(home, "DELETE FROM acts WHERE seq BETWEEN 60 AND 130")
    found = [(one.code, one.on) for one in findings(home)]
    assert found[:3] == [("missing-act", f"entry {seq}") for seq in (60, 64, 128)]
    assert found == [(one.code, one.on) for one in findings(home, jobs=2)]


def test_an_entry_far_beyond_the_ledger_does_not_keep_it_busy(home: Context) -> None:
    execute(home, "UPDATE acts SET seq = 1 << 60 WHERE seq = 299")
    found = [(one.code, one.on) for one in findings(home)]
    assert ("missing-act", "entry 299") in found


# --- processes ------------------------------------------------------------------------------------


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that a verification starts."""
    found: list[subprocess.Popen[bytes]] = []
    start = crew._start

    def remembered(*arguments: Any) -> subprocess.Popen[bytes]:
        found.append(start(*arguments))
        return found[-1]

    monkeypatch.setattr(crew, "_start", remembered)
    return found


DYING = (
    "import json, os, sys\n"
    "sys.path[:] = json.loads(sys.argv[1])\n"
    "from registry.audit.verify import wire, worker\n"
    "told, done = wire.told, []\n"
    "def dies(report):\n"
    "    done.append(report)\n"
    "    if len(done) > 2: os.kill(os.getpid(), 9)\n"
    "    return told(report)\n"
    "wire.told = dies\n"
    "worker.main()\n"
)


def test_a_process_that_dies_is_an_error(
    home: Context, monkeypatch: pytest.MonkeyPatch, started: list[subprocess.Popen[bytes]]
) -> None:
    """Killed after two chunks: the ledger is not said to hold, and no other process is left behind."""
    monkeypatch.setattr(crew, "_BOOT", DYING)
    with pytest.raises(Unavailable, match="ended before it had told"):
        verify(home, jobs=2)
    assert [worker.poll() is not None for worker in started] == [True, True]
    assert memory.load(home.paths.home, home.config.registry_id, LEVEL) is None or not _done(home)


def _done(context: Context) -> bool:
    return bool(json.loads((context.paths.home / "verified").read_text())["done"])


def test_what_ends_a_process_ends_the_verification(home: Context) -> None:
    with pytest.raises(DatabaseUnavailable):
        findings(home, jobs=2, url="sqlite:////nowhere/at/all.db")


class Interrupting:
    """Somebody who presses Ctrl-C when so many bytes were verified."""

    def __init__(self, after: int) -> None:
        self.left = after

    def begin(self, label: str, total: int) -> None:
        assert label == f"verifying {ledgers.SMALL} acts"

    def advance(self, amount: int) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt

    def end(self) -> None:
        pass


def test_an_interrupt_ends_every_process(home: Context, started: list[subprocess.Popen[bytes]]) -> None:
    home.progress = Interrupting(2)
    with pytest.raises(KeyboardInterrupt):
        verify(home, jobs=2)
    assert [worker.poll() is not None for worker in started] == [True, True]


# --- going on -------------------------------------------------------------------------------------


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
