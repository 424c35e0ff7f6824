"""Rights that nobody used for long: candidates for ``registry revoke``.

A right is used by an act that it allows: by its holder, or by anybody of its team while they were in it. An
act that several rights allow counts for each of them, so what is called unused here nobody would miss.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, NamedTuple

import sqlalchemy as sa

from registry.acts import timestamp
from registry.audit.scope import scope
from registry.audit.spans import ADMIN, Span, active, common, inside
from registry.audit.tallies import Answer, Record, cut, parts, times
from registry.audit.usage import Holder, Right, Usage, floor
from registry.context import Context
from registry.errors import InvalidInput
from registry.law.law import Law
from registry.law.state import ROOT
from registry.records.database import reading
from registry.records.event_tables import events

LONGEST: Final = 36_500  # days
_DAY: Final = 10  # characters of a time


class _Unused(NamedTuple):
    right: Right
    used: int  # the newest entry that it allowed, 0 for none

    @property
    def since(self) -> int:
        """The entry since which nobody used it."""
        return max(self.right.granted, self.used)


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
        found = _unused(connection, standing, cutoff)
        found.sort(key=lambda one: (one.since, one.right[:3]))
        kept, more = cut(found, limit)
        return Answer(list(_rows(connection, kept, now)), more)


def _standing(law: Law, time: str) -> Iterator[Right]:
    """The rights that somebody holds at this time."""
    state = law.state
    for name in sorted(state.admins()):
        start = law.entry(active(state, name)[-1].start)
        yield Right(ADMIN, ROOT, name, "admin", start, None, (Holder(name, start, None),))

    @cache
    def holders(grantee: str) -> tuple[Holder, ...]:
        return tuple(_holders(law, grantee))

    for target, grantees in state.grants.items():
        for grantee in grantees:
            team = grantee in state.teams
            if not team and not state.active(grantee):
                continue
            kind = "team" if team else "member"
            for action, timeline in grantees[grantee].items():
                term = timeline.at()
                if term is not None and term.lasts(time):
                    since = law.entry(timeline.since())
                    yield Right(action, target, grantee, kind, since, term.until, holders(grantee))


def _holders(law: Law, grantee: str) -> Iterator[Holder]:
    """Who holds what is granted to ``grantee``, and between which entries."""
    state = law.state
    if grantee not in state.teams:
        yield from (_holder(law, grantee, span) for span in active(state, grantee))
        return
    for name in state.teams[grantee]:
        for span in common(inside(state, grantee, name), active(state, name)):
            yield _holder(law, name, span)


def _holder(law: Law, name: str, span: Span) -> Holder:
    return Holder(name, law.entry(span.start), None if span.end is None else law.entry(span.end))


def _unused(connection: sa.Connection, standing: list[Right], cutoff: str) -> list[_Unused]:
    """Those of the rights that nobody used since ``cutoff``."""
    begin = floor(connection, cutoff[:_DAY])  # no entry before it is of that time
    granted = times(connection, (one.granted for one in standing if one.granted >= begin))
    old = [one for one in standing if granted.get(one.granted, "") < cutoff]
    usage = Usage(connection, old)
    used = [_Unused(one, usage.last(one)) for one in old]
    when = times(connection, (one.used for one in used if one.used >= begin))
    unused = [one for one in used if when.get(one.used, "") < cutoff]
    pushes = {
        one.right: usage.promoted(one.right, one.used) for one in unused if one.right.action == "promote"
    }
    when = times(connection, pushes.values())
    told = (one._replace(used=pushes.get(one.right) or one.used) for one in unused)
    return [one for one in told if when.get(one.used, "") < cutoff]


def _rows(connection: sa.Connection, found: list[_Unused], now: datetime) -> Iterator[Record]:
    seqs = sorted({seq for one in found for seq in (one.right.granted, one.used)})
    when, by = times(connection, seqs), _actors(connection, seqs)
    for right, used in found:
        last = when.get(used) if used else None
        yield {
            "grantee": right.grantee,
            "kind": right.kind,
            "action": right.action,
            "on": right.target,
            "granted": when.get(right.granted),
            "granted_by": by.get(right.granted),
            "until": right.until,
            "last_used": last,
            "last_used_by": by.get(used) if used else None,
            "days": _days(last or when.get(right.granted), now),
            "entry": right.granted,
        }


def _actors(connection: sa.Connection, seqs: list[int]) -> dict[int, str]:
    query = sa.select(events.c.seq, events.c.member)
    actors: dict[int, str] = {}
    for part in parts(seqs):
        actors.update((seq, name) for seq, name in connection.execute(query.where(events.c.seq.in_(part))))
    return actors


def _days(time: str | None, now: datetime) -> int | None:
    """For how many whole days nobody used it."""
    return None if time is None else (now.astimezone(UTC) - datetime.fromisoformat(time)).days
