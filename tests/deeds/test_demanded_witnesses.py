"""Witnesses that a home demands: what is refused without them, and a ledger that they did not see so."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from registry import acts, catalog, cosigned, ledger, witnesses, witnessing
from registry.checkout import checkout, verify
from registry.context import Context
from registry.crypto import dsse, notes
from registry.crypto.checkpoint import parse
from registry.crypto.cosignature import MLDSA44
from registry.crypto.quorum import Policy
from registry.errors import BadCheckpoint, InvalidInput
from registry.pull import pull
from registry.records import cosignatures as cosigned_rows
from registry.records import tables
from registry.records.cosignatures import cosignatures
from registry.records.database import reading, writing
from support.company import MODEL, Company
from support.onlookers import (
    OUTSIDE,
    change,
    copied,
    cosign,
    grow,
    judged,
    refused,
    require,
    vkey,
    writing_of,
)


def row_of_tree(context: Context, connection: sa.Connection) -> cosigned_rows.Row:
    """alice's cosignature on the tree as it is now."""
    note = ledger.newest_note(connection)
    parsed = notes.parse(note, "test")
    tree = parse(parsed.text, parsed.text.partition("\n")[0])
    return witnessing.row_of(note, tree, witnessing.key_of(context).sign(parsed.text, 1_700_000_000))


def test_a_version_that_two_of_three_have_seen(watched: Company) -> None:
    assert watched.read("alice")
    with watched.open() as context:
        outcomes = verify(context, MODEL)
    assert all(outcome.ok for outcome in outcomes)
    assert "seen by alice, bob" in outcomes[1].detail


def test_every_way_to_a_version_asks_for_the_witnesses(attended: Company) -> None:
    require(attended, 1, "alice")
    target = attended.root / "pulled"
    with attended.open() as context:
        with pytest.raises(BadCheckpoint):
            checkout(context, MODEL)
        with pytest.raises(BadCheckpoint):
            pull(context, MODEL, target)
        assert [(one.number, one.ok) for one in verify(context, MODEL)] == [(1, True), (2, False)]
    assert not target.exists()


def test_on_each_backend(company_anywhere: Company, tiny: Path) -> None:
    company_anywhere.publish(tiny)
    require(company_anywhere, 1, "alice")
    assert refused(company_anywhere)[0] == "2 (checkpoint)"
    first = cosign(company_anywhere)
    again = cosign(company_anywhere)
    assert (first.before, again.before) == (0, first.tree.size)
    judged(company_anywhere)
    with company_anywhere.open() as context:
        assert [row[2] for row in witnesses.listed(context)] == [again.tree.size]


def test_one_of_three_is_not_enough(attended: Company) -> None:
    require(attended, 2, "alice", "bob", "carol")
    cosign(attended, "alice")
    cosign(attended, "alice")
    step, error = refused(attended)
    assert (step, error.message) == ("2 (checkpoint)", "not enough witnesses have cosigned the ledger")
    assert error.on == "1 of 3 have: alice"


def test_a_checkpoint_that_its_witnesses_do_not_bear_out_is_not_remembered(attended: Company) -> None:
    require(attended, 1, "alice")
    (attended.home / "checkpoint").unlink()
    refused(attended)
    assert not (attended.home / "checkpoint").exists()


def test_nobody_else_demands_what_this_home_demands(watched: Company) -> None:
    with writing_of(watched) as connection:
        connection.execute(sa.delete(cosignatures))
    refused(watched)
    (watched.home / "witnesses").unlink()
    judged(watched)


def test_a_version_that_came_after_the_witnesses(watched: Company, tiny: Path) -> None:
    watched.publish(tiny)
    step, error = refused(watched)
    assert (step, error.message) == (
        "3 (inclusion)",
        "the version is newer than what enough witnesses have seen",
    )
    judged(watched, f"{MODEL}:1")
    cosign(watched, "carol")
    refused(watched)  # two have seen it only when a second one has
    cosign(watched, "bob")
    judged(watched)


def test_an_alias_that_was_moved_after_the_witnesses(watched: Company) -> None:
    with watched.open() as context:
        catalog.alias(context, f"{MODEL}:1", "prod")
    assert refused(watched, f"{MODEL}:prod")[0] == "3 (inclusion)"
    cosign(watched, "alice")
    cosign(watched, "bob")
    judged(watched, f"{MODEL}:prod")


def test_a_cosignature_that_was_replaced(watched: Company) -> None:
    with watched.open() as context:
        key = witnessing.key_of(context).public
    change(watched, key.name, line=notes.Signature(key.name, key.key_id, bytes(72)).line)
    step, error = refused(watched)
    assert (step, error.message) == ("2 (checkpoint)", "a cosignature does not verify")


def test_a_cosignature_that_was_deleted(watched: Company) -> None:
    with writing_of(watched) as connection:
        connection.execute(sa.delete(cosignatures).where(cosignatures.c.name.endswith("/bob")))
    assert refused(watched)[1].on == "1 of 3 have: alice"


def test_an_unknown_witness_is_ignored(watched: Company) -> None:
    with watched.open() as context:
        witnessing.witness(context, OUTSIDE, watched.root / "outside")
    judged(watched)


def test_two_histories_and_one_witness(watched: Company) -> None:
    """Whoever runs the ledger shows the witnesses one history, and a client another one."""
    other = copied(watched, watched.root.with_name("twin"))
    grow(watched)
    grow(other)
    cosign(watched, "alice")
    cosign(watched, "bob")
    with watched.open() as context, reading(context.engine) as connection:
        rows = [dict(row._mapping) for row in connection.execute(sa.select(cosignatures))]
    with writing_of(other) as connection:
        connection.execute(sa.delete(cosignatures))
        connection.execute(sa.insert(cosignatures), rows)
    step, error = refused(other)
    assert (step, error.message) == ("2 (checkpoint)", "the ledger is not the one that its witnesses saw")
    shutil.rmtree(other.root / "alice.cosigned")
    shutil.copytree(watched.root / "alice.cosigned", other.root / "alice.cosigned")
    with pytest.raises(BadCheckpoint, match="rewritten"):
        cosign(other, "alice")
    with other.open() as context, pytest.raises(BadCheckpoint, match="rewritten"):
        witnesses.add(context, f"{rows[-1]['note']}{rows[-1]['line']}\n")


def test_a_push_that_came_before_the_law_it_stands_on(attended: Company) -> None:
    """The ledger's keeper puts the push first, and lets witnesses see that much only."""
    require(attended, 1, "alice")
    with attended.open() as context, writing(context.engine) as connection:
        *before, law, push = [entry.envelope for entry in ledger.entries(connection)]
        for table in (tables.nodes, tables.acts):
            connection.execute(sa.delete(table))
        connection.execute(sa.update(tables.head).values(size=0, note=""))
        connection.execute(sa.update(tables.versions).values(seq=len(before)))
        keep = context.authority
        for number, envelope in enumerate([*before, push, law]):
            act = acts.decode(dsse.Envelope.from_bytes(envelope).payload)
            ledger.append(connection, act, envelope, keep.key, keep.registry_id)
            if number == len(before):
                row = row_of_tree(context, connection)
    with writing_of(attended) as connection:
        cosigned_rows.put(connection, row)
    (attended.home / "checkpoint").unlink()
    step, error = refused(attended)
    assert (step, error.message) == (
        "4 (authority)",
        "the version is newer than what enough witnesses have seen",
    )


def test_a_witness_of_a_ledger_that_was_rolled_back(watched: Company) -> None:
    """An old database is put back, and the cosignatures are kept: a client that remembers nothing sees it."""
    database = watched.home / "registry.db"
    shutil.copy(database, watched.root / "old.db")
    grow(watched)
    cosign(watched, "alice")
    with watched.open() as context, reading(context.engine) as connection:
        kept = [dict(row._mapping) for row in connection.execute(sa.select(cosignatures))]
    for name in ("registry.db-wal", "registry.db-shm"):
        (watched.home / name).unlink(missing_ok=True)
    shutil.copy(watched.root / "old.db", database)
    (watched.home / "checkpoint").unlink()
    with writing_of(watched) as connection:
        connection.execute(sa.delete(cosignatures))
        connection.execute(sa.insert(cosignatures), kept)
    assert refused(watched)[1].message == "the ledger is shorter than its witnesses saw it"


def test_a_cosignature_of_the_future_is_refused(attended: Company) -> None:
    require(attended, 1, "alice")
    attended.late = timedelta(hours=1)
    cosign(attended)
    attended.late = timedelta(0)
    assert refused(attended)[1].message == "a cosignature is of the future"


def test_a_post_quantum_witness(attended: Company) -> None:
    vkeys = [vkey(attended, "alice", MLDSA44), vkey(attended, "alice")]
    with attended.open() as context:
        witnesses.require(context, 2, vkeys)
    cosign(attended)
    assert refused(attended)[1].on == "1 of 2 have: alice#2"
    cosign(attended, kind=MLDSA44)
    judged(attended)


def test_a_report_of_the_demand(watched: Company) -> None:
    with watched.open() as context:
        found = witnesses.report(context)
        assert found.trouble == ""
        assert [one.size for one in found.standings] == [found.size, found.size, 0]
        assert found.witnessed == found.size
        witnesses.demand(context, Policy.parse(b"quorum none\n"))
        assert witnesses.report(context).policy is None
    require(watched, 3, "alice", "bob", "carol")
    with watched.open() as context:
        assert "not enough witnesses" in witnesses.report(context).trouble


@pytest.mark.parametrize("text", [b"", b"quorum w1\n", b"\xff\x00"])
def test_a_damaged_demand_is_no_permission(watched: Company, text: bytes) -> None:
    (watched.home / "witnesses").write_bytes(text)
    with pytest.raises(InvalidInput):
        judged(watched)


def test_a_demand_for_another_ledger(watched: Company, tmp_path: Path) -> None:
    other = Company(tmp_path / "other")
    require(other, 1, "alice")
    shutil.copy(other.home / "witnesses", watched.home / "witnesses")
    assert refused(watched)[1].message == "the witness policy is for another ledger"
    policy = cosigned.demanded(other.home / "witnesses")
    assert policy
    with watched.open() as context, pytest.raises(InvalidInput, match="another ledger"):
        witnesses.demand(context, policy)
