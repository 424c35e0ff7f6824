"""Attacks on the database by values of another type: SQLite keeps text where a number belongs, and bytes."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from registry.errors import Untrusted
from registry.records import tables
from support import cells
from support.attacks import findings, refused
from support.victim import Victim


def _write(victim: Victim, column: sa.Column[object], value: str) -> None:
    table = column.table
    assert isinstance(table, sa.Table)
    row = cells.subject(victim, table)
    keys = " AND ".join(f'"{key.name}" = {row[key.name]!r}' for key in table.primary_key)
    victim.execute(sa.text(f'UPDATE "{table.name}" SET "{column.name}" = {value} WHERE {keys}'))


ATTACKS = {
    "versions.seq": ("'forged'", 5, "malformed"),
    "versions.size": ("1.5", 5, "malformed"),
    "versions.digest": ("x'00ff'", 5, "malformed"),
    "versions.bundle": ("'forged'", 5, "malformed"),
    "versions.label": ("CAST(x'ff' AS TEXT)", 5, "bad-reference"),
    "aliases.seq": ("'forged'", 5, "malformed"),
    "files.size": ("'forged'", 5, "malformed"),
    "files.sha256": ("0.5", 5, "bad-reference"),
    "sealed.ciphertext": ("7", 5, "malformed"),
    "head.size": ("'forged'", 5, "malformed"),
    "head.note": ("x'ff'", 5, "malformed"),
    "nodes.hash": ("'forged'", 5, "malformed"),
    "acts.envelope": ("'forged'", 5, "malformed"),
    "quantized_tensors.bits": ("'eight'", 5, "malformed"),
}


def _fsck(victim: Victim) -> bool:
    """Whether fsck finds it, or cannot go on for it."""
    try:
        return bool(findings(victim))
    except Untrusted:
        return True


@pytest.mark.parametrize("victim", ["sqlite+directory"], indirect=True)  # PostgreSQL checks what it is given
@pytest.mark.parametrize("name", ATTACKS)
def test_a_value_of_another_type_is_refused(victim: Victim, name: str) -> None:
    table, _, column = name.partition(".")
    value, step, code = ATTACKS[name]
    _write(victim, tables.metadata.tables[table].columns[column], value)
    refused(victim, step, code)
    assert _fsck(victim)
