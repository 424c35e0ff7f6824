"""The audit report: one page for whoever answers for the registry's security, to read and to send on."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa

from registry.audit.report import activity, denied, health, holdings, page, unused, versions
from registry.audit.report.facts import Facts
from registry.audit.report.period import Period, period
from registry.audit.scope import scope
from registry.context import Context
from registry.records import tables as t
from registry.records.database import reading

STALE = 90  # days after which a right that nobody uses is told


def report(context: Context, since: datetime, now: datetime | None = None) -> str:
    """The page, HTML: from the day of ``since`` to today, UTC. For admins and auditors.

    Raises NotPermitted for anybody else, and InvalidInput for a day that has not come.
    """
    return page.render(gather(context, since, now))


def gather(context: Context, since: datetime, now: datetime | None = None, stale: int = STALE) -> Facts:
    """What the page says, as values. Raises as ``report``."""
    now = now or context.now()
    seer = scope(context)
    seer.require_all("the report")
    asked = period(since, now)
    idle = unused.read(context, now, stale)
    with reading(context.engine) as connection:
        law = context.lawbook.read(connection)
        covered = _begun(connection, asked)
        refused = denied.read(connection, covered)
        return Facts(
            registry_id=context.config.registry_id,
            made=now,
            made_by=seer.name,
            program=context.client.program,
            period=covered,
            activity=activity.read(connection, covered, denied.by_day(refused)),
            denied=denied.denied(connection, covered, refused),
            holdings=holdings.read(connection, law.state, covered, now),
            unused=idle,
            versions=versions.read(connection, covered),
            health=health.read(connection, context, law),
        )


def _begun(connection: sa.Connection, asked: Period) -> Period:
    """The period without the days before the registry's first."""
    first = connection.execute(sa.select(t.events.c.time).where(t.events.c.seq == 0)).scalar()
    try:
        begun = date.fromisoformat(str(first)[:10])
    except ValueError:
        return asked
    return Period(min(max(asked.first, begun), asked.last), asked.last)
