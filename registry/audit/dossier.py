"""What is on record about one member: who they are, what they may do, what they did, and from where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from registry import members
from registry.acts import timestamp
from registry.audit.scope import scope
from registry.audit.spans import Held, held, inside
from registry.audit.tallies import Condition, Record, grouped, shown, times
from registry.context import Context
from registry.law.law import Law
from registry.records.database import reading
from registry.records.event_tables import activity, events
from registry.records.events import REFUSED

LATEST: Final = 100  # acts from which hosts and programs are told
_ABOUT: Final = 50  # acts about somebody that are told, the newest


@dataclass(frozen=True)
class Dossier:
    """A member: who they are, what they may do, what they did, from where, and what was done about them."""

    member: Record  # name, role, state, teams, keyid, enrolled, disabled
    keys: list[Record]
    teams: list[Record]  # every stay in a team
    may: list[Held]  # the rights that they hold now
    did: list[Record]  # acts counted by action, place and outcome, the newest first
    hosts: list[Record]  # of the newest acts alone
    about: list[Record]  # events
    recent: list[Record]  # events

    @property
    def acts(self) -> int:
        """How many acts of theirs are on record, refused ones counted in."""
        return sum(int(row["acts"]) for row in self.did)


def member(context: Context, name: str) -> Dossier:
    """Everything on record about a member. Raises NotPermitted, MemberNotFound or Untrusted."""
    scope(context).require_member(name)
    law, now = context.law(), timestamp(context.now())
    known = members.member(law, name)
    with reading(context.engine) as connection:
        latest = _latest(connection, events.c.member == name, LATEST)
        recent = shown(connection, latest)
        about = _latest(connection, events.c.place == name, _ABOUT)
        found = sorted({*about, *_subject(law, name)}, reverse=True)[:_ABOUT]
        return Dossier(
            known,
            list(keys_of(connection, law, name)),
            list(_teams(connection, law, name)),
            [one for one in held(law, name) if one.stands(now)],
            list(_did(connection, name)),
            _hosts(recent),
            shown(connection, found),
            recent,
        )


def _latest(connection: sa.Connection, condition: Condition, limit: int) -> list[int]:
    query = sa.select(events.c.seq).where(condition).order_by(events.c.seq.desc()).limit(limit)
    return list(connection.execute(query).scalars())


def _subject(law: Law, name: str) -> set[int]:
    """The acts of the law that changed something for the member, by way of what they are about."""
    state = law.state
    lines = [state.teams[team][name].changes() for team in state.joined.get(name, ())]
    positions = {position for line in lines for position, _ in line}
    for target in state.held.get(name, ()):
        for timeline in state.grants[target][name].values():
            positions |= {position for position, _ in timeline.changes()}
    return {law.entry(position) for position in positions}


def keys_of(connection: sa.Connection, law: Law, name: str) -> Iterator[Record]:
    """Every key that the member had, oldest first, with the entries between which it counted."""
    changes = law.state.member(name).keys.changes()
    ends = [law.entry(position) for position, _ in changes[1:]]
    when = times(connection, (law.entry(position) for position, _ in changes))
    for (position, identity), end in zip(changes, [*ends, None], strict=True):
        if identity is not None:
            start = law.entry(position)
            yield {
                "keyid": identity.signing.keyid,
                "since": when.get(start),
                "since_entry": start,
                "until": when.get(end) if end is not None else None,
                "until_entry": end,
            }


def _teams(connection: sa.Connection, law: Law, name: str) -> Iterator[Record]:
    stays = [
        (team, law.entry(span.start), None if span.end is None else law.entry(span.end))
        for team in sorted(law.state.joined.get(name, ()))
        for span in inside(law.state, team, name)
    ]
    when = times(connection, (seq for _, *bounds in stays for seq in bounds))
    for team, start, end in stays:
        left = when.get(end) if end is not None else None
        yield {
            "team": team,
            "since": when.get(start),
            "since_entry": start,
            "until": left,
            "until_entry": end,
        }


def _did(connection: sa.Connection, name: str) -> Iterator[Record]:
    found = list(grouped(connection, ("action", "place", "outcome"), activity.c.member == name))
    when = times(connection, (row[bound] for row in found for bound in ("first", "last")))
    for row in sorted(found, key=lambda one: -one["last"]):
        yield {
            "action": row["action"],
            "on": row["place"],
            "outcome": row["outcome"],
            "acts": row["acts"],
            "first": when.get(row["first"]),
            "last": when.get(row["last"]),
            "entry": row["last"],
        }


def _hosts(recent: list[Record]) -> list[Record]:
    """From where the newest acts came, by what their signer said; a refusal is the door's own act."""
    found: dict[tuple[str, str], list[Record]] = {}
    for one in recent:
        if one["outcome"] != REFUSED:
            found.setdefault((one["host"], one["program"]), []).append(one)
    return [
        {
            "host": host,
            "program": program,
            "acts": len(made),
            "first": made[-1]["time"],
            "last": made[0]["time"],
        }
        for (host, program), made in found.items()
    ]
