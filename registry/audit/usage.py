"""Which entry of the ledger was the last that a right allowed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from registry import acts, ledger
from registry.audit.spans import ADMIN
from registry.audit.tallies import Condition, within
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
_ANY: Final = "any"  # what an admin may do
_PUSH: Final = acts.Push.kind
_Use = tuple[str, str]  # action, and target: a model, "NS/" with all in it, or "/"
_Field = sa.ColumnElement[str]
_Where = Callable[[_Field, _Field, _Field], Iterator[Condition]]


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
        return (_ANY,) if self.action == ADMIN else USES[self.action]


class Usage:
    """When rights were last used."""

    def __init__(self, connection: sa.Connection, rights: Iterable[Right]) -> None:
        self._connection = connection
        self._aliased: dict[int, bool] = {}
        wanted: dict[_Use, set[str]] = defaultdict(set)
        names: dict[str, list[str]] = {}
        for right in rights:
            if right.grantee not in names:
                names[right.grantee] = list(dict.fromkeys(one.name for one in right.holders))
            for use in (*right.uses, *((_PUSH,) if right.action == "promote" else ())):
                wanted[use, right.target].update(names[right.grantee])
        self._newest = _newest(connection, wanted)

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
        if use != _ANY:
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
        where = [*_by(holder.name, target), events.c.action == _PUSH, events.c.seq > begin]
        if holder.end is not None:
            where.append(events.c.seq < holder.end)
        query = sa.select(events.c.seq).where(*where).order_by(events.c.seq.desc())
        return self._connection.execute(query).scalars().all()

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


def _newest(connection: sa.Connection, wanted: Mapping[_Use, set[str]]) -> dict[_Use, dict[str, int]]:
    """The newest allowed act of every use by each of these members, where there is one."""
    sorts: dict[Any, list[_Use]] = defaultdict(list)
    for use in wanted:
        sorts[_everywhere if use[0] == _ANY else _below if use[1].endswith("/") else _there].append(use)
    found: dict[_Use, dict[str, int]] = defaultdict(dict)
    for where, uses in sorts.items():
        # "0" follows "/": what lies between is in the namespace
        asked = [[at, *use, f"{use[1][:-1]}0", [*wanted[use]]] for at, use in enumerate(uses)]
        for at, name, last in connection.execute(_lookup(connection, where), {"asked": json.dumps(asked)}):
            found[uses[at]][name] = last
    return found


def _lookup(connection: sa.Connection, where: _Where) -> sa.Select[Any]:
    """Many questions in one query, each with a list of members: every one reads a short range of an index."""
    asked = _asked(connection.dialect.name)
    name = sa.column("value", sa.Text)
    unfolded = "json_array_elements_text" if connection.dialect.name == "postgresql" else "json_each"
    who = getattr(sa.func, unfolded)(asked.c.who).table_valued(name).alias("who")
    newest = (
        sa.select(sa.func.max(activity.c.last))
        .where(activity.c.outcome == ALLOWED, activity.c.member == who.c.value)
        .where(*where(asked.c.action, asked.c.target, asked.c.beyond))
        .correlate(asked, who)
        .scalar_subquery()
    )
    found = sa.select(asked.c.at, who.c.value.label("name"), newest.label("last"))
    # Materialized, or PostgreSQL would look up twice: once to see whether there is anything.
    each = found.select_from(asked.join(who, sa.true())).cte("each").prefix_with("MATERIALIZED")
    return sa.select(each).where(each.c.last.is_not(None))


def _asked(dialect: str) -> sa.CTE:
    """The rows of the parameter ``asked``, a JSON array of arrays; taken apart once."""
    given, value = sa.bindparam("asked", type_=sa.Text), sa.column("value", sa.JSON)
    postgres = dialect == "postgresql"
    unfold = sa.func.json_array_elements(sa.cast(given, sa.JSON)) if postgres else sa.func.json_each(given)
    row = unfold.table_valued(value).alias("row").c.value

    def field(at: int, operator: str = "->>") -> sa.ColumnElement[Any]:
        return row.op(operator, return_type=sa.Text())(sa.literal_column(str(at)))

    texts = [field(at).label(name) for at, name in ((1, "action"), (2, "target"), (3, "beyond"))]
    who = field(4, "->" if postgres else "->>").label("who")
    rows = sa.select(sa.cast(field(0), sa.Integer).label("at"), *texts, who)
    return rows.cte("asked").prefix_with("MATERIALIZED")


def _there(action: _Field, target: _Field, _beyond: _Field) -> Iterator[Condition]:
    yield activity.c.action == action
    yield activity.c.place == target


def _below(action: _Field, target: _Field, beyond: _Field) -> Iterator[Condition]:
    yield activity.c.action == action
    yield activity.c.place >= target
    yield activity.c.place < beyond


def _everywhere(_action: _Field, _target: _Field, _beyond: _Field) -> Iterator[Condition]:
    yield from ()


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
