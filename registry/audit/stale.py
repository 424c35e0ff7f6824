"""Rights that nobody used for long: candidates for ``registry revoke``.

A right is used by an act that it allows: by its holder, or by anybody of its team while they were in it. An
act that several rights allow counts for each of them, so what is called unused here nobody would miss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from registry.acts import timestamp
from registry.audit.scope import scope
from registry.audit.spans import ADMIN, active, common, inside
from registry.audit.tallies import Answer, Record, cut, parts, times
from registry.audit.usage import Holder, Usage, floor
from registry.context import Context
from registry.errors import InvalidInput
from registry.law import rights
from registry.law.law import Law
from registry.law.state import ROOT
from registry.records.database import reading
from registry.records.event_tables import events

LONGEST: Final = 36_500  # days
_DAY: Final = 10  # characters of a time


@dataclass(frozen=True)
class Right:
    """A right that stands: by a grant to a member or a team, or as an admin, on "/".

    ``granted`` is the entry that gave it. ``used`` is the newest entry that it allowed, 0 for none.
    """

    action: str
    target: str
    grantee: str
    kind: str  # "member", "team" or "admin"
    granted: int
    until: str | None
    holders: tuple[Holder, ...]
    used: int = 0

    @property
    def idle(self) -> int:
        """The entry since which nobody used it."""
        return max(self.granted, self.used)


def stale_grants(context: Context, days: int, limit: int = 0) -> Answer:
    """The rights that stand and that nobody used for ``days`` days, the longest unused first.

    One that was granted, or renewed, later than that is not among them. ``limit`` is how many rows at most,
    0 for all. Raises InvalidInput, NotPermitted or Untrusted.
    """
    if not 1 <= days <= LONGEST:
        raise InvalidInput("this is no number of days", on=str(days), hint=f"write 1 to {LONGEST}")
    now, seen, law = context.now(), scope(context), context.law()
    cutoff = timestamp(now - timedelta(days=days))
    standing = [one for one in _standing(law, timestamp(now)) if seen.sees(one.target, one.grantee)]
    with reading(context.engine) as connection:
        granted = times(connection, (one.granted for one in standing))
        old = [one for one in standing if granted.get(one.granted, "") < cutoff]
        usage = Usage(connection, {holder.name for one in old for holder in one.holders})
        found = sorted(_unused(connection, usage, old, cutoff), key=lambda one: (one.idle, one.target))
        kept, more = cut(found, limit)
        told = [
            replace(one, used=usage.last(one.action, one.target, one.holders, one.granted, 0)) for one in kept
        ]
        return Answer(list(_rows(connection, told, now)), more)


def _standing(law: Law, time: str) -> Iterator[Right]:
    """The rights that somebody holds at this time."""
    state = law.state
    for name in sorted(state.admins()):
        span = active(state, name)[-1]
        start = law.entry(span.start)
        yield Right(ADMIN, ROOT, name, "admin", start, None, (Holder(name, start, None),))
    for target in sorted(state.grants):
        for grantee in sorted(state.grants[target]):
            team = grantee in state.teams
            holders = _holders(law, grantee)
            if not team and not state.active(grantee):
                continue
            for action, term in rights.terms(state, grantee, target).items():
                if term.lasts(time):
                    since = law.entry(state.grants[target][grantee][action].since())
                    kind = "team" if team else "member"
                    yield Right(action, target, grantee, kind, since, term.until, holders)


def _holders(law: Law, grantee: str) -> tuple[Holder, ...]:
    """Who holds what is granted to ``grantee``, and between which entries."""
    state = law.state
    if grantee not in state.teams:
        return tuple(Holder.of(law, grantee, span) for span in active(state, grantee))
    return tuple(
        Holder.of(law, name, span)
        for name in state.teams[grantee]
        for span in common(inside(state, grantee, name), active(state, name))
    )


def _unused(connection: sa.Connection, usage: Usage, old: list[Right], cutoff: str) -> Iterator[Right]:
    """Those of the rights that nobody used since ``cutoff``."""
    begin = floor(connection, cutoff[:_DAY])
    used = {one: usage.last(one.action, one.target, one.holders, one.granted, begin) for one in old}
    when = times(connection, (seq for seq in used.values() if seq >= begin))
    for one, seq in used.items():
        if when.get(seq, "") < cutoff:
            yield replace(one, used=seq)


def _rows(connection: sa.Connection, found: list[Right], now: datetime) -> Iterator[Record]:
    when = times(connection, (seq for one in found for seq in (one.granted, one.used)))
    by = _actors(connection, found)
    for one in found:
        last = when.get(one.used) if one.used else None
        yield {
            "grantee": one.grantee,
            "kind": one.kind,
            "action": one.action,
            "on": one.target,
            "granted": when.get(one.granted),
            "granted_by": by.get(one.granted),
            "until": one.until,
            "last_used": last,
            "last_used_by": by.get(one.used) if one.used else None,
            "days": _days(last or when.get(one.granted), now),
            "entry": one.granted,
        }


def _actors(connection: sa.Connection, found: list[Right]) -> dict[int, str]:
    query = sa.select(events.c.seq, events.c.member)
    actors: dict[int, str] = {}
    for part in parts(sorted({seq for one in found for seq in (one.granted, one.used)})):
        actors.update((seq, name) for seq, name in connection.execute(query.where(events.c.seq.in_(part))))
    return actors


def _days(time: str | None, now: datetime) -> int | None:
    """For how many whole days nobody used it."""
    return None if time is None else (now.astimezone(UTC) - datetime.fromisoformat(time)).days
