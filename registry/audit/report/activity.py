"""What happened in the period: counted by the database, in the table that counts events by day."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from registry.acts import LAW
from registry.audit.report.estate import Ranked
from registry.audit.report.facts import Activity, Series
from registry.audit.report.period import Period
from registry.records.events import ALLOWED, REFUSED
from registry.records.tables import activity, events

TOP = 8  # lines of a ranking
# In the order of the rows: key, label, kinds of acts.
_ROWS: Final = (
    ("pull", "Pulls", frozenset({"pull"})),
    ("push", "Versions published", frozenset({"push"})),
    ("point", "Aliases and yanks", frozenset({"alias", "yank"})),
    ("attest", "Attestations", frozenset({"attest"})),
    ("law", "Changes of access", LAW),
)
_KEYS: Final = {kind: key for key, _, kinds in _ROWS for kind in kinds}
Counts = dict[str, dict[str, int]]  # by row and day


def total() -> sa.ColumnElement[int]:
    """The acts of all rows of a group, as an integer on either database."""
    return sa.cast(sa.func.sum(activity.c.acts), sa.BigInteger)


def within(period: Period) -> sa.ColumnElement[bool]:
    """The rows of ``activity`` that are of the period."""
    return activity.c.day.between(period.first.isoformat(), period.last.isoformat())


def happened(period: Period) -> sa.ColumnElement[bool]:
    """The rows of ``events`` that are of the period."""
    return sa.and_(
        events.c.time >= period.first.isoformat(),
        events.c.time < (period.last + timedelta(days=1)).isoformat(),
    )


def read(connection: sa.Connection, period: Period, refused: dict[str, int]) -> Activity:
    """``refused`` are the refused attempts by day, those that were only counted among them."""
    by_row, acts = _by_row(connection, period)
    rows = [Series(key, label, period.counts(by_row[key])) for key, label, _ in _ROWS]
    if other := by_row["other"]:
        rows.append(Series("failed", "Failed checkouts", period.counts(other)))
    members, models = _many(connection, period)
    return Activity(
        series=(*rows, Series("refused", "Refused attempts", period.counts(refused))),
        acts=acts,
        before=_sum(connection, period.before),
        members=members,
        models=models,
        pullers=_pulls(connection, period, activity.c.member),
        pulled=_pulls(connection, period, activity.c.place),
    )


def _by_row(connection: sa.Connection, period: Period) -> tuple[Counts, int]:
    """Acts that were not refused, by row of the chart and day; and how many they are."""
    query = sa.select(activity.c.day, activity.c.action, total())
    done = query.where(within(period), activity.c.outcome != REFUSED)
    found: Counts = defaultdict(lambda: defaultdict(int))
    acts = 0
    for day, action, count in connection.execute(done.group_by(activity.c.day, activity.c.action)):
        found[_KEYS.get(action, "other")][day] += int(count)
        acts += int(count)
    return found, acts


def _sum(connection: sa.Connection, period: Period) -> int:
    query = sa.select(total())
    return int(connection.execute(query.where(within(period), activity.c.outcome != REFUSED)).scalar() or 0)


def _many(connection: sa.Connection, period: Period) -> tuple[int, int]:
    """How many different members acted, and on how many models."""
    models = sa.case((activity.c.place.like("%/_%"), activity.c.place))
    query = sa.select(sa.func.count(activity.c.member.distinct()), sa.func.count(models.distinct()))
    row: Any = connection.execute(query.where(within(period), activity.c.outcome != REFUSED)).one()
    return int(row[0]), int(row[1])


def _pulls(connection: sa.Connection, period: Period, by: sa.Column[Any]) -> tuple[Ranked, ...]:
    most = total().label("most")
    query = sa.select(by, most).where(
        within(period), activity.c.action == "pull", activity.c.outcome == ALLOWED
    )
    rows = connection.execute(query.group_by(by).order_by(most.desc(), by).limit(TOP))
    return tuple(Ranked(name, int(count)) for name, count in rows)
