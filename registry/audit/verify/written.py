"""The rows that an act writes, and those that it removes, as plain lists: they go from process to process."""

from __future__ import annotations

from typing import Any, Final

from registry import acts
from registry.acts import Act
from registry.records import projection, tables
from registry.records.law_rows import Row

# Events and what is counted from them are compared where the acts are read, or by the database.
TABLES: Final = tuple(
    table for table in tables.PROJECTION if table not in (tables.events, tables.sayings, tables.activity)
)
_NUMBERS: Final = {table.name: number for number, table in enumerate(TABLES)}
_COLUMNS: Final = {table.name: tuple(table.columns.keys()) for table in TABLES}
_KEYS: Final = {table.name: tuple(table.primary_key.columns.keys()) for table in TABLES}
Written = tuple[int, bool, list[Any]]  # a table's number, whether it is a new row, its values or its key


def written(act: Act, seq: int) -> list[Written]:
    """What admitting ``act`` as entry ``seq`` changes in the tables, in order. Raises Malformed."""
    if isinstance(act.body, acts.Pull | acts.Refusal):
        return []
    gone = [_written(row, _KEYS, False) for row in projection.removed(act)]
    return gone + [_written(row, _COLUMNS, True) for row in projection.rows(act, seq)]


def _written(row: Row, names: dict[str, tuple[str, ...]], new: bool) -> Written:
    name = row.table.name
    return _NUMBERS[name], new, [row.values[column] for column in names[name]]
