"""A whole database into another: every table, as it is. What PostgreSQL is given is what SQLite has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from registry.records import tables
from registry.records.database import reading

_STREAMED = 5_000  # rows


def copy(source: sa.Engine, target: sa.Engine) -> None:
    """Copy all tables into ``target``, a PostgreSQL database of this schema whose tables are empty."""
    with reading(source) as old, target.connect() as new, new.begin():
        for table in tables.metadata.sorted_tables:
            rows = old.execution_options(yield_per=_STREAMED).execute(sa.select(table))
            _fill(new.connection.driver_connection, table, rows)


def _fill(driver: Any, table: sa.Table, rows: Iterable[Any]) -> None:
    names = ", ".join(f'"{name}"' for name in table.columns.keys())  # noqa: SIM118
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as into:
        for row in rows:
            into.write_row(tuple(row))
