"""Which entry of the ledger was the last that a right allowed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from registry import acts, ledger
from registry.audit.spans import ADMIN, Span
from registry.audit.tallies import CHUNK, Condition, within
from registry.crypto import dsse
from registry.errors import Malformed
from registry.law.law import Law
from registry.law.state import ROOT
from registry.records.event_tables import activity, events
from registry.records.events import ALLOWED

# Which acts a right is for. 'grant' opens as well, but whoever only reads needs 'pull' alone. A push that
# moves an alias needs 'promote', too; see ``_aliased``.
USES: Final[Mapping[str, tuple[str, ...]]] = {
    "pull": ("pull",),
    "push": ("push", "create"),
    "promote": ("alias", "yank"),
    "grant": ("grant", "revoke", "rotate", "create"),
}
_PUSH: Final = acts.Push.kind
_Key = tuple[str, str, str]  # member, action, place


@dataclass(frozen=True)
class Holder:
    """A member who held a right by their own grants, or a team's, from one entry up to another."""

    name: str
    start: int
    end: int | None

    @classmethod
    def of(cls, law: Law, name: str, span: Span) -> Holder:
        """The holder throughout a span of the law."""
        return cls(name, law.entry(span.start), None if span.end is None else law.entry(span.end))


class Usage:
    """The newest allowed act of some members, by action and place; a namespace counts what lies in it."""

    def __init__(self, connection: sa.Connection, names: Collection[str]) -> None:
        self._connection = connection
        self._newest: dict[_Key, int] = {}
        for name, action, place, last in connection.execute(_newest(names)).all():
            for used, target in ((action, place), (action, _namespace(place)), (ADMIN, ROOT)):
                key = name, used, target
                if self._newest.get(key, -1) < last:
                    self._newest[key] = last

    def last(self, action: str, target: str, holders: Iterable[Holder], after: int, floor: int) -> int:
        """The newest entry after ``after`` that the right allowed one of its holders, 0 for none.

        Only entries from ``floor`` on have to be found.
        """
        return max((self._last(action, target, one, after, floor) for one in holders), default=0)

    def _last(self, action: str, target: str, holder: Holder, after: int, floor: int) -> int:
        begin, end = max(after, holder.start), holder.end
        if end is not None and end <= floor:
            return 0
        found = 0
        for use in USES.get(action, (action,)):
            last = self._newest.get((holder.name, use, target), 0)
            if end is not None and last >= end:
                last = self._before(holder.name, use, target, begin, end)
            found = max(found, last if last > begin else 0)
        if action == "promote" and (found < floor or not floor):
            found = max(found, self._aliased(holder, target, max(begin, found, floor - 1)))
        return found

    def _before(self, name: str, action: str, target: str, begin: int, end: int) -> int:
        """The newest act between two entries, both excluded, of somebody who went on acting elsewhere."""
        where = [*_by(name, target), events.c.seq > begin, events.c.seq < end]
        if action != ADMIN:
            where.append(events.c.action == action)
        query = sa.select(sa.func.max(events.c.seq)).where(*where)
        return self._connection.execute(query).scalar() or 0

    def _aliased(self, holder: Holder, target: str, begin: int) -> int:
        """The newest push after an entry that moved an alias."""
        if self._newest.get((holder.name, _PUSH, target), 0) <= begin:
            return 0
        where = [*_by(holder.name, target), events.c.action == _PUSH, events.c.seq > begin]
        if holder.end is not None:
            where.append(events.c.seq < holder.end)
        query = sa.select(events.c.seq).where(*where).order_by(events.c.seq.desc())
        pushes = self._connection.execute(query).scalars().all()
        return next((seq for seq in pushes if self._moved(seq)), 0)

    def _moved(self, seq: int) -> int:
        """How many aliases a push moved. One that does not read moved none: 'verify' finds it."""
        try:
            envelope = dsse.Envelope.from_bytes(ledger.entry(self._connection, seq).envelope)
            body = acts.decode(envelope.payload).body
        except Malformed:
            return 0
        return len(body.aliases) if isinstance(body, acts.Push) else 0


def _newest(names: Collection[str]) -> sa.Select[Any]:
    by = (activity.c.member, activity.c.action, activity.c.place)
    query = sa.select(*by, sa.func.max(activity.c.last)).where(activity.c.outcome == ALLOWED)
    if len(names) <= CHUNK:
        query = query.where(activity.c.member.in_(sorted(names)))
    return query.group_by(*by)


def _namespace(place: str) -> str:
    """The namespace of a place, the place itself where it is in none: names of members are no namespaces."""
    return f"{place.partition('/')[0]}/" if "/" in place else place


def _by(name: str, target: str) -> list[Condition]:
    conditions = [events.c.member == name, events.c.outcome == ALLOWED]
    if target == ROOT:
        return conditions
    return [*conditions, within(events.c.place, target) if target.endswith("/") else events.c.place == target]


def floor(connection: sa.Connection, day: str) -> int:
    """The lowest entry of this day (UTC) or later; where there is none, one too high for any."""
    query = sa.select(sa.func.min(activity.c.first)).where(activity.c.day >= day)
    found: int | None = connection.execute(query).scalar()
    return (1 << 62) if found is None else found
