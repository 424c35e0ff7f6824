"""What the questions are asked about: names, places and digests of a ledger, the busiest and any others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from benchmarks.ledgers.chance import Chance
from registry.context import Context
from registry.law.state import State
from registry.records import tables as t
from registry.records.database import reading

_BUSIEST = 6  # of each kind, which are always among those asked about


@dataclass(frozen=True)
class Samples:
    """Lists of equal length."""

    members: list[str]
    teams: list[str]
    models: list[str]
    namespaces: list[str]
    versions: list[str]
    aliases: list[str]
    people: list[str]  # members as what acts are about
    acts: list[str]  # digests
    contents: list[str]
    roots: list[str]
    codes: list[str]
    days: list[datetime]


def draw(context: Context, count: int, begin: datetime, end: datetime) -> Samples:
    """``count`` of each; the same for the same ledger."""
    state, chance = context.law().state, Chance("1", "samples")
    with reading(context.engine) as connection:
        sampler = _Sampler(connection, chance, count)
        models = sampler.busiest(t.activity.c.place, sorted(one for one in state.vaults if "/" in one[1:-1]))
        seqs = [chance.below(_newest(connection)) for _ in range(count)]
        return Samples(
            members=sampler.busiest(t.activity.c.member, sorted(state.members)),
            teams=sampler.some(_by_size(state)),
            models=models,
            namespaces=sampler.some(sorted(one for one in state.vaults if one.endswith("/") and one != "/")),
            versions=sampler.rows(t.versions, "model", "number"),
            aliases=sampler.rows(t.aliases, "model", "name"),
            people=sampler.any(sorted(state.members)),
            acts=[_digest(connection, seq) for seq in seqs],
            contents=sampler.column(t.files.c.sha256),
            roots=sampler.column(t.versions.c.digest),
            codes=sampler.some(sorted(_codes(connection))),
            days=[begin + (end - begin) * chance.random() for _ in range(count)],
        )


class _Sampler:
    def __init__(self, connection: sa.Connection, chance: Chance, count: int) -> None:
        self._connection, self._chance, self._count = connection, chance, count

    def any(self, names: list[str]) -> list[str]:
        return [self._chance.one(names) for _ in range(self._count)]

    def some(self, names: list[str]) -> list[str]:
        """All of them, again and again."""
        return [names[number % len(names)] for number in range(self._count)]

    def busiest(self, column: sa.Column[str], names: list[str]) -> list[str]:
        query = (
            sa.select(column)
            .where(column.in_(names) if len(names) < 500 else column != "")
            .group_by(column)
            .order_by(sa.func.sum(t.activity.c.acts).desc(), column)
        )
        known = set(names)
        first = [name for name in self._connection.execute(query).scalars() if name in known][:_BUSIEST]
        return [*first, *self.any(names)][: self._count]

    def rows(self, table: sa.Table, *names: str) -> list[str]:
        """References, such as a model and one of its versions."""
        query = sa.select(*(table.c[name] for name in names)).order_by(*(table.c[name] for name in names))
        found = [":".join(map(str, row)) for row in self._connection.execute(query)]
        return self.any(found)

    def column(self, column: sa.Column[str]) -> list[str]:
        return self.any(list(self._connection.execute(sa.select(column).order_by(column)).scalars()))


def _newest(connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(sa.func.max(t.events.c.seq))).scalar_one())


def _digest(connection: sa.Connection, seq: int) -> str:
    return str(connection.execute(sa.select(t.acts.c.digest).where(t.acts.c.seq == seq)).scalar_one())


def _codes(connection: sa.Connection) -> list[str]:
    found = connection.execute(sa.select(t.activity.c.code).distinct()).scalars()
    return [code for code in found if code]


def _by_size(state: State) -> list[str]:
    return sorted(state.teams, key=lambda team: (-len(state.members_of(team)), team))
