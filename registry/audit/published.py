"""Versions as the audit counts them: who pushed which, and what was made from what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import sqlalchemy as sa

from registry import acts
from registry.audit.tallies import CHUNK, Condition, did, parts
from registry.records.event_tables import activity, events, parents
from registry.records.tables import versions, yanks

Version = tuple[str, int]  # model and number


class Pushed(NamedTuple):
    """A version with the act that published it."""

    version: Version
    seq: int
    time: str
    publisher: str

    @property
    def model(self) -> str:
        return self.version[0]

    def __str__(self) -> str:
        return f"{self.version[0]}:{self.version[1]}"


def pushed(connection: sa.Connection, *where: Condition) -> list[Pushed]:
    """The versions whose push is counted in these rows of ``activity``, by model and number."""
    # One push is one version: the row that counts it counts nothing else.
    query = (
        sa.select(activity.c.place, activity.c.number, events.c.seq, events.c.time, events.c.member)
        .join(events, events.c.seq == activity.c.first)
        .where(*did(acts.Push.kind), *where)
    )
    found = connection.execute(query)
    return sorted(Pushed((model, number), *act) for model, number, *act in found)


def pushed_to(connection: sa.Connection, models: Collection[str], known: int = 0) -> list[Pushed]:
    """The versions of these models, of ``known`` that there are. Where they are most of all, all are read."""
    if known and 2 * len(models) > known:
        wanted = set(models)
        return [one for one in pushed(connection) if one.model in wanted]
    found = (pushed(connection, activity.c.place.in_(part)) for part in parts(sorted(models)))
    return [one for some in found for one in some]


def withdrawn(connection: sa.Connection) -> set[Version]:
    """Every version that was yanked."""
    return {(model, number) for model, number in connection.execute(sa.select(yanks.c.model, yanks.c.number))}


def counted(connection: sa.Connection, name: str, action: str) -> dict[Version, tuple[int, int]]:
    """How often a member did this to which version, and the newest entry that says so."""
    by = (activity.c.place, activity.c.number)
    counts = (sa.cast(sa.func.sum(activity.c.acts), sa.BigInteger), sa.func.max(activity.c.last))
    query = sa.select(*by, *counts).where(activity.c.member == name, *did(action)).group_by(*by)
    return {(model, number): (made, last) for model, number, made, last in connection.execute(query)}


class Descent:
    """What was made from what, as lineage proofs and recipes say it, signed by whomever.

    For a warning every such word counts: whether it is believed is for ``registry lineage verify``.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._all: dict[Version, set[Version]] | None = None

    def below(self, roots: Iterable[Version]) -> dict[Version, Version]:
        """Every version that descends from a root, with the one it was made from; none is walked twice."""
        found: dict[Version, Version] = {}
        seen = set(roots)
        level = sorted(seen)
        while level:
            under: list[Version] = []
            for parent, children in self._children(level).items():
                fresh = sorted(children - seen)
                seen.update(fresh)
                found.update((child, parent) for child in fresh)
                under += fresh
            level = under
        return found

    def _children(self, level: list[Version]) -> dict[Version, set[Version]]:
        """In the order of ``level``."""
        edges = self._all or self._near(level)
        return {parent: edges[parent] for parent in level if parent in edges}

    def _near(self, level: list[Version]) -> dict[Version, set[Version]]:
        models = sorted({model for model, _ in level})
        if len(models) <= CHUNK:
            return _edges(self._connection, versions.c.model.in_(models))
        self._all = _edges(self._connection)
        return self._all


def _edges(connection: sa.Connection, *where: Condition) -> dict[Version, set[Version]]:
    """Parent to children, where the parent's digest is that of a version here."""
    query = (
        sa.select(versions.c.model, versions.c.number, parents.c.model, parents.c.number)
        .join(parents, parents.c.parent == versions.c.digest)
        .where(*where)
    )
    found: dict[Version, set[Version]] = defaultdict(set)
    for model, number, child, of_child in connection.execute(query):
        if (child, of_child) != (model, number):
            found[model, number].add((child, of_child))
    return found


def lines(found: dict[Version, Version]) -> Iterator[tuple[Version, list[Version]]]:
    """The same as a tree: each that something was made from, with what was."""
    children: dict[Version, list[Version]] = defaultdict(list)
    for child, parent in found.items():
        children[parent].append(child)
    yield from children.items()
