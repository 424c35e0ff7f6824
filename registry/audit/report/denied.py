"""What was refused, to whom and why; and the checkouts that failed after their pull was allowed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from registry import acts
from registry.audit.report.activity import TOP, happened, total, within
from registry.audit.report.estate import Ranked
from registry.audit.report.facts import Attempt, Denied, Reason, Refused
from registry.audit.report.period import Period
from registry.audit.report.words import NOBODY
from registry.crypto import dsse
from registry.errors import Malformed
from registry.records import tables as t
from registry.records.events import FAILED, REFUSED

BURST = 20  # refused attempts of one member on one day that are worth a word


class Row(NamedTuple):
    """So many attempts of one member on one day, refused for one reason at one place."""

    day: str
    member: str
    code: str
    place: str
    attempts: int


def read(connection: sa.Connection, period: Period) -> list[Row]:
    """Every refused attempt of the period, in groups; what was only counted has no code and no place."""
    return [*_told(connection, period), *_counted(connection, period)]


def by_day(rows: Iterable[Row]) -> dict[str, int]:
    """The attempts of each day."""
    found: Counter[str] = Counter()
    for row in rows:
        found[row.day] += row.attempts
    return found


def denied(connection: sa.Connection, period: Period, rows: list[Row]) -> Denied:
    """The section's facts, from what ``read`` found."""
    people = _by(rows, lambda row: row.member)
    return Denied(
        told=sum(row.attempts for row in rows if row.code),
        uncounted=sum(row.attempts for row in rows if not row.code),
        members=tuple(_refused(period, name, people[name]) for name in _most(people)),
        people=len(people.keys() - {""}),
        reasons=tuple(_reasons(rows)),
        places=tuple(_places(rows)),
        latest=tuple(_latest(connection, period)),
        bursts=tuple(_bursts(rows)),
        strangers=sum(row.attempts for row in rows if not row.member),
        failed=_failed(connection, period),
    )


def _told(connection: sa.Connection, period: Period) -> Iterator[Row]:
    columns = (t.activity.c.day, t.activity.c.member, t.activity.c.code, t.activity.c.place)
    query = sa.select(*columns, total()).group_by(*columns)
    some = query.where(within(period), t.activity.c.outcome == REFUSED, t.activity.c.code != "")
    for day, member, code, place, attempts in connection.execute(some):
        yield Row(day, member, code, place, int(attempts))


def _counted(connection: sa.Connection, period: Period) -> Iterator[Row]:
    """Of what was only counted the number is in the entry itself."""
    for _, time, member, envelope in connection.execute(_summaries(connection, period)):
        try:
            body = acts.decode(dsse.Envelope.from_bytes(bytes(envelope)).payload).body
        except Malformed:
            continue  # 'registry audit verify' names it
        if isinstance(body, acts.Refusal):
            yield Row(time[:10], member, "", "", body.count)


def _summaries(connection: sa.Connection, period: Period) -> sa.Select[Any]:
    """The entries that count refusals: between the first and the last of them that ``activity`` knows."""
    ends = sa.select(sa.func.min(t.activity.c.first), sa.func.max(t.activity.c.last))
    first, last = connection.execute(
        ends.where(within(period), t.activity.c.outcome == REFUSED, t.activity.c.code == "")
    ).one()
    query = sa.select(t.events.c.seq, t.events.c.time, t.events.c.member, t.acts.c.envelope)
    return query.join(t.acts, t.acts.c.seq == t.events.c.seq).where(
        t.events.c.outcome == REFUSED,
        t.events.c.code == "",
        t.events.c.seq.between(-1 if first is None else first, -1 if last is None else last),
        happened(period),
    )


def _by(rows: Iterable[Row], key: Any) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def _most(groups: dict[str, list[Row]]) -> list[str]:
    attempts = {name: sum(row.attempts for row in group) for name, group in groups.items()}
    return sorted(attempts, key=lambda name: (-attempts[name], name))[:TOP]


def _refused(period: Period, name: str, rows: list[Row]) -> Refused:
    reasons, places = (
        _most(_by(some, key)) for some, key in ((_told_of(rows), _code), (_told_of(rows), _place))
    )
    return Refused(name or NOBODY, period.counts(by_day(rows)), (reasons or [""])[0], (places or [""])[0])


def _told_of(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.code]


def _code(row: Row) -> str:
    return row.code


def _place(row: Row) -> str:
    return row.place


def _reasons(rows: list[Row]) -> Iterator[Reason]:
    groups = _by(rows, _code)
    found = [
        Reason(code, sum(row.attempts for row in group), len({row.member for row in group}))
        for code, group in groups.items()
    ]
    yield from sorted(found, key=lambda one: (not one.code, -one.count, one.code))


def _places(rows: list[Row]) -> Iterator[Ranked]:
    groups = _by(_told_of(rows), _place)
    for place in _most(groups):
        yield Ranked(place or "not said", sum(row.attempts for row in groups[place]))


def _bursts(rows: list[Row]) -> list[Ranked]:
    """Who was refused often on one day: for each such member the worst day, the worst first."""
    days: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row.member:
            days[row.member, row.day] += row.attempts
    worst: dict[str, Ranked] = {}
    for (member, day), count in sorted(days.items(), key=lambda one: (-one[1], one[0])):
        if count >= BURST:
            worst.setdefault(member, Ranked(member, count, day))
    return list(worst.values())


def _latest(connection: sa.Connection, period: Period) -> Iterator[Attempt]:
    some = (t.events.c.outcome == REFUSED, t.events.c.code != "", happened(period))
    rows = connection.execute(sa.select(t.events).where(*some).order_by(t.events.c.seq.desc()).limit(TOP))
    for row in rows:
        on = f"{row.place}:{row.number}" if row.number else row.place
        yield Attempt(row.seq, row.time, row.member or NOBODY, row.action, on, row.code)


def _failed(connection: sa.Connection, period: Period) -> int:
    query = sa.select(total()).where(within(period), t.activity.c.outcome == FAILED)
    return int(connection.execute(query).scalar() or 0)
