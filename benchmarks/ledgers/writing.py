"""Signed entries into a SQLite database, under one checkpoint, and the tables that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from benchmarks.ledgers.signing import BATCH, LEVELS, Node, Signed
from registry import ledger, replay
from registry.crypto import merkle
from registry.crypto.checkpoint import Checkpoint, LedgerKey, origin_of, sign_checkpoint
from registry.records import tables
from registry.records.database import writing

_TOGETHER = 5_000  # rows of sealed keys


class Tree:
    """The nodes above the batches', and what is needed of those below for the newest root."""

    def __init__(self) -> None:
        self._nodes: dict[ledger.Place, bytes] = {}
        self.size = 0

    def add(self, signed: Signed) -> list[Node]:
        """All nodes that a batch completes."""
        added, full = list(signed.nodes), len(signed.entries) == BATCH
        # The last batch may be smaller: then its own subtrees lead to the root.
        needed = [node for node in signed.nodes if node.level == LEVELS or not full]
        self._nodes |= {(node.level, node.position): node.hash for node in needed}
        self.size += len(signed.entries)
        level, count = LEVELS, self.size >> LEVELS
        while full and count % 2 == 0:
            level, count = level + 1, count // 2
            left, right = self._nodes[level - 1, 2 * count - 2], self._nodes[level - 1, 2 * count - 1]
            added.append(Node(level, count - 1, merkle.node_hash(left, right)))
            self._nodes[level, count - 1] = added[-1].hash
        return added

    def root(self) -> bytes:
        """The hash of the whole tree."""
        return merkle.root(self.size, self._read)

    def _read(self, wanted: Sequence[ledger.Place]) -> Mapping[ledger.Place, bytes]:
        return {place: self._nodes[place] for place in wanted}


def write(engine: sa.Engine, batches: Iterable[Signed], registry_id: str, key: LedgerKey) -> int:
    """Write the ledger; return how many entries it has."""
    tree = Tree()
    with writing(engine) as connection:
        ledger.start(connection)
        for batch in batches:
            _insert(connection, tables.acts, batch.entries)
            _insert(connection, tables.nodes, tree.add(batch))
        note = sign_checkpoint(Checkpoint(origin_of(registry_id), tree.size, tree.root()), key)
        connection.execute(sa.update(tables.head).values(size=tree.size, note=note))
    return tree.size


def seal(engine: sa.Engine, sealed: Iterator[tuple[str, bytes]]) -> None:
    """Write what lies in the place of sealed keys."""
    with writing(engine) as connection:
        rows: list[tuple[str, bytes]] = []
        for one in sealed:
            rows.append(one)
            if len(rows) == _TOGETHER:
                _insert(connection, tables.sealed, rows)
                rows = []
        _insert(connection, tables.sealed, rows)


def project(engine: sa.Engine) -> None:
    """Derive every table from the ledger."""
    with writing(engine) as connection:
        replay.project(connection, connection)


def settle(engine: sa.Engine) -> None:
    """What PostgreSQL does for itself in time: its statistics, and what is visible to all."""
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.autocommit = True
        driver.execute("VACUUM ANALYZE")


def quickly(engine: sa.Engine) -> None:
    """From now on nothing is synced: a ledger whose making was cut off is made again."""
    sa.event.listen(engine, "connect", _unsynced)


def _unsynced(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=OFF")  # whoever opens the home later turns it on again
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-262144")


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Many rows at once, their values in the order of the columns."""
    if rows:
        places = ", ".join("?" * len(table.columns))
        connection.exec_driver_sql(f"INSERT INTO {table.name} VALUES ({places})", list(rows))
