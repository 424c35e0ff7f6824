"""Which entry of the ledger was the last that a right allowed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec
import sqlalchemy as sa

from registry import acts, ledger
from registry.audit.latest import ANY, Use, latest
from registry.audit.spans import ADMIN
from registry.audit.tallies import Condition, did, within
from registry.crypto import dsse
from registry.errors import Malformed
from registry.law.state import ROOT
from registry.records.event_tables import activity, events
from registry.records.events import ALLOWED

# Which acts a right is for. 'grant' opens as well, but whoever only reads needs 'pull' alone. A push that
# moves an alias needs 'promote', too: see ``Usage.promoted``.
USES: Final[Mapping[str, tuple[str, ...]]] = {
    "pull": ("pull",),
    "push": ("push", "create"),
    "promote": ("alias", "yank"),
    "grant": ("grant", "revoke", "rotate", "create"),
}
_PUSH: Final = acts.Push.kind


class Holder(NamedTuple):
    """A member who held a right by their own grants, or a team's, from one entry up to another."""

    name: str
    start: int
    end: int | None


class Right(NamedTuple):
    """A right that stands: by a grant to a member or a team, or as an admin, on "/".

    ``granted`` is the entry that gave it.
    """

    action: str
    target: str
    grantee: str
    kind: str  # "member", "team" or "admin"
    granted: int
    until: str | None
    holders: tuple[Holder, ...]

    @property
    def uses(self) -> tuple[str, ...]:
        """The kinds of act that it is for."""
        return (ANY,) if self.action == ADMIN else USES[self.action]


class Usage:
    """When rights were last used."""

    def __init__(self, connection: sa.Connection, rights: Iterable[Right]) -> None:
        self._connection = connection
        self._aliased: dict[int, bool] = {}
        wanted: dict[Use, set[str]] = defaultdict(set)
        names: dict[str, list[str]] = {}
        for right in rights:
            if right.grantee not in names:
                names[right.grantee] = list(dict.fromkeys(one.name for one in right.holders))
            for use in (*right.uses, *((_PUSH,) if right.action == "promote" else ())):
                wanted[use, right.target].update(names[right.grantee])
        self._newest = latest(connection, wanted)

    def last(self, right: Right) -> int:
        """The newest entry that the right allowed since it was granted, 0 for none.

        Pushes that moved an alias are left out.
        """
        found = 0
        for use in right.uses:
            if newest := self._newest.get((use, right.target)):
                for holder in right.holders:
                    if holder.name in newest:
                        found = max(found, self._last(right, holder, use, newest[holder.name]))
        return found

    def _last(self, right: Right, holder: Holder, use: str, last: int) -> int:
        begin = max(right.granted, holder.start)
        if last <= begin:
            return 0
        if holder.end is None or last < holder.end:
            return last
        return self._between(holder, use, right.target, begin)

    def _between(self, holder: Holder, use: str, target: str, begin: int) -> int:
        """The newest act of somebody who left the team and went on acting, from before they left."""
        where = [*_by(holder.name, target), events.c.seq > begin, events.c.seq < holder.end]
        if use != ANY:
            where.append(events.c.action == use)
        return self._connection.execute(sa.select(sa.func.max(events.c.seq)).where(*where)).scalar() or 0

    def promoted(self, right: Right, after: int) -> int:
        """The newest push after an entry that the right allowed to move an alias, 0 for none."""
        found = 0
        pushed = self._newest.get((_PUSH, right.target), {})
        for holder in right.holders:
            begin = max(right.granted, holder.start, after, found)
            if pushed.get(holder.name, 0) > begin:
                found = next(filter(self._moved, self._pushes(holder, right.target, begin)), found)
        return found

    def _pushes(self, holder: Holder, target: str, begin: int) -> Iterable[int]:
        """Newest first."""
        place = activity.c.place
        where = [within(place, target) if target.endswith("/") else place == target, activity.c.last > begin]
        if holder.end is not None:
            where.append(activity.c.last < holder.end)
        # One push is one version: the row that counts it counts nothing else.
        query = sa.select(activity.c.last).where(activity.c.member == holder.name, *did(_PUSH), *where)
        return self._connection.execute(query.order_by(activity.c.last.desc())).scalars().all()

    def _moved(self, seq: int) -> bool:
        """Whether a push moved an alias. One that does not read moved none: 'verify' finds it."""
        if seq not in self._aliased:
            self._aliased[seq] = _moves(self._connection, seq)
        return self._aliased[seq]


class _Aliases(msgspec.Struct):
    """Of a push, which aliases it moved; the rest is passed over. A question reads thousands of them."""

    aliases: tuple[str, ...] = ()


class _Predicate(msgspec.Struct):
    body: _Aliases


class _Statement(msgspec.Struct):
    predicate: _Predicate


def _moves(connection: sa.Connection, seq: int) -> bool:
    try:
        payload = dsse.Envelope.from_bytes(ledger.entry(connection, seq).envelope).payload
        return bool(msgspec.json.decode(payload, type=_Statement).predicate.body.aliases)
    except (Malformed, msgspec.DecodeError, UnicodeDecodeError):
        return False


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
