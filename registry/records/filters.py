"""Which events are meant, as conditions on the tables of the audit.

``activity`` counts events by day, so a bound within a day divides its rows into those that lie wholly
inside, and those of which only the events themselves can say it (``inside`` and ``across``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.operators import custom_op

from registry.records import tables as t
from registry.records.event_tables import MEMBER

Condition = sa.ColumnElement[bool]
_UNINDEXED = frozenset({"code", "number", "saying"})
_DAY = 10  # characters of a time
_MIDNIGHT = "T00:00:00.000000Z"


@dataclass(frozen=True)
class Stay:
    """While somebody was in a team: after one entry, up to and with another."""

    member: str
    after: int
    until: int


@dataclass(frozen=True)
class Filters:
    """All conditions together; what is empty or None asks for nothing."""

    equal: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # column to the values that match
    within: str = ""  # a namespace, as "NS/": itself and its models
    stays: tuple[Stay, ...] | None = None
    text: str = ""  # folded
    digest: str = ""  # of a version or a file: hexadecimal, at least its beginning
    entries: tuple[int, ...] | None = None  # these alone
    few: bool = False  # so few events have one of these ``saying`` that they are looked up by it
    not_of: str = ""  # no event of the versions with this digest
    since: str = ""
    until: str = ""  # exclusive
    low: int = 0
    high: int | None = None  # exclusive
    visible: Callable[[sa.Table], Condition | None] = field(default=lambda _: None, compare=False)

    def also(self, column: str, values: Sequence[Any]) -> Filters:
        """The same, and the column has one of these values."""
        known = self.equal.get(column)
        both = tuple(value for value in values if known is None or value in known)
        return replace(self, equal={**self.equal, column: both})

    def window(self, low: int, high: int) -> Filters:
        """The same, of the entries from ``low`` up to ``high``."""
        top = high if self.high is None else min(high, self.high)
        return replace(self, low=max(low, self.low), high=top)

    @property
    def exact(self) -> bool:
        """Whether rows of ``activity`` answer alone: no bound lies within a day."""
        whole = all(not time or time[_DAY:] == _MIDNIGHT for time in (self.since, self.until))
        return whole and self.low == 0 and self.high is None and self.stays is None and self.entries is None

    @property
    def named(self) -> bool:
        """Whether the events themselves are looked up, and none counted."""
        return self.few or self.entries is not None

    @property
    def indexed(self) -> bool:
        """Whether the indexes of ``activity`` hold all that is asked."""
        return not (self.text or self.digest or self.not_of or self.equal.keys() & _UNINDEXED)


def events_of(filters: Filters, dialect: str, *, by_member: bool = False) -> sa.Select[Any]:
    """The events that match, of which a caller chooses the columns, order and number.

    ``by_member``: it will join them to something that names members, by whom they are to be looked up.
    """
    e = t.events
    hidden = frozenset[str]()
    if dialect == "sqlite" and (by_member or filters.few):
        hidden = frozenset(filters.equal) - ({"saying"} if filters.few else set())
    conditions = [*_alike(e, filters, dialect, hidden), *_bounded(e.c.seq, filters)]
    if filters.since:
        conditions.append(e.c.time >= filters.since)
    if filters.until:
        conditions.append(e.c.time < filters.until)
    if filters.entries is not None:
        conditions.append(e.c.seq.in_(filters.entries))
    query = sa.select().select_from(e)
    if filters.stays is not None:
        stays = _stays(filters.stays)
        stayed = [e.c.member == stays.c.member, e.c.seq > stays.c.after, e.c.seq <= stays.c.until]
        query = sa.select().select_from(e.join(stays, sa.and_(*stayed)))
    return query.where(*conditions)


def _bounded(seq: sa.ColumnElement[int], filters: Filters) -> list[Condition]:
    found = [seq >= filters.low] if filters.low else []
    return found if filters.high is None else [*found, seq < filters.high]


def inside(filters: Filters, dialect: str, by: str | None = None) -> sa.Select[Any]:
    """The rows of ``activity`` all of whose events match, with the column ``by`` where one is named."""
    a = t.activity
    conditions = [*_alike(a, filters, dialect, _hidden(filters, dialect, by)), *_days(filters)]
    if filters.low:
        conditions.append(a.c.first >= filters.low)
    if filters.high is not None:
        conditions.append(a.c.last < filters.high)
    query = sa.select()
    if by is not None:
        query = sa.select(aside(a.c[by]) if dialect == "sqlite" and not filters.indexed else a.c[by])
    if filters.stays is None:
        return query.select_from(a).where(*conditions)
    stays = _stays(filters.stays)
    stayed = [a.c.member == stays.c.member, a.c.first > stays.c.after, a.c.last <= stays.c.until]
    return query.select_from(a.join(stays, sa.and_(*stayed))).where(*conditions)


def _hidden(filters: Filters, dialect: str, by: str | None) -> frozenset[str]:
    """Columns for which SQLite is to take no index.

    It does not know how many rows have a value. Left alone it reads the rows of an action one by one, though
    no index holds what else is asked of them, or another has them in the order of the groups.
    """
    limited = filters.visible(t.activity) is not None
    better = limited or not filters.indexed or by not in (None, "action")
    return frozenset({"action"}) if dialect == "sqlite" and better else frozenset()


def aside(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The same value, for which SQLite takes no index (https://sqlite.org/optoverview.html, 9.1)."""
    return sa.UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def _days(filters: Filters) -> list[Condition]:
    day, found = t.activity.c.day, []
    if filters.since:
        start = filters.since[:_DAY]
        found.append(day >= start if filters.since[_DAY:] == _MIDNIGHT else day > start)
    if filters.until:
        found.append(day < filters.until[:_DAY])
    return found


def across(filters: Filters, dialect: str) -> sa.Select[Any]:
    """The rows of ``activity`` across a bound: some of their events may match, and others not."""
    a = t.activity
    conditions = _alike(a, filters, dialect, _hidden(filters, dialect, None))
    partly: list[Condition] = []
    if filters.since:
        conditions.append(a.c.day >= filters.since[:_DAY])
        partly += [a.c.day == filters.since[:_DAY]] if filters.since[_DAY:] != _MIDNIGHT else []
    if filters.until:
        end = filters.until[:_DAY]
        whole = filters.until[_DAY:] == _MIDNIGHT
        conditions.append(a.c.day < end if whole else a.c.day <= end)
        partly += [] if whole else [a.c.day == end]
    if filters.low:
        conditions.append(a.c.last >= filters.low)
        partly.append(a.c.first < filters.low)
    if filters.high is not None:
        conditions.append(a.c.first < filters.high)
        partly.append(a.c.last >= filters.high)
    query = sa.select().select_from(a)
    if filters.stays is not None:
        stays = _stays(filters.stays)
        stayed = [a.c.member == stays.c.member, a.c.last > stays.c.after, a.c.first <= stays.c.until]
        partly += [a.c.first <= stays.c.after, a.c.last > stays.c.until]
        query = sa.select().select_from(a.join(stays, sa.and_(*stayed)))
    return query.where(*conditions, sa.or_(sa.false(), *partly))


def _alike(
    table: sa.Table, filters: Filters, dialect: str, hidden: frozenset[str] = frozenset()
) -> list[Condition]:
    """The conditions that hold for all events of a row of ``activity``, or for none."""
    found = []
    for name, values in filters.equal.items():
        column = aside(table.c[name]) if name in hidden else table.c[name]
        found.append(column == values[0] if len(values) == 1 else column.in_(values))
    if filters.within:  # names are ordered by their bytes, and "0" is next after "/"
        found.append(sa.and_(table.c.place >= filters.within, table.c.place < f"{filters.within[:-1]}0"))
    if filters.text:
        found.append(_says(table, filters, dialect))
    if filters.digest:
        found.append(sa.tuple_(table.c.place, table.c.number).in_(versions_with(filters.digest)))
    if filters.not_of:
        found.append(sa.tuple_(table.c.place, table.c.number).not_in(versions_with(filters.not_of)))
    visible = filters.visible(table)
    if visible is None:
        return found
    # an index is for what is asked, not for what may be seen
    return [*found, aside(visible.self_group()) if table is t.events and dialect == "sqlite" else visible]


def _says(table: sa.Table, filters: Filters, dialect: str) -> Condition:
    """The text occurs: looked up row by row where those are few, else all sayings are read once."""
    said = _sayings(filters.text, dialect)
    few = table is t.events or filters.stays is not None or filters.equal.keys() & {"place", "member"}
    return said.where(t.sayings.c.saying == table.c.saying).exists() if few else table.c.saying.in_(said)


def _sayings(text: str, dialect: str) -> sa.Select[Any]:
    """Not by LIKE: no character of the text means anything but itself."""
    at = (sa.func.strpos if dialect == "postgresql" else sa.func.instr)(t.sayings.c.text, text)
    return sa.select(t.sayings.c.saying).where(at > 0)


def sayings_with(connection: sa.Connection, text: str, limit: int) -> list[int]:
    """The sayings in which the text occurs, up to ``limit`` of them."""
    query = _sayings(text, connection.dialect.name).limit(limit)
    return list(connection.execute(query).scalars())


def saying(connection: sa.Connection, sayings: list[int], limit: int) -> int:
    """How many events have one of these sayings, up to ``limit``."""
    found = sa.select(sa.literal_column("1")).where(t.events.c.saying.in_(sayings)).limit(limit).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(found)).scalar_one())


def versions_with(digest: str) -> sa.CompoundSelect[Any]:
    """Model and number of the versions that have this digest, or a file with it."""
    v, f = t.versions.c, t.files.c
    return sa.union(
        sa.select(v.model, v.number).where(begins(v.digest, digest)),
        sa.select(f.model, f.number).where(begins(f.sha256, digest)),
    )


def begins(column: sa.ColumnElement[str], digest: str) -> Condition:
    """The column holds a digest that begins so; "g" comes after every hexadecimal digit."""
    return column == digest if len(digest) == 64 else column.between(digest, f"{digest}g")


@lru_cache(maxsize=16)  # a statement may speak of it more than once, and means one table
def _stays(stays: tuple[Stay, ...]) -> sa.CTE:
    member, after = sa.column("member", MEMBER), sa.column("after", sa.BigInteger)
    rows = [(stay.member, stay.after, stay.until) for stay in stays] or [("", -1, -1)]
    return sa.values(member, after, sa.column("until", sa.BigInteger), name="stays").data(rows).cte("stays")
