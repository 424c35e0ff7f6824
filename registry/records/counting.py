"""How many events match, altogether or by member, action, place or day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from registry.records import tables as t
from registry.records.events import ALLOWED
from registry.records.filters import Filters, across, events_of, inside

DAY = 10  # characters of a time


def grouped(
    connection: sa.Connection, wanted: Sequence[Filters], by: str | None = None
) -> dict[Any, tuple[int, int]]:
    """How many events match any of ``wanted``, no event two of them, and how many of these were not allowed.

    By the values of a column of ``activity``: member, action, place or day; without one, all under None.
    """
    counted, refused = Counter[Any](), Counter[Any]()
    for filters in wanted:
        for query in _queries(connection.dialect.name, filters, by):
            for *values, acts, others in connection.execute(query):
                value = values[0] if values else None
                counted[value] += int(acts or 0)
                refused[value] += int(others or 0)
    return {value: (acts, refused[value]) for value, acts in counted.items() if acts}


def _queries(dialect: str, filters: Filters, by: str | None) -> Iterator[sa.Select[Any]]:
    """The rows of ``activity`` that match whole, and the events of those that a bound divides."""
    a, e = t.activity.c, t.events.c
    if filters.entries is not None:
        yield _summed(_valued(events_of(filters, dialect), by), sa.literal_column("1"), e.outcome)
        return
    yield _summed(inside(filters, dialect, by), a.acts, a.outcome)
    if not filters.exact:
        divided = joined(events_of(filters, dialect), spans(across(filters, dialect)))
        yield _summed(_valued(divided, by), sa.literal_column("1"), e.outcome)


def _valued(events: sa.Select[Any], by: str | None) -> sa.Select[Any]:
    if by is None:
        return events
    return events.add_columns(day_of(t.events.c.time) if by == "day" else t.events.c[by])


def _summed(
    query: sa.Select[Any], acts: sa.ColumnElement[Any], outcome: sa.ColumnElement[str]
) -> sa.Select[Any]:
    """Sums by the columns that the query has."""
    others = sa.case((outcome == ALLOWED, 0), else_=acts)
    by = list(query.inner_columns)
    sums = query.add_columns(sa.func.sum(acts), sa.func.sum(others))
    return sums.group_by(*by) if by else sums


def day_of(time: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The day of a time. Written out: PostgreSQL takes two parameters of one value for two expressions."""
    return sa.func.substr(time, sa.literal_column("1"), sa.literal_column(str(DAY)))


def spans(divided: sa.Select[Any]) -> sa.CTE:
    """Rows of ``activity`` put together by member and day: the entries among which their events are."""
    a = t.activity.c
    columns = (a.member, a.day, sa.func.min(a.first).label("low"), sa.func.max(a.last).label("high"))
    return divided.add_columns(*columns).group_by(a.member, a.day).cte("spans")


def joined(events: sa.Select[Any], spans: sa.CTE) -> sa.Select[Any]:
    """The events within spans, each once: it has one member and one day."""
    e = t.events.c
    within = (
        e.member == spans.c.member,
        e.seq.between(spans.c.low, spans.c.high),
        day_of(e.time) == spans.c.day,
    )
    return events.join(spans, sa.and_(*within))
