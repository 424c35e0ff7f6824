"""Attacks on the database, column by column: a value changed in the row of the version under test.

The columns come from the tables themselves. One that is not named below must be refused at step 5, so a
new column has its verdict before anybody thinks of it, and has to earn an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from registry.records import tables
from support import cells
from support.attacks import Refusal, absent, denied, findings, found, reads_as_before, refused
from support.victim import Victim

_EDITED = Refusal(5, "bad-reference")
_NO_PROOF = Refusal(3, "bad-proof")
_NO_KEY = Refusal(5, "bad-encryption")


@dataclass(frozen=True)
class Exempt:
    """A column whose change no checkout calls forged: why, and what happens instead."""

    reason: str
    ends: str  # "passes", "not-found" or "yanked"
    fsck: bool = True  # whether fsck finds it


@dataclass(frozen=True)
class Projected:
    """A column that no decision reads, for what it tells is replayed from the acts themselves: a change lets
    nobody in and keeps nobody out, and fsck names it."""

    reason: str


_INDEX = Exempt("an index for finding acts: a checkout takes everything from the envelope", "passes")
_FOUND_BY = Exempt("what the version is found by: it is not found", "not-found")
_UNREAD = Exempt("names a namespace for lists; no checkout reads it", "passes")
_STAYS = Exempt("the yank act itself still withdraws the version", "yanked")
_TALLY = Exempt(
    "counts refusals for the record: the most it decides is which of them are told", "passes", fsck=False
)
_LAW = {
    tables.members: "a role is what the act says that enrolled the member",
    tables.keys: "a member's keys are what their own signed statement in an act says",
    tables.disabled: "access ends by an act",
    tables.teams: "a team is there by an act",
    tables.team_members: "who is in a team is told by acts",
    tables.grants: "a right is what the acts granted and did not revoke, until the time in the act",
    tables.policies: "the policies in force are the text of an act",
    tables.vaults: "a vault's public half and epoch are what the act says that began it",
    tables.shares: "which sealed key leads on is what the act says that handed it over",
    tables.events: "for questions; what happened is what the act says",
    tables.sayings: "for searching; what was said is in the acts",
    tables.activity: "for counting; the events are counted anew",
    tables.parents: "for finding kin; what is said of them is the signed statement",
}
_COSIGNED = Exempt("no act says it, and no client that asks for no witness reads it", "passes", fsck=False)
_LEASE = Exempt("work under way, no part of the ledger; only gc reads it", "passes", fsck=False)

Verdict = Refusal | Exempt | Projected
VERDICTS: dict[str, Verdict] = {
    "acts.seq": _NO_PROOF,
    "acts.kind": _INDEX,
    "acts.digest": _INDEX,
    "acts.actor": _INDEX,
    "acts.time": _INDEX,
    "acts.model": _INDEX,
    "acts.number": _INDEX,
    "acts.target": _INDEX,
    "acts.envelope": _NO_PROOF,
    "nodes.level": _NO_PROOF,
    "nodes.position": _NO_PROOF,
    "nodes.hash": _NO_PROOF,
    "head.id": Refusal(2, "bad-checkpoint"),
    "head.size": _NO_PROOF,
    "head.note": Refusal(2, "bad-checkpoint"),
    "namespaces.name": _UNREAD,
    "namespaces.seq": _UNREAD,
    "models.model": _FOUND_BY,
    "versions.model": _FOUND_BY,
    "versions.number": _FOUND_BY,
    "versions.seq": Refusal(4, "bad-reference"),  # it leads to another act, which is no push
    "aliases.model": _FOUND_BY,
    "aliases.name": _FOUND_BY,
    "attestations.seq": _NO_PROOF,  # there is no such act
    "blobs.sealed": _NO_KEY,  # it names a sealed key there is not
    "sealed.sha256": _NO_KEY,
    "sealed.ciphertext": _NO_KEY,
    "yanks.model": _STAYS,
    "yanks.number": _STAYS,
    **{f"leases.{column.name}": _LEASE for column in tables.leases.columns},
    **{f"cosignatures.{column.name}": _COSIGNED for column in tables.cosignatures.columns},
    **{f"tallies.{column.name}": _TALLY for column in tables.tallies.columns},
    **{
        f"{table.name}.{column.name}": Projected(reason)
        for table, reason in _LAW.items()
        for column in table.c
    },
}

_LEDGER = {table.name for table in tables.LEDGER}


def _name(column: sa.Column[Any]) -> str:
    return f"{column.table.name}.{column.name}"


def test_every_verdict_is_of_a_column_there_is() -> None:
    assert VERDICTS.keys() <= {_name(column) for column in cells.columns()}
    assert all(verdict.reason for verdict in VERDICTS.values() if not isinstance(verdict, Refusal))


def test_every_table_has_a_row_under_attack(victim: Victim) -> None:
    for table in tables.metadata.sorted_tables:
        assert cells.subject(victim, table)


def test_an_untouched_database_passes(victim: Victim) -> None:
    victim.passes()
    assert findings(victim) == ()


@pytest.mark.parametrize("column", cells.columns(), ids=_name)
def test_a_changed_column_is_refused_or_harmless(victim: Victim, column: sa.Column[Any]) -> None:
    table = column.table
    assert isinstance(table, sa.Table)
    verdict, ref = VERDICTS.get(_name(column), _EDITED), cells.reference(table)
    cells.change(victim, column, cells.other(column, cells.subject(victim, table)[column.name]))
    if isinstance(verdict, Refusal):
        refused(victim, verdict.step, verdict.code, ref)
    elif isinstance(verdict, Projected):
        reads_as_before(victim)
    else:
        ENDS[verdict.ends](victim, ref)
    _fsck_finds(victim, column, verdict)


def _fsck_finds(victim: Victim, column: sa.Column[Any], verdict: Verdict) -> None:
    if isinstance(verdict, Exempt) and not verdict.fsck:
        assert findings(victim, blobs=False) == ()
        return
    table = column.table.name
    if table in _LEDGER:
        assert findings(victim, blobs=False)
    elif table == "sealed":
        lost = {"key-missing", "key-left", "key-changed"} if column.primary_key else {"key-changed"}
        assert {one.code for one in findings(victim)} == lost
    elif column.primary_key:
        assert found(victim, f"{table} ") == {"row-missing", "row-forged"}
    else:
        assert "row-differs" in found(victim, _name(column))


ENDS = {
    "passes": lambda victim, ref: victim.passes(ref),
    "not-found": absent,
    "yanked": lambda victim, ref: denied(victim, 7, "yanked", ref),
}

MOVED: dict[str, tuple[str, dict[str, Any]]] = {  # what was found by a column, asked for where it is now
    "versions.model": ("vision/other:2", {"model": "vision/other"}),
    "versions.number": ("vision/net:9", {"number": 9}),
    "aliases.model": ("vision/other:prod", {"model": "vision/other", "number": 1}),
    "aliases.name": ("vision/net:stable", {"name": "stable"}),
}


@pytest.mark.parametrize("column", MOVED)
def test_what_was_moved_is_refused_where_it_is_now(victim: Victim, column: str) -> None:
    table = tables.metadata.tables[column.partition(".")[0]]
    ref, values = MOVED[column]
    row = cells.subject(victim, table)
    victim.execute(sa.update(table).where(cells.at(table, row)).values(values))
    refused(victim, 5, "bad-reference", ref)


def test_a_model_row_moved_to_another_name_is_refused_there(victim: Victim) -> None:
    """With the versions moved along, so that something is found."""
    for table in (tables.models, tables.versions):
        victim.execute(sa.update(table).where(table.c.model == "vision/net").values(model="vision/copy"))
    refused(victim, 5, "bad-reference", "vision/copy:2")
