"""Who holds what, by the law as it stands: never from a table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

import sqlalchemy as sa

from registry.acts import ACTIONS, timestamp
from registry.audit.report.activity import TOP, happened
from registry.audit.report.estate import Cell, Change, Ending, Grantee, Holdings, Namespace, Ranked
from registry.audit.report.period import Period
from registry.law import rights
from registry.law.state import State
from registry.records.events import ALLOWED
from registry.records.tables import events

_COLUMNS, _ROWS, _ENDING = 8, 12, 6
_SOON = timedelta(days=30)


@dataclass(frozen=True)
class Standing:
    """A grant that stands and lasts."""

    target: str
    grantee: str
    action: str
    until: str | None

    @property
    def space(self) -> str:
        return f"{self.target.partition('/')[0]}/"


@dataclass
class _Reach:
    """What somebody reaches: whole namespaces, and single models."""

    spaces: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)

    def add(self, target: str) -> None:
        (self.spaces if target.endswith("/") else self.models).add(target)

    def count(self, models: Counter[str]) -> int:
        """How many models it comes to; ``models`` says how many there are in each namespace."""
        alone = sum(f"{model.partition('/')[0]}/" not in self.spaces for model in self.models)
        return alone + sum(models[space] for space in self.spaces)


class Rights:
    """The grants that last at a time, and whom they reach."""

    def __init__(self, state: State, now: str) -> None:
        self.state, self.now = state, now

    @cached_property
    def standing(self) -> list[Standing]:
        return [
            Standing(target, grantee, action, term.until)
            for target, grantees in self.state.grants.items()
            for grantee in grantees
            for action, term in rights.terms(self.state, grantee, target).items()
            if term.lasts(self.now)
        ]

    @cached_property
    def models(self) -> Counter[str]:
        """How many models each namespace has; one without any counts 0."""
        found: Counter[str] = Counter()
        for vault in self.state.vaults:
            space, slash, model = vault.partition("/")
            if space and slash:
                found[f"{space}/"] += bool(model)
        return found

    @cached_property
    def teams(self) -> dict[str, list[str]]:
        """The active members of each team."""
        return {team: self.state.members_of(team) for team in self.state.teams}

    def people(self, grantee: str) -> list[str]:
        """The active members to whom a grant to ``grantee`` is one."""
        if grantee in self.teams:
            return self.teams[grantee]
        return [grantee] if self.state.active(grantee) else []


def read(connection: sa.Connection, state: State, period: Period, now: datetime) -> Holdings:
    """Everything of the section."""
    held = Rights(state, timestamp(now))
    spaces = _spaces(held)
    active = {name for name in state.members if state.active(name)}
    ending = _ending(held, timestamp(now + _SOON))
    changes = list(_changes(connection, period))
    enrolled = [change for action, change in changes if action == "enroll"]
    return Holdings(
        members=len(active),
        admins=_of_role(state, active, "admin"),
        auditors=_of_role(state, active, "auditor"),
        disabled=len(state.members) - len(active),
        teams=len(state.teams),
        grants=len(held.standing),
        handing=sum(one.action == "grant" for one in held.standing),
        columns=tuple(one.name for one in spaces[:_COLUMNS]),
        grantees=tuple(_grantees(held, [one.name for one in spaces[:_COLUMNS]])),
        namespaces=tuple(spaces[: TOP + 2]),
        widest=tuple(_widest(held)),
        models=held.models.total(),
        ending=tuple(ending[:_ENDING]),
        endings=len(ending),
        new_admins=tuple(one for one in enrolled if _role(state, one.name) == "admin"),
        new_members=len(enrolled),
        policies=tuple(change for action, change in changes if action == "policy"),
        replaced=tuple(
            change for action, change in changes if action == "replace" and change.by != change.name
        ),
    )


def _of_role(state: State, active: set[str], role: str) -> tuple[str, ...]:
    return tuple(sorted(name for name in active if state.members[name].role == role))


def _role(state: State, name: str) -> str:
    return state.members[name].role if name in state.members else ""


def _spaces(held: Rights) -> list[Namespace]:
    """The namespaces, those first that most people can read."""
    who: dict[str, dict[str, set[str]]] = defaultdict(lambda: {action: set() for action in ACTIONS})
    for one in held.standing:
        people = held.people(one.grantee)
        who[one.space][one.action].update(people)
        if one.action == "grant":  # who may hand on can read
            who[one.space]["pull"].update(people)
    found = [
        Namespace(space, held.models[space], **{action: len(who[space][action]) for action in ACTIONS})
        for space in held.models.keys() | who.keys()
    ]
    return sorted(found, key=lambda one: (-one.pull, -one.models, one.name))


def _grantees(held: Rights, columns: list[str]) -> Iterator[Grantee]:
    """The teams and members whose grants come to most: people times models."""
    reach: dict[str, _Reach] = defaultdict(_Reach)
    cells: dict[tuple[str, str], list[Standing]] = defaultdict(list)
    for one in held.standing:
        reach[one.grantee].add(one.target)
        cells[one.grantee, one.space].append(one)
    size = {name: len(held.people(name)) * found.count(held.models) for name, found in reach.items()}
    for name in sorted((name for name in size if size[name]), key=lambda name: (-size[name], name))[:_ROWS]:
        kind = "team" if name in held.teams else "member"
        shown = tuple(_cell(cells[name, space]) for space in columns)
        yield Grantee(name, kind, len(held.people(name)), shown)  # type: ignore[arg-type]


def _cell(grants: list[Standing]) -> Cell:
    """What is held on the whole namespace; where nothing is, what is held on its models."""
    whole = {one.action for one in grants if one.target.endswith("/")}
    some = whole or {one.action for one in grants}
    models = 0 if whole else len({one.target for one in grants})
    return Cell(tuple(action for action in ACTIONS if action in some), models)


def _widest(held: Rights) -> Iterator[Ranked]:
    reach: dict[str, _Reach] = defaultdict(_Reach)
    for one in held.standing:
        if one.action in ("pull", "grant"):
            for name in held.people(one.grantee):
                reach[name].add(one.target)
    count = {name: found.count(held.models) for name, found in reach.items()}
    for name in sorted(count, key=lambda name: (-count[name], name))[:TOP]:
        yield Ranked(name, count[name])


def _ending(held: Rights, soon: str) -> list[Ending]:
    found = [
        Ending(one.grantee, one.action, one.target, one.until)
        for one in held.standing
        if one.until is not None and one.until <= soon
    ]
    return sorted(found, key=lambda one: (one.until, one.grantee, one.target, one.action))


def _changes(connection: sa.Connection, period: Period) -> Iterator[tuple[str, Change]]:
    """Who was enrolled, whose keys were replaced, and the policies set in the period."""
    query = sa.select(events).where(
        events.c.action.in_(("enroll", "replace", "policy")),
        events.c.outcome == ALLOWED,
        happened(period),
    )
    for row in connection.execute(query.order_by(events.c.seq)):
        yield row.action, Change(row.place, row.member, row.time, row.seq)
