"""The tables as the acts write them, in a database of this process's own, and the registry's beside them.

The scratch database is SQLite's nameless one: in memory as long as it is small, and beyond that in a file
without a name. Both sides are read in the order of their keys, so no table has to fit anywhere.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from registry.audit.verify.comparing import differing, ordered, shown
from registry.audit.verify.finding import Finding
from registry.audit.verify.source import Source
from registry.audit.verify.written import TABLES, Written

_TWICE: Final = "another act wrote it before"
_REPLACED: Final = frozenset({"aliases", "grants", "shares", "blobs"})  # the newest act's row counts


class Scratch:
    """Takes what acts write, in the ledger's order. Close it."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in ("synchronous=OFF", "journal_mode=MEMORY", "foreign_keys=OFF", "cache_size=-32000"):
            self._base.execute(f"PRAGMA {pragma}")
        for table in TABLES:
            self._base.execute(str(CreateTable(table).compile(dialect=sqlite.dialect())))
        self._base.execute("BEGIN")
        self._insert = [_insert(table) for table in TABLES]
        self._delete = [_delete(table) for table in TABLES]

    def close(self) -> None:
        self._base.close()

    def take(self, rows: Iterable[Written]) -> Iterator[Finding]:
        """Apply rows in their order; a finding for each that cannot be there with those before it."""
        waiting: dict[int, list[list[Any]]] = {}
        for number, new, values in rows:
            if new:
                waiting.setdefault(number, []).append(values)
            else:  # what it removes may be waiting
                yield from self._put(number, waiting.pop(number, []))
                self._base.execute(self._delete[number], values)
        for number, some in waiting.items():
            yield from self._put(number, some)

    def _put(self, number: int, values: list[list[Any]]) -> Iterator[Finding]:
        self._base.execute("SAVEPOINT several")
        try:
            self._base.executemany(self._insert[number], values)
        except sqlite3.IntegrityError:
            self._base.execute("ROLLBACK TO several")
            yield from self._one_by_one(number, values)
        self._base.execute("RELEASE several")

    def _one_by_one(self, number: int, values: list[list[Any]]) -> Iterator[Finding]:
        for one in values:
            try:
                self._base.execute(self._insert[number], one)
            except sqlite3.IntegrityError:
                row = dict(zip(TABLES[number].columns.keys(), one, strict=True))
                key = [row[column.name] for column in TABLES[number].primary_key]
                yield Finding("replay-failed", f"{TABLES[number].name} {shown(key)}", _TWICE)

    def compare(self, source: Source) -> Iterator[Finding]:
        """Every table of ``source`` against what the acts wrote."""
        yield from self._dangling()
        for table in TABLES:
            names, keys = table.columns.keys(), table.primary_key.columns.keys()
            found = source.stream(ordered(table, source.bytewise))
            yield from differing(table.name, names, keys, found, self._base.execute(ordered(table, "")))

    def _dangling(self) -> Iterator[Finding]:
        """Acts that speak of what no act has made."""
        for name, row, parent, _ in self._base.execute("PRAGMA foreign_key_check"):
            table = next(table for table in TABLES if table.name == name)
            columns = ", ".join(f'"{column.name}"' for column in table.primary_key)
            key = self._base.execute(f'SELECT {columns} FROM "{name}" WHERE rowid = ?', (row,)).fetchone()
            yield Finding("replay-failed", f"{name} {shown(key)}", f"what it belongs to is not in {parent}")


def _insert(table: sa.Table) -> str:
    marks = ", ".join("?" * len(table.columns))
    statement = f'INSERT INTO "{table.name}" VALUES ({marks})'
    if table.name not in _REPLACED:
        return statement
    keys = table.primary_key.columns.keys()
    new = [name for name in table.columns.keys() if name not in keys]  # noqa: SIM118
    named = ", ".join(f'"{name}"' for name in keys)
    return f"{statement} ON CONFLICT ({named}) DO UPDATE SET " + ", ".join(
        f'"{n}" = excluded."{n}"' for n in new
    )


def _delete(table: sa.Table) -> str:
    return f'DELETE FROM "{table.name}" WHERE ' + " AND ".join(
        f'"{key.name}" = ?' for key in table.primary_key
    )
