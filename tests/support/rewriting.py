"""A ledger rewritten by whoever has the database and the ledger's key: other entries, and a tree to match."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from registry import ledger
from registry.context import Context
from registry.crypto import merkle
from registry.crypto.checkpoint import Checkpoint, origin_of, sign_checkpoint
from registry.records import tables
from registry.records.database import reading, writing


def rewrite(context: Context, entries: Mapping[int, bytes]) -> None:
    """Put these envelopes in the places of others; every hash and the checkpoint are made anew."""
    with writing(context.engine) as connection:
        for seq, envelope in entries.items():
            where = tables.acts.c.seq == seq
            connection.execute(sa.update(tables.acts).where(where).values(envelope=envelope))
        nodes: dict[tuple[int, int], bytes] = {}
        size = 0
        for size, entry in enumerate(ledger.entries(connection), 1):
            leaf = merkle.leaf_hash(entry.envelope)
            for level, at, node in merkle.appended_nodes(size - 1, leaf, lambda _: nodes):
                nodes[level, at] = node
        connection.execute(sa.delete(tables.nodes))
        rows = [{"level": level, "position": at, "hash": node} for (level, at), node in nodes.items()]
        connection.execute(sa.insert(tables.nodes), rows)
        root = merkle.root(size, lambda _: nodes)
        note = sign_checkpoint(
            Checkpoint(origin_of(context.config.registry_id), size, root), context.authority.key
        )
        connection.execute(sa.update(tables.head).values(size=size, note=note))


def envelope(context: Context, seq: int) -> bytes:
    """An entry as it is."""
    with reading(context.engine) as connection:
        return ledger.entry(connection, seq).envelope


def execute(context: Context, statement: str, *values: Any) -> None:
    """Change the database past every check."""
    with context.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql(statement, values)
        connection.commit()


def first(context: Context, kind: str, after: int = 0) -> int:
    """The entry of the first act of a kind after an entry."""
    query = sa.select(sa.func.min(tables.acts.c.seq)).where(
        tables.acts.c.kind == kind, tables.acts.c.seq > after
    )
    with reading(context.engine) as connection:
        return int(connection.execute(query).scalar_one())
