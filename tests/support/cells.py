"""The cells that the tamper suite changes: one row of each table, and another value for each column."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from registry import acts
from registry.crypto.sealing import SUITES
from registry.records import tables
from support.attacks import flipped, turned
from support.victim import MODEL, VERSION, YANKED, Victim

_VERSION = {"model": MODEL, "number": VERSION}
_GRAPH = {**_VERSION, "path": "model.onnx"}

SUBJECTS: dict[str, dict[str, Any]] = {
    "acts": {**_VERSION, "kind": "push"},
    "nodes": {"level": 1, "position": 5},  # on the way from the push, entry 9, to the root
    "head": {},
    "sealed": {},  # the weights' key
    "members": {"name": "bob"},
    "keys": {"name": "bob"},
    "disabled": {},
    "teams": {},
    "team_members": {},
    "grants": {"grantee": "carol"},
    "policies": {},
    "vaults": {"vault": MODEL, "epoch": 2},
    "shares": {"vault": MODEL, "epoch": 2, "recipient": "carol"},
    "tallies": {},
    "namespaces": {},
    "models": {"model": MODEL},
    "blobs": {"model": MODEL},  # and the id, of the weights
    "versions": _VERSION,
    "version_metadata": _VERSION,
    "files": {**_VERSION, "path": "weights.data"},
    "aliases": {"name": "prod"},
    "yanks": {"number": 3},
    "attestations": {**_VERSION, "type": acts.QUANTIZATION},
    "quantization": _GRAPH,
    "opsets": _GRAPH,
    "quantized_tensors": {**_GRAPH, "position": 0},
    "leases": {},
    "events": {"seq": 0},
    "sayings": {"saying": 0},
    "activity": {"action": "genesis"},
    "parents": {},
    "cosignatures": {},
}
"""The row of each table that concerns the version under test, by values that single it out."""

_WORDS = {
    "push": "pull",
    "pull": "grant",
    "member": "admin",
    acts.BLOB_FORMAT: "tink-aes128-gcm-hkdf-1mb",
    SUITES[0]: SUITES[1],
    acts.QUANTIZATION: acts.QUANTIZATION.replace("quantization", "lineage"),
    "static": "dynamic",
    "weight-only": "dynamic",
    "qdq": "qoperator",
    "QDQ": "QOperator",
    "per-tensor": "per-channel",
    "per-channel": "per-tensor",
    "weight": "activation",
    "int8": "uint8",
    "INT8": "UINT8",
}


def columns() -> list[sa.Column[Any]]:
    """Every column of every table: a new one has to be given a verdict."""
    return [column for table in tables.metadata.sorted_tables for column in table.columns]


def subject(victim: Victim, table: sa.Table) -> dict[str, Any]:
    """The row under attack."""
    where = SUBJECTS[table.name]
    if table is tables.blobs:
        where = {"id": victim.blob("weights.data")}
    if table is tables.sealed:
        blob = victim.row(tables.blobs, id=victim.blob("weights.data"))
        where = {"sha256": blob["sealed"]}
    return victim.row(table, **where)


def reference(table: sa.Table) -> str:
    """What is asked for: the version under test, or for a yank the yanked one."""
    return YANKED if table is tables.yanks else f"{MODEL}:prod"


def kind_of(column: sa.Column[Any]) -> Any:
    """The type that the database knows, whatever guards it."""
    return getattr(column.type, "impl", column.type)


def other(column: sa.Column[Any], value: Any) -> Any:
    """Another value that looks as right as ``value``."""
    if value == "":
        return "forged"
    if value is None:
        return 1 if isinstance(kind_of(column), sa.Integer | sa.Boolean) else "forged"
    if isinstance(kind_of(column), sa.Boolean):
        return not value
    if isinstance(value, bytes):
        return flipped(value)
    if isinstance(value, int):
        return value + (1000 if column.primary_key else 1)
    if value in _WORDS:
        return _WORDS[value]
    return turned(value, -2 if value.endswith(("Z", "\n")) else -1)


def at(table: sa.Table, row: dict[str, Any]) -> sa.ColumnElement[bool]:
    """The condition that selects a row."""
    return sa.and_(*(column == row[column.name] for column in table.primary_key))


def change(victim: Victim, column: sa.Column[Any], value: Any) -> None:
    """Write ``value`` into the column of the row under attack."""
    table = column.table
    assert isinstance(table, sa.Table)
    row = subject(victim, table)
    assert row[column.name] != value
    victim.execute(sa.update(table).where(at(table, row)).values({column.name: value}))
