"""What is counted, not written by one act alone: acts, events and sayings, and the activity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from registry.audit.verify.comparing import EVENTS, differing, ordered
from registry.audit.verify.finding import Finding
from registry.audit.verify.source import Source
from registry.records import events, tables

_FORGED: Final = "no act wrote it"


def check_acts(source: Source, found: int) -> Iterator[Finding]:
    """No act is there twice: its author signed it once, and whoever has the ledger's key admits it again.

    The database keeps digests apart; but it may have been told not to.
    """
    if source.rows("SELECT count(*) FROM (SELECT DISTINCT digest FROM acts) AS one") == [(found,)]:
        return
    again = "SELECT max(seq) FROM acts GROUP BY digest HAVING count(*) > 1 ORDER BY 1"
    for (seq,) in source.stream(again):
        yield Finding("duplicate-act", f"entry {seq}", "the same act was admitted before")


def check_events(source: Source, found: int) -> Iterator[Finding]:
    """No event is there but the ``found`` ones, which belong to entries."""
    if source.rows("SELECT count(*) FROM events") == [(found,)]:
        return
    beside = "SELECT e.seq FROM events e LEFT JOIN acts a ON a.seq = e.seq WHERE a.seq IS NULL ORDER BY e.seq"
    for (seq,) in source.stream(beside):
        yield Finding("row-forged", f"events {seq}", _FORGED)


def check_sayings(source: Source, first: int) -> Iterator[Finding]:
    """There are as many sayings as entries that say something for the first time, and no two are alike."""
    if source.rows("SELECT count(*), count(DISTINCT sha256) FROM sayings") == [(first, first)]:
        return
    beside = (
        "SELECT s.saying FROM sayings s LEFT JOIN events e ON e.seq = s.saying AND e.saying = s.saying"
        " WHERE e.seq IS NULL ORDER BY s.saying"
    )
    again = "SELECT max(saying) FROM sayings GROUP BY sha256 HAVING count(*) > 1"
    for statement in (beside, again):
        for (saying,) in source.stream(statement):
            yield Finding("row-forged", f"sayings {saying}", _FORGED)


def check_activity(source: Source) -> Iterator[Finding]:
    """The counts by day are those of the events."""
    table = tables.activity
    names, keys = table.columns.keys(), table.primary_key.columns.keys()
    counted = events.counts().subquery()
    by = [sa.collate(one, "C") if _sorts(source, one) else one for one in list(counted.c)[: len(keys)]]
    query = sa.select(counted).order_by(*by)
    statement = str(query.compile(source.connection.engine, compile_kwargs={"literal_binds": True}))
    stored = source.stream(ordered(table, source.bytewise))
    yield from differing(table.name, names, keys, stored, source.stream(statement), EVENTS)


def _sorts(source: Source, column: sa.ColumnElement[object]) -> bool:
    return bool(source.bytewise) and column.type.python_type is str
