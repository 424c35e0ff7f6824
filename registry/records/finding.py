"""Finding events: the first so many of those that match, however many or few there are.

Where much matches, the newest entries show enough. Where little does, ``activity`` says when it happened:
of its rows that match, those with the newest events hold all the newest events there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from registry.records import tables as t
from registry.records.counting import day_of, grouped
from registry.records.filters import Filters, across, events_of, inside

PROBE = 5000  # entries that are looked at before the counts are asked


class Found(NamedTuple):
    """An event's entry, and its value in the column that it is ordered by."""

    value: str
    seq: int


def newest(
    connection: sa.Connection,
    wanted: Sequence[Filters],
    limit: int,
    size: int,
    *,
    oldest: bool = False,
    column: str | None = None,
) -> list[Found]:
    """The newest events, or the oldest, that match any of ``wanted``, no event two of them.

    ``size`` is the number of entries that there are; ``column`` is told beside each.
    """
    found: list[Found] = []
    for filters in wanted:
        query = _Query(connection, filters, limit, size, oldest, column)
        found += query.run()
    return sorted(found, key=lambda one: one.seq, reverse=not oldest)[:limit]


class _Query(NamedTuple):
    """One search in the ledger's order."""

    connection: sa.Connection
    filters: Filters
    limit: int
    size: int
    oldest: bool
    column: str | None

    def run(self) -> list[Found]:
        if self.filters.named:
            return self._fetch(events_of(self.filters, self.connection.dialect.name))
        low, high = self.filters.low, self.filters.high
        high = self.size if high is None else min(high, self.size)
        near = max(PROBE, 4 * self.limit)
        window = (low, min(high, low + near)) if self.oldest else (max(low, high - near), high)
        found = self._fetch(
            events_of(self.filters.window(*window), self.connection.dialect.name), sorted_after=False
        )
        return found if window == (low, high) or len(found) >= self.limit else self._counted()

    def _fetch(self, events: sa.Select[Any], *, sorted_after: bool = True) -> list[Found]:
        """The first of these events; ``sorted_after``: found otherwise than by walking along their order."""
        e = t.events.c
        value = e[self.column] if self.column else sa.literal_column("''")
        seq = e.seq + sa.literal_column("0") if sorted_after else e.seq
        order = seq.asc() if self.oldest else seq.desc()
        rows = self.connection.execute(events.add_columns(value, e.seq).order_by(order).limit(self.limit))
        return [Found(value, seq) for value, seq in rows]

    def _counted(self) -> list[Found]:
        """The events of those rows of ``activity`` that hold the first ones."""
        a, dialect = t.activity.c, self.connection.dialect.name
        columns = (a.member, a.day, a.first, a.last)
        edge = a.first.asc() if self.oldest else a.last.desc()
        whole = inside(self.filters, dialect).add_columns(*columns).order_by(edge).limit(self.limit)
        rows = whole.cte("whole")
        parts: sa.Select[Any] | sa.CompoundSelect[Any] = sa.select(rows)
        if not self.filters.exact:
            divided = across(self.filters, dialect).add_columns(*columns)
            parts = sa.union_all(parts, divided)
        events = events_of(self.filters, dialect, by_member=True)
        return self._fetch(_joined(events, self._spans(rows, parts.subquery())))

    def _spans(self, whole: sa.CTE, rows: sa.Subquery) -> sa.CTE:
        """By member and day the entries among which the events are.

        No further than ``limit`` events lie: each row that matches whole holds one at its edge.
        """
        enough = sa.func.count() >= self.limit
        low: sa.ColumnElement[Any] = sa.func.min(rows.c.first)
        high: sa.ColumnElement[Any] = sa.func.max(rows.c.last)
        if self.oldest:
            last = sa.select(sa.case((enough, sa.func.max(whole.c.first)))).scalar_subquery()
            high = sa.case((high > last, last), else_=high)
        else:
            first = sa.select(sa.case((enough, sa.func.min(whole.c.last)))).scalar_subquery()
            low = sa.case((low < first, first), else_=low)
        columns = (rows.c.member, rows.c.day, low.label("low"), high.label("high"))
        return sa.select(*columns).group_by(rows.c.member, rows.c.day).cte("spans")


def _joined(events: sa.Select[Any], spans: sa.CTE) -> sa.Select[Any]:
    """The events within spans, each once: it has one member and one day."""
    e, s = t.events.c, spans.c
    within = (e.member == s.member, e.seq.between(s.low, s.high), day_of(e.time) == s.day)
    return events.join(spans, sa.and_(*within))


def ordered(
    connection: sa.Connection,
    wanted: Sequence[Filters],
    column: str,
    limit: int,
    size: int,
    *,
    reverse: bool = False,
    after: Found | None = None,
) -> list[Found]:
    """The first events by a column's values, those of one value newest first; ``reverse``: all backwards.

    The counts say which values are among them, so that no event of another is looked at.
    """

    def fetch(values: Sequence[str], number: int, among: Sequence[Filters]) -> list[Found]:
        narrowed = [filters.also(column, values) for filters in among]
        found = newest(connection, narrowed, number, size, oldest=reverse, column=column)
        return sorted(found, key=lambda one: one.value, reverse=reverse)  # stable: within a value by entry

    found: list[Found] = []
    if after is not None:  # the rest of the value that was shown last
        bounds = (after.seq + 1, size) if reverse else (0, after.seq)
        found = fetch([after.value], limit, [filters.window(*bounds) for filters in wanted])
    if len(found) < limit:
        for values, number in _shares(connection, wanted, column, limit - len(found), reverse, after):
            found += fetch(values, number, wanted) if number else []
    return sorted(found, key=lambda one: one.value, reverse=reverse)


def _shares(
    connection: sa.Connection,
    wanted: Sequence[Filters],
    column: str,
    room: int,
    reverse: bool,
    after: Found | None,
) -> Iterator[tuple[list[str], int]]:
    """The values of the next ``room`` events: those that fit whole, together, and the one that does not."""
    counts = grouped(connection, wanted, column)
    whole: list[str] = []
    taken = 0
    for value in sorted(counts, reverse=reverse):
        if after is not None and (value >= after.value if reverse else value <= after.value):
            continue
        if taken + counts[value][0] > room:
            yield [value], room - taken
            break
        whole.append(value)
        taken += counts[value][0]
    if whole:
        yield whole, taken
