"""What an act writes for the audit: its event, the words it says, and a count by day."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from registry import acts
from registry.acts import Act
from registry.records.event_tables import activity, events, sayings

ALLOWED, REFUSED, FAILED = "allowed", "refused", "failed"
_DIMENSIONS = ("day", "member", "action", "outcome", "code", "place", "number", "saying")
Row = dict[str, Any]
_DAY = 10  # characters of a time
_VERSION = 9  # digits of a version's number


def event(act: Act, seq: int, member: str, saying: int) -> Row:
    """The row of ``events``. ``member`` acted; ``saying`` is the entry that first said the act's words."""
    row = {"seq": seq, "time": act.header.time, "member": member, "saying": saying}
    body = act.body
    if isinstance(body, acts.Refusal):
        place, number = _divided(body.target)
        return {
            **row,
            "action": body.attempt,
            "outcome": REFUSED,
            "code": body.code,
            "place": place,
            "number": number,
        }
    outcome, code = (FAILED, body.code) if isinstance(body, acts.Failure) else (ALLOWED, "")
    row |= {"action": act.kind, "outcome": outcome, "code": code}
    return {**row, "place": act.model or act.target or "", "number": act.number or 0}


def _divided(target: str) -> tuple[str, int]:
    """What a refused act was about, and which version of it."""
    place, colon, number = target.rpartition(":")
    if colon and number.isascii() and number.isdigit() and len(number) <= _VERSION:
        return place, int(number)
    return target, 0


def words(act: Act, member: str) -> str:
    """What an act says in words, for searching: folded, so that case does not count."""
    body, client = act.body, act.header.client
    said = [member, act.model or act.target or "", *_said(body), client.program, client.host]
    return "\n".join(part for part in said if part).casefold()


def _said(body: acts.Body) -> Iterator[str]:
    match body:
        case acts.Push():
            yield from (body.label or "", *body.aliases, *body.allowed)
            yield from (f"{name}={value}" for name, value in body.metadata.items())
        case acts.Grant() | acts.Revoke():
            yield from (body.grantee, *body.actions)
        case acts.Enroll():
            yield body.role
        case acts.TeamAdd() | acts.TeamRemove() | acts.Alias():
            yield body.name
        case acts.Disable() | acts.Yank():
            yield body.reason
        case acts.Refusal():
            yield from (body.code, body.attempt, body.message)
        case acts.Policy():
            yield body.text
        case acts.Failure():
            yield from (body.code, body.purpose)
        case _:
            yield getattr(body, "purpose", "")


def digest(text: str) -> str:
    """The name by which a text is found among the sayings."""
    return hashlib.sha256(text.encode()).hexdigest()


def record(connection: sa.Connection, act: Act, seq: int, member: str) -> None:
    """Write an act's event, its words where nobody has said them, and count it."""
    row = event(act, seq, member, _saying(connection, words(act, member), seq))
    connection.execute(sa.insert(events), row)
    counted = {**{name: row[name] for name in _DIMENSIONS[1:]}, "day": row["time"][:_DAY]}
    counted |= {"acts": 1, "first": seq, "last": seq}
    connection.execute(_counting(connection.dialect.name), counted)


def _saying(connection: sa.Connection, text: str, seq: int) -> int:
    name = digest(text)
    known = connection.execute(sa.select(sayings.c.saying).where(sayings.c.sha256 == name)).scalar()
    if known is None:
        connection.execute(sa.insert(sayings), {"saying": seq, "sha256": name, "text": text})
    return seq if known is None else int(known)


def _counting(dialect: str) -> sa.Executable:
    statement = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(activity)
    more = {"acts": activity.c.acts + 1, "last": statement.excluded.last}
    return statement.on_conflict_do_update(index_elements=list(_DIMENSIONS), set_=more)


class Recorder:
    """Events of many acts, in the ledger's order, from its beginning; ``tally`` counts them at the end."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}

    def rows(self, made: Iterable[tuple[Act, int, str]]) -> tuple[list[Row], list[Row]]:
        """The rows of ``events`` and of ``sayings`` for acts with their entries and who acted."""
        happened, said = [], []
        for act, seq, member in made:
            text = words(act, member)
            name = hashlib.sha256(text.encode()).digest()
            if (saying := self._known.setdefault(name, seq)) == seq:
                said.append({"saying": seq, "sha256": name.hex(), "text": text})
            happened.append(event(act, seq, member, saying))
        return happened, said


def tally(connection: sa.Connection) -> None:
    """Count all events into an empty ``activity``."""
    names = [*_DIMENSIONS, "acts", "first", "last"]
    connection.execute(sa.insert(activity).from_select(names, counts()))


def counts() -> sa.Select[Any]:
    """What ``activity`` has to hold, counted from the events."""
    # Written out: PostgreSQL takes two parameters of one value for two expressions.
    day = sa.func.substr(events.c.time, sa.literal_column("1"), sa.literal_column(str(_DAY)))
    by = [day.label("day"), *(events.c[name] for name in _DIMENSIONS[1:])]
    counted = (sa.func.count().label("acts"), sa.func.min(events.c.seq), sa.func.max(events.c.seq))
    return sa.select(*by, *counted).group_by(day, *by[1:])
