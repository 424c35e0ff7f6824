"""How many events match, altogether or by member, action, place or day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from registry.records import tables as t
from registry.records.events import ALLOWED
from registry.records.filters import Filters, across, aside, events_of, inside

DAY = 10  # characters of a time
KEY = ("member", "day", "action", "outcome", "code", "place", "number", "saying")


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
    if filters.named:
        yield _summed(_valued(events_of(filters, dialect), by), sa.literal_column("1"), e.outcome)
        return
    yield _summed(inside(filters, dialect, by), a.acts, a.outcome)
    if not filters.exact:
        rows = across(filters, dialect).add_columns(*(a[name] for name in (*KEY, "first", "last")))
        divided = of_rows(
            events_of(filters, dialect, by_member=True), rows.distinct().cte("divided"), dialect
        )
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
    sums = query.add_columns(*(sa.func.sum(one, type_=sa.BigInteger()) for one in (acts, others)))
    return sums.group_by(*by) if by else sums


def day_of(time: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The day of a time. Written out: PostgreSQL takes two parameters of one value for two expressions."""
    return sa.func.substr(time, sa.literal_column("1"), sa.literal_column(str(DAY)))


def of_rows(events: sa.Select[Any], rows: sa.FromClause, dialect: str) -> sa.Select[Any]:
    """The events that rows of ``activity`` count: each is in one of them."""
    e = t.events.c
    looked_up = [e.member == rows.c.member, e.seq.between(rows.c.first, rows.c.last)]
    others = [e[name] if dialect != "sqlite" else aside(e[name]) for name in KEY[2:]]
    same = [column == rows.c[name] for column, name in zip(others, KEY[2:], strict=True)]
    return events.join(rows, sa.and_(*looked_up, day_of(e.time) == rows.c.day, *same))
