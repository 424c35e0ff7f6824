"""What the questions read of the tables: counts by day, and the few events that an answer shows.

The tables are a projection of the ledger: what they say is what the database says, until
``registry audit verify`` has compared them with the replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from registry.audit import event
from registry.audit.scope import Scope
from registry.records.event_tables import activity, events
from registry.records.events import ALLOWED

CHUNK = 500  # values in one IN list
Record = dict[str, Any]
Condition = sa.ColumnElement[bool]
T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """The rows of an answer, and how many more there are than were asked for."""

    rows: list[Record]
    more: int = 0


def cut(found: Sequence[T], limit: int) -> tuple[list[T], int]:
    """The first ``limit`` (0: all), and how many are left."""
    kept = list(found[:limit] if limit else found)
    return kept, len(found) - len(kept)


def parts(values: Iterable[T]) -> Iterator[list[T]]:
    """As many at a time as one query takes."""
    whole = list(values)
    return (whole[at : at + CHUNK] for at in range(0, len(whole), CHUNK))


def times(connection: sa.Connection, seqs: Iterable[int | None]) -> dict[int, str]:
    """When the acts of these entries say that they were made."""
    found: dict[int, str] = {}
    for part in parts({seq for seq in seqs if seq is not None}):
        query = sa.select(events.c.seq, events.c.time).where(events.c.seq.in_(part))
        found.update((seq, time) for seq, time in connection.execute(query))
    return found


def shown(connection: sa.Connection, seqs: Sequence[int]) -> list[Record]:
    """The events of these entries, in this order."""
    return [one.to_dict() for one in event.read(connection, seqs)]


def within(column: sa.ColumnElement[str], namespace: str) -> Condition:
    """That a place is a namespace, written with its slash, or something in it."""
    return sa.and_(column >= namespace, column < f"{namespace[:-1]}0")  # "0" comes after "/"


def visible(scope: Scope, table: sa.Table) -> list[Condition]:
    """What has to hold of a row for the asker to see it."""
    condition = scope.condition(table)
    return [] if condition is None else [condition]


def grouped(connection: sa.Connection, by: Sequence[str], *where: Condition) -> Iterator[Record]:
    """Acts counted by these columns of ``activity``, with the lowest and the highest entry of each group."""
    columns = [activity.c[name] for name in by]
    counted = [
        sa.cast(sa.func.sum(activity.c.acts), sa.BigInteger).label("acts"),
        sa.func.min(activity.c.first).label("first"),
        sa.func.max(activity.c.last).label("last"),
    ]
    query = sa.select(*columns, *counted).where(*where).group_by(*columns)
    for row in connection.execute(query):
        yield dict(row._mapping)


def did(*actions: str) -> list[Condition]:
    """The rows of ``activity`` that count acts of these kinds which were allowed."""
    return [activity.c.action.in_(actions), activity.c.outcome == ALLOWED]
