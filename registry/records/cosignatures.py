"""The witnesses' cosignatures beside the ledger: each says that somebody saw this tree, and saw it grow only.

No act says what is here, and nobody believes it: a client verifies each line against the witnesses that it
pins. What a row loses or gains, the client misses or refuses.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy import BigInteger, Index, String, Table, Text

from registry.records.columns import col, key, metadata

NAME = 255  # characters of a witness's name

cosignatures = Table(
    "cosignatures",
    metadata,
    key("name", String(NAME)),  # the witness's key name, as in the note signature
    key("key", String(8)),  # its key id, hexadecimal
    key("size", BigInteger),  # of the tree that it saw
    col("note", Text),  # that tree's checkpoint as the ledger signed it, without cosignatures
    col("line", Text),  # the cosignature: one note signature line, without its newline
    Index(None, "size"),
)


@dataclass(frozen=True)
class Row:
    """One cosignature as the table has it."""

    name: str
    key: str
    size: int
    note: str
    line: str


def put(connection: sa.Connection, row: Row) -> None:
    """Keep a cosignature, in the place of an earlier one of that witness on a tree of that size."""
    table = cosignatures
    same = sa.and_(table.c.name == row.name, table.c.key == row.key, table.c.size == row.size)
    connection.execute(sa.delete(table).where(same))
    connection.execute(sa.insert(table), asdict(row))


def newest(connection: sa.Connection, name: str, key: str) -> Row | None:
    """A witness's cosignature on the largest tree."""
    table = cosignatures
    query = sa.select(table).where(table.c.name == name, table.c.key == key)
    row = connection.execute(query.order_by(table.c.size.desc()).limit(1)).first()
    return Row(**row._mapping) if row else None


def witnesses(connection: sa.Connection, limit: int = 64) -> list[tuple[str, str]]:
    """Who has cosigned: names and key ids."""
    query = sa.select(cosignatures.c.name, cosignatures.c.key).distinct()
    rows = connection.execute(query.order_by(cosignatures.c.name, cosignatures.c.key).limit(limit))
    return [(name, key) for name, key in rows]


def at(connection: sa.Connection, size: int, limit: int = 64) -> list[Row]:
    """The cosignatures on the tree of one size."""
    query = sa.select(cosignatures).where(cosignatures.c.size == size)
    rows = connection.execute(query.order_by(cosignatures.c.name, cosignatures.c.key).limit(limit))
    return [Row(**row._mapping) for row in rows]
