"""A search as somebody puts it, and the conditions on the tables that follow from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, get_args

import sqlalchemy as sa

from registry import acts, errors, refs
from registry.audit.scope import Scope
from registry.errors import InvalidInput, MemberNotFound
from registry.law.law import Law
from registry.records import queries
from registry.records import tables as t
from registry.records.events import ALLOWED, FAILED, REFUSED
from registry.records.filters import Filters, Stay, begins, saying, sayings_with, versions_with
from registry.refs import Reference

NOBODY: Final = "-"  # stands for callers whom no signature proves; no member has this name
Sort = Literal["time", "actor", "action", "on"]
By = Literal["actor", "action", "model", "day"]

_ACTIONS: Final = frozenset(body.kind for body in get_args(acts.Body)) - {"refusal"}
_CODES: Final = frozenset(getattr(one, "code", "") for one in vars(errors).values()) - {""}
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})")
_TEXT = 1000  # characters
_FEW = 1000  # sayings, or models
_MANY = 20_000  # events
_STAYS = 5000  # in one statement; a statement of SQLite takes 32,766 values
_ALIKE = 1000  # acts whose digests begin alike


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked; every condition must hold, and one left empty asks for nothing.

    ``since`` is inclusive, ``until`` exclusive. ``spoken`` is how a person put these two ("30d"): the same
    words with a cursor mean the times of the first page. ``sort`` by time is the ledger's own order, newest
    first: what clocks said may be wrong. By another column values ascend, and of one the newest is first.
    """

    actor: str = ""  # a member, or NOBODY
    team: str = ""  # who was in the team then
    actions: tuple[str, ...] = ()
    on: str = ""  # NS/, NS/MODEL[:VERSION|:LABEL|:ALIAS][@sha256:DIGEST], a member or a team
    outcome: str = ""  # allowed, refused, failed, or the code of an error
    since: datetime | None = None
    until: datetime | None = None
    digest: str = ""  # of an act, a version or a file; its first 8 digits at least
    version: int | None = None
    text: str = ""
    sort: Sort = "time"
    reverse: bool = False
    spoken: str = ""


def filters(connection: sa.Connection, law: Law, scope: Scope, query: Query) -> list[Filters]:
    """The conditions, as alternatives of which no event meets two.

    Raises InvalidInput, InvalidReference, MemberNotFound, ReferenceNotFound or NotPermitted.
    """
    since, until = _times(query)
    found = Filters(digest=_digest(query.digest), since=since, until=until, visible=scope.condition)
    if query.text:
        found = _saying(connection, _text(query.text), found)
    if query.actor:
        found = found.also("member", [_actor(law, query.actor)])
    if query.team:
        found = replace(found, stays=_stays(law, query.team))
    if query.actions:
        found = found.also("action", [_action(name) for name in query.actions])
    if query.outcome:
        column = "outcome" if query.outcome in (ALLOWED, REFUSED, FAILED) else "code"
        found = found.also(column, [_code(query.outcome) if column == "code" else query.outcome])
    if query.version is not None:
        found = found.also("number", [_number(query.version)])
    if query.on:
        found = _on(connection, scope, query.on, found)
    return [part for one in _alternatives(connection, found) for part in _parts(one)]


def _times(query: Query) -> tuple[str, str]:
    if query.since and query.until and query.since >= query.until:
        raise InvalidInput("the search ends before it begins", on=f"{query.since} to {query.until}")
    since, until = (acts.timestamp(time) if time else "" for time in (query.since, query.until))
    return since, until


def _actor(law: Law, name: str) -> str:
    return "" if name == NOBODY else law.state.member(name).name


def _stays(law: Law, team: str) -> tuple[Stay, ...]:
    """When who was in the team. An act is admitted under the law before it, so their last one counts."""
    if not law.state.has_team(team):
        raise MemberNotFound("there is no such team", on=team, hint="'registry team list' names them")
    return tuple(
        Stay(member, law.entry(begin), law.entry(end) if end else _EVER)
        for member, timeline in sorted(law.state.teams[team].items())
        for begin, end in _runs(timeline.changes())
    )


_EVER: Final = 2**62  # an entry that no ledger reaches


def _runs(changes: list[tuple[int, bool | None]]) -> Iterator[tuple[int, int]]:
    """From which position to which it was so; 0 for: it still is."""
    begin = 0
    for position, there in changes:
        if there and not begin:
            begin = position
        elif not there and begin:
            yield begin, position
            begin = 0
    if begin:
        yield begin, 0


def _action(name: str) -> str:
    if name not in _ACTIONS:
        hint = f"one of {', '.join(sorted(_ACTIONS))}; what was refused is found by its outcome"
        raise InvalidInput("there is no such action", on=repr(name), hint=hint)
    return name


def _code(outcome: str) -> str:
    if outcome not in _CODES:
        hint = "allowed, refused, failed, or the code of an error, such as not-permitted"
        raise InvalidInput("there is no such outcome", on=repr(outcome), hint=hint)
    return outcome


def _number(version: int) -> int:
    if version < 1:
        raise InvalidInput("versions count from 1", on=str(version))
    return version


def _digest(text: str) -> str:
    found = _DIGEST.fullmatch(text.lower())
    if text and not found:
        raise InvalidInput("this is no digest", on=repr(text[:100]), hint="at least its first 8 digits")
    return found[1] if found else ""


def _text(text: str) -> str:
    if len(text) > _TEXT or not text.isprintable():
        hint = f"at most {_TEXT} characters that can be printed"
        raise InvalidInput("this text cannot be searched for", on=ascii(text[:100]), hint=hint)
    return text.casefold()


def _saying(connection: sa.Connection, text: str, found: Filters) -> Filters:
    """The text, or where few acts say it, what they say: then nothing but these is looked at."""
    known = sayings_with(connection, text, _FEW + 1)
    if len(known) > _FEW:
        return replace(found, text=text)
    few = saying(connection, known, _MANY + 1) <= _MANY
    return replace(found.also("saying", known), few=few)


def _on(connection: sa.Connection, scope: Scope, on: str, found: Filters) -> Filters:
    if on == "/":
        return found.also("place", [on])
    if on.endswith("/"):
        return replace(found, within=f"{refs.check_name(on[:-1], 'the namespace')}/")
    if "/" not in on:
        return found.also("place", [refs.check_name(on, "the member or team")])
    ref = refs.parse(on)
    found = found.also("place", [ref.model])
    if ref.digest and found.digest not in ("", ref.digest):
        raise InvalidInput("two digests are asked for", on=on, hint="name one of them")
    if ref.digest:
        found = replace(found, digest=ref.digest)
    number = _resolved(connection, scope, ref) if ref.tag else ref.version
    return found if number is None else found.also("number", [number])


def _resolved(connection: sa.Connection, scope: Scope, ref: Reference) -> int | None:
    """The version that a label or an alias names now."""
    scope.require_place(ref.model)
    return queries.resolve(connection, ref).version


def _alternatives(connection: sa.Connection, found: Filters) -> Iterator[Filters]:
    """A digest is of acts, or of versions by what is in them; where two begin alike, of both."""
    if not found.digest:
        yield found
        return
    alike = sa.select(t.acts.c.seq).where(begins(t.acts.c.digest, found.digest)).limit(_ALIKE)
    entries = tuple(connection.execute(alike).scalars())
    versions = list(connection.execute(versions_with(found.digest)))
    if entries or not versions:
        yield replace(found, digest="", not_of=found.digest if versions else "", entries=entries)
    if versions:
        models = sorted({model for model, _ in versions})
        yield found.also("place", models) if len(models) <= _FEW else found


def _parts(found: Filters) -> Iterator[Filters]:
    """A team so large that one statement cannot name all, in parts."""
    if found.stays is None or len(found.stays) <= _STAYS:
        yield found
        return
    for at in range(0, len(found.stays), _STAYS):
        yield replace(found, stays=found.stays[at : at + _STAYS])


def canonical(query: Query, wanted: list[Filters]) -> list[Any]:
    """What makes two searches the same: what is asked, the version that an alias named, and the order."""
    first = wanted[0]
    times = [query.spoken] if query.spoken else [first.since, first.until]
    numbers = sorted(first.equal.get("number", ()))
    asked = [query.actor, query.team, sorted(query.actions), query.on, query.outcome, query.version]
    return [*asked, query.digest, query.text, numbers, times, query.sort, query.reverse]
