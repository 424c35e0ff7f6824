"""Attacks on the database, row by row: rows deleted, and rows that no act wrote."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from registry.records import tables
from support import cells
from support.attacks import Refusal, absent, denied, found, reads_as_before, refused
from support.victim import REF, Victim

_EDITED = Refusal(5, "bad-reference")
_NO_PROOF = Refusal(3, "bad-proof")

_LAW = ("members", "keys", "disabled", "teams", "team_members", "grants", "policies", "vaults", "shares")
_AUDIT = ("events", "sayings", "activity", "parents")
"""Tables that no decision reads: who may do what, and what happened, is replayed from the acts."""
_BESIDE = (tables.leases, tables.tallies, tables.cosignatures)

DELETED: dict[str, Refusal | str] = {
    "acts": _NO_PROOF,
    "nodes": _NO_PROOF,
    "head": Refusal(2, "bad-checkpoint"),
    "namespaces": "passes",  # no checkout reads it
    "models": "not-found",
    "versions": "not-found",
    "aliases": "not-found",
    "yanks": "yanked",  # by the yank act itself
    "leases": "passes",  # no part of the ledger
    "tallies": "passes",
    "sealed": Refusal(5, "bad-encryption"),
    "cosignatures": "passes",
    **dict.fromkeys((*_LAW, *_AUDIT), "as-before"),
}
_ENDS = {
    "as-before": lambda victim, ref: reads_as_before(victim),
    "passes": lambda victim, ref: victim.passes(ref),
    "not-found": absent,
    "yanked": lambda victim, ref: denied(victim, 7, "yanked", ref),
}


@pytest.mark.parametrize("name", tables.metadata.tables)
def test_a_deleted_row_is_refused_or_missed(victim: Victim, name: str) -> None:
    table = tables.metadata.tables[name]
    victim.execute(sa.delete(table).where(cells.at(table, cells.subject(victim, table))))
    verdict, ref = DELETED.get(name, _EDITED), cells.reference(table)
    if isinstance(verdict, Refusal):
        refused(victim, verdict.step, verdict.code, ref)
    else:
        _ENDS[verdict](victim, ref)
    if table in tables.PROJECTION:
        assert found(victim, f"{name} ") == {"row-missing"}
    elif table not in _BESIDE:
        assert found(victim, "", blobs=table is tables.sealed)


FORGED: dict[str, tuple[dict[str, Any], Refusal | str, str]] = {
    # the values that differ from the row under attack; what becomes of it; the reference asked for
    "acts": ({"seq": 100, "digest": "0" * 64}, _NO_PROOF, REF),
    "nodes": ({"level": 30}, "passes", REF),  # no proof asks for it
    "head": ({"id": 2}, "passes", REF),  # there is one head, and it is not this row
    "sealed": ({"sha256": "0" * 64}, "passes", REF),  # nothing names it
    "members": ({"name": "mallory", "role": "admin"}, "as-before", REF),
    "keys": ({"keyid": "0" * 64, "name": "alice"}, "as-before", REF),
    "disabled": ({"name": "alice"}, "as-before", REF),
    "teams": ({"team": "forged"}, "as-before", REF),
    "team_members": ({"name": "frank"}, "as-before", REF),
    "grants": ({"grantee": "frank", "until": None}, "as-before", REF),
    "policies": ({"seq": 1000, "text": "forbid (principal, action, resource);"}, "as-before", REF),
    "vaults": ({"epoch": 3}, "as-before", REF),
    "shares": ({"recipient": "frank"}, "as-before", REF),
    "tallies": ({"member": "alice", "told": 1000}, "passes", REF),
    "namespaces": ({"name": "forged"}, "passes", REF),
    "models": ({"model": "vision/forged"}, "not-found", "vision/forged"),
    "blobs": ({"id": "forged", "content": "0" * 64}, "passes", REF),  # no file of the version is in it
    "versions": ({"number": 9, "label": "forged"}, _EDITED, "vision/net:9"),
    "version_metadata": ({"name": "forged"}, _EDITED, REF),
    "files": ({"path": "forged"}, _EDITED, REF),
    "aliases": ({"name": "forged"}, _EDITED, "vision/net:forged"),
    "yanks": ({"number": 2}, _EDITED, REF),
    "attestations": ({"position": 1}, _EDITED, REF),
    "quantization": ({"path": "forged.onnx"}, _EDITED, REF),
    "opsets": ({"domain": "forged"}, _EDITED, REF),
    "quantized_tensors": ({"position": 100}, _EDITED, REF),
    "leases": ({"push": "0" * 32}, "passes", REF),
    "events": ({"seq": 1000}, "as-before", REF),
    "sayings": ({"saying": 1000, "sha256": "0" * 64}, "as-before", REF),
    "activity": ({"member": "forged"}, "as-before", REF),
    "parents": ({"position": 7}, "as-before", REF),
    "cosignatures": ({"name": "forged"}, "passes", REF),
}


@pytest.mark.parametrize("name", tables.metadata.tables)
def test_a_forged_row_is_refused_or_ignored(victim: Victim, name: str) -> None:
    table = tables.metadata.tables[name]
    values, verdict, ref = FORGED[name]
    victim.execute(sa.insert(table).values({**cells.subject(victim, table), **values}))
    if isinstance(verdict, Refusal):
        refused(victim, verdict.step, verdict.code, ref)
    else:
        _ENDS[verdict](victim, ref)
    if table in tables.PROJECTION:
        assert found(victim, f"{name} ") == {"row-forged"}
    elif table not in _BESIDE:
        assert found(victim, "", blobs=table is tables.sealed)


def test_a_forged_newest_version_is_refused(victim: Victim) -> None:
    """Asked for without a number, the registry would hand out the forged row's version."""
    row = {**cells.subject(victim, tables.versions), "number": 9, "label": None}
    victim.execute(sa.insert(tables.versions).values(row))
    refused(victim, 5, "bad-reference", "vision/net")


def test_a_version_row_led_to_an_older_push_is_refused(victim: Victim) -> None:
    """Every cell of version 1 under the number 2: the older model, genuine in all its parts."""
    for table in (tables.files, tables.versions):
        older = [
            row for row in victim.rows[table.name] if row["model"] == "vision/net" and row["number"] == 1
        ]
        where = sa.and_(table.c.model == "vision/net", table.c.number == 2)
        victim.execute(sa.delete(table).where(where))
        victim.execute(*(sa.insert(table).values({**row, "number": 2}) for row in older))
    refused(victim, 5, "bad-reference")


def test_rows_beyond_the_head_stop_the_door(victim: Victim) -> None:
    """A tree node where the next act will write: nothing is appended beside it."""
    size = victim.rows["head"][0]["size"]
    victim.execute(sa.insert(tables.nodes).values(level=0, position=size, hash=b"\0" * 32))
    refused(victim, 8, "bad-proof")
    assert victim.read()["head"] == victim.rows["head"]
