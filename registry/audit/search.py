"""Searching the audit: who did what, to what, when, from where, and was it allowed.

Answers come from the tables, and what they show is held against the acts themselves; that nothing is
missing from them is for 'registry audit verify' to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from registry import ledger
from registry.audit import cursor
from registry.audit import event as events
from registry.audit.cursor import Cursor
from registry.audit.event import Event
from registry.audit.query import By, Query, canonical, filters
from registry.audit.scope import Scope, scope
from registry.context import Context
from registry.errors import BadAuthority, BadCheckpoint, BadReference, InvalidInput
from registry.law.law import Law
from registry.records.counting import grouped
from registry.records.database import reading
from registry.records.filters import Filters
from registry.records.finding import Found, newest, ordered

_BATCH = 1000  # events read together
_COLUMNS = {"actor": "member", "action": "action", "on": "place", "model": "place", "day": "day"}
_VERIFY = "run 'registry audit verify'"


@dataclass(frozen=True)
class Page:
    """Some events, among the first ``size`` entries; ``next`` is the cursor after them, "" at the end."""

    events: list[Event]
    next: str
    size: int


@dataclass(frozen=True)
class Group:
    """How many acts have the same ``value``, and how many of them were refused or failed."""

    value: str
    acts: int
    not_allowed: int


def search(context: Context, query: Query, *, limit: int = 50, after: str = "") -> Page:
    """The first ``limit`` events, or the next ones after a cursor; the member sees what ``scope`` says.

    Raises InvalidInput, NotFound or NotPermitted; BadReference or BadAuthority where the tables do not say
    what the acts say; BadCheckpoint where the ledger is shorter than at the first page.
    """
    pages = list(stream(context, query, limit=limit, after=after))
    return Page([one for page in pages for one in page.events], pages[-1].next, pages[-1].size)


def stream(context: Context, query: Query, *, limit: int = 0, after: str = "") -> Iterator[Page]:
    """As ``search``, page by page as they are read; 0: to the end."""
    seen, law = scope(context), context.law()
    left = limit
    while True:
        with reading(context.engine) as connection:
            page = _page(connection, law, seen, query, min(left or _BATCH, _BATCH), after)
        yield page
        left -= len(page.events) if limit else 0
        if not page.next or (limit and not left):
            return
        after = page.next


def count(context: Context, query: Query) -> int:
    """How many events match. Raises as ``search``."""
    seen, law = scope(context), context.law()
    with reading(context.engine) as connection:
        found = grouped(connection, filters(connection, law, seen, query))
    return sum(acts for acts, _ in found.values())


def group(context: Context, query: Query, by: By) -> list[Group]:
    """How many events match, by actor, action, model or day: the most first, days in their order.

    What is on no model is counted under "". Raises as ``search``.
    """
    seen, law = scope(context), context.law()
    with reading(context.engine) as connection:
        found = grouped(connection, filters(connection, law, seen, query), _COLUMNS[by])
    groups: dict[str, Group] = {}
    for place, (acts, others) in found.items():
        value = place if by != "model" or _is_model(place) else ""
        known = groups.get(value, Group(value, 0, 0))
        groups[value] = Group(value, known.acts + acts, known.not_allowed + others)
    if by == "day":
        return sorted(groups.values(), key=lambda one: one.value, reverse=query.reverse)
    most = sorted(groups.values(), key=lambda one: (-one.acts, one.value))
    return most[::-1] if query.reverse else most


def _is_model(place: str) -> bool:
    return "/" in place[1:-1]


def _page(connection: sa.Connection, law: Law, seen: Scope, query: Query, limit: int, after: str) -> Page:
    now = ledger.tree_size(connection)
    begun = cursor.parse(after) if after else None
    wanted = filters(connection, law, seen, query)
    name = cursor.search_of(canonical(query, wanted))
    if begun is not None:
        _continues(begun, name, now)
        wanted = [replace(one, since=begun.since, until=begun.until) for one in wanted]
    size = begun.size if begun else now
    found = _found(connection, wanted, query, limit + 1, size, now, begun)
    shown = events.read(connection, [one.seq for one in found[:limit]])
    _hold(shown, wanted, law)
    if len(found) <= limit:
        return Page(shown, "", size)
    last = found[limit - 1]
    on = Cursor(size, name, wanted[0].since, wanted[0].until, last.value, last.seq)
    return Page(shown, on.to_text(), size)


def _continues(begun: Cursor, name: str, size: int) -> None:
    if begun.search != name:
        raise InvalidInput(
            "the cursor is of another search",
            hint="repeat the same filters and order, or begin again without it; an alias may have moved",
        )
    if begun.size > size:
        raise BadCheckpoint(
            "the ledger is shorter than when the search began",
            on=f"{size} acts, {begun.size} then",
            hint=_VERIFY,
        )


def _found(
    connection: sa.Connection,
    wanted: Sequence[Filters],
    query: Query,
    limit: int,
    size: int,
    now: int,
    begun: Cursor | None,
) -> list[Found]:
    if size < now:
        wanted = [one.window(0, size) for one in wanted]
    if query.sort != "time":
        after = Found(begun.value, begun.seq) if begun else None
        column = _COLUMNS[query.sort]
        return ordered(connection, wanted, column, limit, size, reverse=query.reverse, after=after)
    if begun is not None:
        bounds = (begun.seq + 1, size) if query.reverse else (0, begun.seq)
        wanted = [one.window(*bounds) for one in wanted]
    return newest(connection, wanted, limit, size, oldest=query.reverse)


def _hold(shown: Sequence[Event], wanted: Sequence[Filters], law: Law) -> None:
    """What is shown is what was asked for, and by the member whose key has signed it."""
    for one in shown:
        if one.key in law.state.keyids and law.state.keyids[one.key] != one.actor:
            raise BadAuthority("the table of events names another actor", on=f"entry {one.seq}", hint=_VERIFY)
        if not any(_meets(one, filters) for filters in wanted):
            raise BadReference(
                "the table of events says what the act does not", on=f"entry {one.seq}", hint=_VERIFY
            )


def _meets(one: Event, filters: Filters) -> bool:
    said = {
        "member": one.actor,
        "action": one.action,
        "place": one.on,
        "number": one.version or 0,
        "outcome": one.outcome,
        "code": one.code,
    }
    return all(said[name] in values for name, values in filters.equal.items() if name in said)
