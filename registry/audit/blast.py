"""The blast radius of a member: what whoever has their key could have forged, read, and spread.

Every version that they signed, everything that they could open, and everything that descends from those.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from registry import acts, members
from registry.acts import LAW, timestamp
from registry.audit.dossier import keys_of
from registry.audit.published import Descent, Pushed, Version, counted, pushed, pushed_to, withdrawn
from registry.audit.scope import scope
from registry.audit.spans import ADMIN, OPENING, Held, held
from registry.audit.tallies import Record, grouped, times
from registry.context import Context
from registry.law.law import Law
from registry.law.state import ROOT
from registry.records.database import reading
from registry.records.event_tables import activity
from registry.records.events import ALLOWED

SIGNED, ATTESTED, OPENED, DESCENDS = "signed", "attested", "opened", "descends"


@dataclass(frozen=True)
class Reached:
    """A version within the radius. ``pulls`` is how often the member was given it."""

    how: str  # SIGNED, ATTESTED (they vouched for it), OPENED (they could open it) or DESCENDS
    version: Pushed
    yanked: bool
    pulls: int
    because: str
    parent: Version | None = None  # of one that descends: what it was made from

    def to_dict(self) -> Record:
        one = self.version
        return {
            "how": self.how,
            "version": str(one),
            "pushed": one.time,
            "publisher": one.publisher,
            "yanked": self.yanked,
            "pulls": self.pulls,
            "because": self.because,
            "entry": one.seq,
        }


@dataclass(frozen=True)
class Right:
    """A right that they held, with the times of its bounds; ``models`` is how many it let them open."""

    held: Held
    since: str | None
    ended: str | None  # taken back, or the member disabled
    models: int

    @property
    def end(self) -> str | None:
        """When it was no more; None for a right that stands."""
        return min((end for end in (self.ended, self.held.until) if end is not None), default=None)

    def to_dict(self) -> Record:
        named = {name: getattr(self.held, name) for name in ("action", "target", "grantee", "until")}
        bounds = {"since_entry": self.held.start, "ended_entry": self.held.end}
        return {**named, "since": self.since, "ended": self.ended, **bounds, "models": self.models}


@dataclass(frozen=True)
class Blast:
    """Everything within the radius of one member."""

    member: Record
    keys: list[Record]
    rights: list[Right]
    reached: list[Reached]
    law: dict[str, int]  # acts of theirs that changed who may do what, by kind

    def of(self, how: str) -> list[Reached]:
        """The versions that were reached in one way."""
        return [one for one in self.reached if one.how == how]


def blast_radius(context: Context, name: str, since: datetime | None = None) -> Blast:
    """What a stolen key of the member reaches; ``since`` when it may have been in other hands, or ever.

    Raises NotPermitted, MemberNotFound or Untrusted.
    """
    scope(context).require_all("what somebody's key reaches")
    law, begin = context.law(), timestamp(since) if since is not None else ""
    known = members.member(law, name)
    with reading(context.engine) as connection:
        rights = [one for one in _rights(connection, law, name) if one.end is None or one.end > begin]
        models = [vault for vault in law.state.vaults if "/" in vault.strip("/")]
        found = _Reach(connection, name, begin).all(rights, models)
        opened = {one.version.model for one in found if one.how == OPENED}
        return Blast(
            known,
            list(keys_of(connection, law, name)),
            [replace(one, models=_opened(one, opened)) for one in rights],
            found,
            _acts_of_law(connection, name),
        )


def _opened(right: Right, models: set[str]) -> int:
    return sum(map(right.held.covers, models)) if right.held.action in OPENING else 0


def _rights(connection: sa.Connection, law: Law, name: str) -> Iterator[Right]:
    found = held(law, name)
    when = times(connection, (bound for one in found for bound in (one.start, one.end)))
    for one in found:
        ended = when.get(one.end) if one.end is not None else None
        yield Right(one, when.get(one.start), ended, 0)


def _acts_of_law(connection: sa.Connection, name: str) -> dict[str, int]:
    where = (activity.c.member == name, activity.c.outcome == ALLOWED, activity.c.action.in_(sorted(LAW)))
    return {row["action"]: row["acts"] for row in grouped(connection, ("action",), *where)}


class _Reach:
    """The search for the versions."""

    def __init__(self, connection: sa.Connection, name: str, begin: str) -> None:
        self._connection, self._name, self._begin = connection, name, begin
        self._yanked = withdrawn(connection)
        self._pulls = counted(connection, name, acts.Pull.kind)

    def all(self, rights: list[Right], models: list[str]) -> list[Reached]:
        """The versions signed, attested, opened, and those that descend from them."""
        signed = [*self._signed()]
        opened = [*self._opened([one.held for one in rights if one.held.action in OPENING], models)]
        # Whoever may open everything may open what was made from it.
        everything = any(one.held.target == ROOT and one.held.end is None for one in rights)
        return [*signed, *self._attested(), *opened, *self._descending(signed, [] if everything else opened)]

    def _signed(self) -> Iterator[Reached]:
        for one in pushed(self._connection, activity.c.member == self._name):
            if one.time >= self._begin:
                yield self._reached(SIGNED, one, "signed by them")

    def _attested(self) -> Iterator[Reached]:
        counts = counted(self._connection, self._name, acts.Attest.kind)
        when = times(self._connection, (last for _, last in counts.values()))
        for one in pushed_to(self._connection, {model for model, _ in counts}):
            made, last = counts.get(one.version, (0, 0))
            if made and when.get(last, "") >= self._begin:
                yield self._reached(ATTESTED, one, f"{made} statement(s) by them")

    def _opened(self, rights: list[Held], models: list[str]) -> Iterator[Reached]:
        by = _by_target(rights)
        covered = {model: [*_covering(by, model)] for model in models}
        wanted = [model for model, held_there in covered.items() if held_there]
        for one in pushed_to(self._connection, wanted, len(models)):
            for right in covered[one.model]:
                if right.reaches(one.seq, one.time):
                    yield self._reached(OPENED, one, _because(right))
                    break

    def _descending(self, signed: list[Reached], opened: list[Reached]) -> Iterator[Reached]:
        """From what they signed first: it may be forged; what they could open may only be known."""
        descent = Descent(self._connection)
        near = descent.below(one.version.version for one in signed)
        far = descent.below(one.version.version for one in opened)
        parents = {**far, **near}
        more = pushed_to(self._connection, {model for model, _ in parents})
        versions = {one.version: one for one in more}
        for child, (model, number) in sorted(parents.items()):
            if child in versions:
                from_signed = "" if child in near else ", which they could open"
                yield self._reached(
                    DESCENDS, versions[child], f"made from {model}:{number}{from_signed}", (model, number)
                )

    def _reached(self, how: str, one: Pushed, because: str, parent: Version | None = None) -> Reached:
        pulls = self._pulls.get(one.version, (0, 0))[0]
        return Reached(how, one, one.version in self._yanked, pulls, because, parent)


def _by_target(rights: Iterable[Held]) -> dict[str, list[Held]]:
    found: dict[str, list[Held]] = {}
    for right in rights:
        found.setdefault(right.target, []).append(right)
    return found


def _covering(by: dict[str, list[Held]], model: str) -> Iterator[Held]:
    for target in (ROOT, f"{model.partition('/')[0]}/", model):
        yield from by.get(target, ())


def _because(right: Held) -> str:
    if right.action == ADMIN:
        return "as an admin"
    return f"{right.action} on {right.target} granted to {right.grantee}"
