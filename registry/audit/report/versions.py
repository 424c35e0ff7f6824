"""Which versions say what they were made from, and how good they are; those in use above all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from registry import acts
from registry.audit.report.activity import total, within
from registry.audit.report.estate import Coverage, Gap, Versions
from registry.audit.report.period import Period
from registry.records import tables as t
from registry.records.events import ALLOWED

_GAPS = 12  # versions that are listed
Key = tuple[str, int]  # model and number


@dataclass(frozen=True)
class _Known:
    """What is on record of which versions."""

    quantized: set[Key]
    lineage: set[Key]
    evaluation: set[Key]

    def coverage(self, versions: set[Key]) -> Coverage:
        """A version with nothing quantized is where lineages begin, and has no parent to be compared with:
        nobody asks it for either."""
        asked = versions & self.quantized
        return Coverage(
            total=len(versions),
            quantized=len(asked),
            lineage=len(asked & self.lineage),
            evaluation=len(asked & self.evaluation),
            neither=len(asked - self.lineage - self.evaluation),
        )


def read(connection: sa.Connection, period: Period) -> Versions:
    """Everything of the section."""
    every = _keys(connection, sa.select(t.versions.c.model, t.versions.c.number))
    yanked = _keys(connection, sa.select(t.yanks.c.model, t.yanks.c.number))
    known = _known(connection)
    pulls, named = _pulls(connection, period), _aliases(connection)
    standing = every - yanked
    used = {one for one in standing if one in pulls or one in named}
    gaps = sorted(_gaps(known, used, pulls, named), key=lambda one: (-one.pulls, one.model, one.number))
    return Versions(
        everything=known.coverage(standing),
        used=known.coverage(used),
        yanked=len(yanked),
        gaps=tuple(gaps[:_GAPS]),
        gap_count=len(gaps),
        yanked_aliases=tuple(
            f"{name} of {model}:{number}"
            for model, number in sorted(yanked & named.keys())
            for name in named[model, number]
        ),
    )


def _gaps(known: _Known, used: set[Key], pulls: dict[Key, int], named: dict[Key, list[str]]) -> Iterator[Gap]:
    for version in (used & known.quantized) - (known.lineage & known.evaluation):
        has = version in known.lineage, version in known.evaluation
        yield Gap(*version, pulls.get(version, 0), tuple(named.get(version, ())), *has)


def _known(connection: sa.Connection) -> _Known:
    quantized = sa.select(t.quantization.c.model, t.quantization.c.number).distinct()
    return _Known(
        quantized=_keys(connection, quantized.where(t.quantization.c.mode != "float")),
        lineage=_keys(connection, sa.select(t.parents.c.model, t.parents.c.number).distinct()),
        evaluation=_stated(connection, acts.EVALUATION),
    )


def _stated(connection: sa.Connection, kind: str) -> set[Key]:
    """The versions that carry a statement of this type."""
    table = t.attestations
    return _keys(connection, sa.select(table.c.model, table.c.number).distinct().where(table.c.type == kind))


def _keys(connection: sa.Connection, query: sa.Select[Any]) -> set[Key]:
    return {(model, number) for model, number in connection.execute(query)}


def _pulls(connection: sa.Connection, period: Period) -> dict[Key, int]:
    by = (t.activity.c.place, t.activity.c.number)
    query = sa.select(*by, total()).where(
        within(period), t.activity.c.action == "pull", t.activity.c.outcome == ALLOWED
    )
    return {(model, number): int(count) for model, number, count in connection.execute(query.group_by(*by))}


def _aliases(connection: sa.Connection) -> dict[Key, list[str]]:
    found: dict[Key, list[str]] = defaultdict(list)
    columns = (t.aliases.c.model, t.aliases.c.number, t.aliases.c.name)
    for model, number, name in connection.execute(sa.select(*columns).order_by(*columns)):
        found[model, number].append(name)
    return found
