"""Proofs and exports as a registry writes them: for whom, from what database, and that they hold."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from registry import acts, ledger, witnessing
from registry.audit.checking import check_proof
from registry.audit.exporting import export
from registry.audit.proving import prove
from registry.audit.ranges import check_range
from registry.crypto.checkpoint import Checkpoint, origin_of, sign_checkpoint
from registry.crypto.cosignature import WitnessKey
from registry.crypto.quorum import Policy
from registry.crypto.witnessed import Demand
from registry.errors import AlreadyExists, BadCheckpoint, InvalidInput, NotPermitted, Untrusted
from registry.records import tables
from registry.records.cosignatures import cosignatures
from registry.records.database import reading, writing
from support.courtroom import OTHER, Court
from support.notary import told

GRANT_BOB, PUSH = 15, 20  # entries of ``courtroom.build``


def pulled(court: Court, by: str = "bob") -> int:
    """The entry of one more pull."""
    court.admit(by, court.about(acts.Pull, purpose="training"))
    return len(court.envelopes()) - 1


def registry_id(court: Court) -> str:
    return court.root.config.registry_id


def spoil(court: Court, statement: sa.Executable) -> None:
    with writing(court.engine) as connection:
        connection.execute(statement)


def test_every_entry_is_proven_and_exported(anywhere: Court, tmp_path: Path) -> None:
    seq = pulled(anywhere)
    for entry in range(seq + 1):
        proven = prove(anywhere.by("aud"), entry)
        assert check_proof(proven.data, registry_id(anywhere)) == proven.checked
        assert proven.checked.event.seq == entry
    done = export(anywhere.by("aud"), None, tmp_path / "export")
    found = check_range(tmp_path / "export", registry_id(anywhere))
    assert (done.start, done.end) == (found.start, found.end) == (0, seq + 1)
    written = (tmp_path / "export" / "entries.jsonl").read_bytes()
    assert written.splitlines() == anywhere.envelopes()
    assert done.bytes == len(written)


def test_an_export_goes_on_where_the_last_one_ended(court: Court, tmp_path: Path) -> None:
    export(court.by("aud"), None, tmp_path / "a")
    held = (tmp_path / "a" / "checkpoint").read_text()
    first = pulled(court)
    court.enact("root", acts.Grant(grantee="nobody", actions=("pull",), target=OTHER))
    done = export(court.by("aud"), held, tmp_path / "b")
    assert (done.start, done.end) == (first, first + 2)
    found = check_range(tmp_path / "b", registry_id(court), held=held)
    assert (found.start, found.end) == (first, first + 2)
    again = export(court.by("aud"), (tmp_path / "b" / "checkpoint").read_text(), tmp_path / "c")
    assert again.start == again.end == check_range(tmp_path / "c", registry_id(court)).end


def test_an_export_is_for_nobody_else_to_read(court: Court, tmp_path: Path) -> None:
    export(court.by("aud"), None, tmp_path / "export")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "export").iterdir()}
    assert (modes, stat.S_IMODE((tmp_path / "export").stat().st_mode)) == ({0o600}, 0o700)


# --- for whom ---------------------------------------------------------------------------------------


def test_members_prove_what_concerns_them(court: Court) -> None:
    seq = pulled(court)
    assert prove(court.by("bob"), seq).checked.event.actor == "bob"  # their own act
    assert prove(court.by("bob"), PUSH).checked.event.on == "vision/net"  # on a model of theirs
    assert prove(court.by("mel"), PUSH).checked.event.on == "vision/net"  # by way of a team


def test_what_does_not_concern_a_member_is_not_proven_to_them(court: Court) -> None:
    seq = pulled(court)
    for entry in (seq, PUSH, GRANT_BOB):
        with pytest.raises(NotPermitted):
            prove(court.by("nobody"), entry)


def test_a_proof_for_a_member_shows_no_act_on_a_model_of_others(court: Court) -> None:
    """What shows that the law still stood is an entry that they may see."""
    seq = pulled(court)
    court.admit("root", *court.push("root", OTHER))
    with pytest.raises(NotPermitted, match="came in time"):
        prove(court.by("bob"), seq)
    later = pulled(court)
    court.admit("root", *court.push("root", OTHER))
    proven = prove(court.by("bob"), seq)
    assert proven.checked.in_time == f"entry {later} was signed under the same law"
    assert prove(court.by("aud"), seq).checked.in_time == f"entry {later + 1} was signed under the same law"


def test_nobody_but_auditors_and_admins_exports(court: Court, tmp_path: Path) -> None:
    for name in ("bob", "gus", "pusher", "nobody"):
        with pytest.raises(NotPermitted):
            export(court.by(name), None, tmp_path / "export")
    with pytest.raises(NotPermitted):
        export(court.by("stranger"), None, tmp_path / "export")
    assert not (tmp_path / "export").exists()
    assert export(court.by("ann"), None, tmp_path / "export").end == len(court.envelopes())


@pytest.mark.parametrize("seq", [-1, 21, 1 << 60])
def test_an_entry_that_is_not_there(court: Court, seq: int) -> None:
    with pytest.raises(InvalidInput, match="no such entry"):
        prove(court.root, seq)


# --- from what database -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["envelope", "node", "law", "note"])
def test_nothing_is_proven_from_a_changed_database(court: Court, kind: str, tmp_path: Path) -> None:
    acts_, nodes = tables.acts, tables.nodes
    changes = {
        "envelope": sa.update(acts_).where(acts_.c.seq == PUSH).values(envelope=court.envelopes()[3]),
        "node": sa.update(nodes).where(nodes.c.position == PUSH).values(hash=bytes(32)),
        "law": sa.update(acts_).where(acts_.c.seq == GRANT_BOB).values(kind="pull"),
        "note": sa.update(tables.head).values(note=court.root.config.registry_id),
    }
    pulled(court)
    spoil(court, changes[kind])
    with pytest.raises(Untrusted):
        prove(court.by("aud"), PUSH)
    with pytest.raises(Untrusted):
        export(court.by("aud"), None, tmp_path / "export")
    assert list(tmp_path.glob("*export*")) == []


def test_a_missing_entry_is_not_exported_around(court: Court, tmp_path: Path) -> None:
    seq = pulled(court)
    pulled(court)
    spoil(court, sa.delete(tables.acts).where(tables.acts.c.seq == seq))
    with pytest.raises(Untrusted):
        export(court.by("aud"), None, tmp_path / "export")
    assert list(tmp_path.glob("*export*")) == []


def test_a_database_rolled_back_behind_the_home(court: Court, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    court.root.engine.dispose()
    database = court.root.paths.home / "registry.db"
    with court.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(database, old)
    held_before = len(court.envelopes())
    pulled(court)
    held = export(court.root, None, tmp_path / "later")
    court.root.engine.dispose()
    for name in ("aud", "bob"):
        court.by(name).close()
    for path in court.home.glob("registry.db*"):
        path.unlink()
    shutil.copy(old, database)
    assert held.end == held_before + 1
    for act in (lambda: prove(court.by("aud"), 3), lambda: export(court.by("aud"), None, tmp_path / "x")):
        with pytest.raises(BadCheckpoint, match="shorter"):
            act()
    court.root.paths.checkpoint.unlink()  # without its memory the home cannot know; the held checkpoint does
    with pytest.raises(BadCheckpoint, match="shorter"):
        export(court.by("aud"), (tmp_path / "later" / "checkpoint").read_text(), tmp_path / "x")


def test_a_checkpoint_of_another_registry(court: Court, built: Court, tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint):
        export(court.by("aud"), told().note(5), tmp_path / "export")
    with pytest.raises(BadCheckpoint):
        export(court.by("aud"), "", tmp_path / "export")


def test_a_checkpoint_of_a_fork(court: Court, tmp_path: Path) -> None:
    fork = Checkpoint(origin_of(registry_id(court)), 7, bytes(32))
    note = sign_checkpoint(fork, court.root.authority.key)
    with pytest.raises(BadCheckpoint, match="another history"):
        export(court.by("aud"), note, tmp_path / "export")


# --- where to -------------------------------------------------------------------------------------------


def test_an_export_takes_no_ones_place(court: Court, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "file").touch()
    for name in ("full", "file"):
        with pytest.raises(AlreadyExists):
            export(court.by("aud"), None, tmp_path / name)
    (tmp_path / "empty").mkdir()
    export(court.by("aud"), None, tmp_path / "empty")
    assert check_range(tmp_path / "empty", registry_id(court)).end == len(court.envelopes())


# --- witnesses --------------------------------------------------------------------------------------------


def test_what_witnesses_saw_comes_with_it(court: Court, tmp_path: Path) -> None:
    seq = pulled(court)
    aud, ann = (witnessing.key_of(court.by(name)) for name in ("aud", "ann"))
    witnessing.witness(court.by("aud"), aud, tmp_path / "aud")
    with pytest.raises(BadCheckpoint, match="not enough"):
        check_proof(prove(court.root, seq).data, registry_id(court), demand(court, 2, aud, ann))
    pulled(court)
    witnessing.witness(court.by("ann"), ann, tmp_path / "ann")
    proven = prove(court.root, seq)
    assert len(check_proof(proven.data, registry_id(court), demand(court, 2, aud, ann)).witnesses) == 2
    with pytest.raises(BadCheckpoint, match="not seen this yet"):
        check_proof(prove(court.root, seq + 1).data, registry_id(court), demand(court, 2, aud, ann))
    export(court.by("aud"), None, tmp_path / "export")
    assert len(check_range(tmp_path / "export", registry_id(court), demand(court, 1, ann)).witnesses) == 1


def demand(court: Court, least: int, *keys: WitnessKey) -> Demand:
    return Demand(Policy.of(least, [key.public.vkey for key in keys]), int(court.now.timestamp()))


def test_rubbish_among_the_cosignatures_keeps_nobody_from_a_proof(court: Court, tmp_path: Path) -> None:
    key = witnessing.key_of(court.by("aud"))
    witnessing.witness(court.by("aud"), key, tmp_path / "aud")
    spoil(court, sa.update(cosignatures).values(note="rubbish\n\n"))
    assert prove(court.root, PUSH).checked.event.seq == PUSH


def test_a_ledger_cut_behind_a_witness(court: Court, tmp_path: Path) -> None:
    """The database is older than what its own witness has cosigned: that is told, and nothing proven."""
    key = witnessing.key_of(court.by("aud"))
    note = ledger_note(court)
    pulled(court)
    done = witnessing.witness(court.by("aud"), key, tmp_path / "aud")
    court.root.paths.checkpoint.unlink()
    spoil(court, sa.delete(tables.acts).where(tables.acts.c.seq >= done.tree.size - 1))
    spoil(court, sa.update(tables.head).values(size=done.tree.size - 1, note=note))
    with pytest.raises(Untrusted):
        prove(court.by("ann"), PUSH)


def ledger_note(court: Court) -> str:
    with reading(court.engine) as connection:
        return ledger.newest_note(connection)
