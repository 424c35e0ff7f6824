"""Who was refused what: attempts that are alike are one row, and floods are counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from registry import acts, catalog, refs
from registry.acts import timestamp
from registry.audit.scope import scope
from registry.audit.tallies import Answer, Condition, Record, shown, times, visible, within
from registry.context import Context
from registry.crypto import dsse
from registry.errors import Malformed
from registry.records.database import reading
from registry.records.event_tables import events
from registry.records.events import REFUSED
from registry.records.tables import acts as ledgered


@dataclass(frozen=True)
class Refused:
    """Which refusals to tell of: RFC 3339 bounds (``until`` excluded), who, where, and which error code."""

    since: datetime | None = None
    until: datetime | None = None
    member: str | None = None
    on: str | None = None
    code: str | None = None


def denied(context: Context, asked: Refused, limit: int = 0) -> Answer:
    """What was refused: a row for all attempts of one member at the same thing, the newest first.

    ``limit`` is how many rows at most, 0 for all. Raises NotPermitted, InvalidReference or NotFound.
    """
    conditions = [events.c.outcome == REFUSED, *_asked(context, asked), *visible(scope(context), events)]
    names = ("member", "action", "place", "number", "code")
    columns = [events.c[name] for name in names]
    seq = events.c.seq
    counts = [
        sa.func.count().label("acts"),
        sa.func.min(seq).label("first"),
        sa.func.max(seq).label("last"),
    ]
    groups = sa.func.count().over().label("groups")
    query = sa.select(*columns, *counts, groups).where(*conditions).group_by(*columns)
    query = query.order_by(sa.desc("last")).limit(limit or None)
    with reading(context.engine) as connection:
        kept = [dict(row._mapping) for row in connection.execute(query)]
        more = kept[0]["groups"] - len(kept) if kept else 0
        floods = _floods(connection, conditions) if any(not row["code"] for row in kept) else {}
        return Answer(list(_attempts(connection, kept, floods)), more)


def _asked(context: Context, asked: Refused) -> Iterator[Condition]:
    if asked.since is not None:
        yield events.c.time >= timestamp(asked.since)
    if asked.until is not None:
        yield events.c.time < timestamp(asked.until)
    if asked.member is not None:
        yield events.c.member == asked.member
    if asked.code is not None:
        yield events.c.code == asked.code
    if asked.on is not None:
        yield from _on(context, asked.on)


def _on(context: Context, place: str) -> Iterator[Condition]:
    if place.endswith("/"):
        refs.check_name(place[:-1], "the namespace")
        yield within(events.c.place, place)
        return
    if "/" not in place:  # a member or a team
        yield events.c.place == place
        return
    ref = refs.parse(place)
    yield events.c.place == ref.model
    if ref.version is not None or ref.tag is not None or ref.digest is not None:
        yield events.c.number == (ref.version or catalog.resolve(context, place)[0].version)


def _floods(connection: sa.Connection, conditions: list[Condition]) -> dict[str, int]:
    """How many refusals were only counted, by member: the counts stand in the acts."""
    query = (
        sa.select(events.c.member, ledgered.c.envelope)
        .join(ledgered, ledgered.c.seq == events.c.seq)
        .where(*conditions, events.c.code == "")
    )
    found: dict[str, int] = {}
    for name, envelope in connection.execute(query):
        found[name] = found.get(name, 0) + _count(bytes(envelope))
    return found


def _count(envelope: bytes) -> int:
    """Of a refusal that stands for many. One that does not read counts as one: 'verify' finds it."""
    try:
        body = acts.decode(dsse.Envelope.from_bytes(envelope).payload).body
    except Malformed:
        return 1
    return body.count if isinstance(body, acts.Refusal) else 1


def _attempts(connection: sa.Connection, groups: list[Record], floods: dict[str, int]) -> Iterator[Record]:
    began = times(connection, (group["first"] for group in groups))
    told = {one["seq"]: one for one in shown(connection, [group["last"] for group in groups])}
    for group in groups:
        last = told[group["last"]]
        yield {
            "member": group["member"],
            "action": group["action"],
            "on": f"{group['place']}:{group['number']}" if group["number"] else group["place"],
            "code": group["code"],
            "attempts": group["acts"] if group["code"] else floods[group["member"]],
            "first": began[group["first"]],
            "last": last["time"],
            "why": last["detail"],
            "entry": group["last"],
        }
