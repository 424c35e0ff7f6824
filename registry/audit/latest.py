"""The newest act of very many kinds, members and places at once: thousands of questions in few queries.

They go to the database as one JSON text, which it takes apart; each is then a short range of an index.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from registry.audit.tallies import Condition
from registry.records.event_tables import activity
from registry.records.events import ALLOWED

ANY: Final = "any"  # of all kinds
Use = tuple[str, str]  # action, and target: a model, "NS/" with all in it, or "/" for everything
Latest = dict[Use, dict[str, int]]  # by member

_Field = sa.ColumnElement[str]


def latest(connection: sa.Connection, wanted: Mapping[Use, set[str]]) -> Latest:
    """The newest allowed act of every use by each of these members, where there is one.

    On one model it is one of the latest day: where clocks differ, not always of the highest entry.
    """
    there = {use: names for use, names in wanted.items() if not use[1].endswith("/")}
    # Most members of a team never use most of its rights: who did nothing of the kind in the namespace is
    # not asked about model by model.
    spaces: dict[Use, set[str]] = defaultdict(set)
    for (action, target), names in there.items():
        spaces[action, _namespace(target)] |= names
    near = _asked(connection, _some, spaces)
    for use, names in there.items():
        there[use] = names & near.get((use[0], _namespace(use[1])), {}).keys()
    found = _asked(connection, _there, {use: names for use, names in there.items() if names})
    found |= _asked(connection, _everywhere, {use: wanted[use] for use in wanted if use[0] == ANY})
    below = {use: wanted[use] for use in wanted if use[1].endswith("/") and use[0] != ANY}
    return found | _asked(connection, _below, below)


def _namespace(model: str) -> str:
    return f"{model.partition('/')[0]}/"


_Question = Callable[[_Field, sa.CTE], sa.Select[Any]]


def _asked(connection: sa.Connection, question: _Question, wanted: Mapping[Use, set[str]]) -> Latest:
    uses, found = list(wanted), defaultdict[Use, dict[str, int]](dict)
    # "0" follows "/": what lies between is in the namespace
    asked = [[at, *use, f"{use[1][:-1]}0", [*wanted[use]]] for at, use in enumerate(uses)]
    if asked:
        query = _query(connection.dialect.name, question)
        for at, name, last in connection.execute(query, {"asked": json.dumps(asked)}):
            found[uses[at]][name] = last
    return found


def _query(dialect: str, question: _Question) -> sa.Select[Any]:
    asked = _unfolded(dialect)
    unfold = sa.func.json_array_elements_text if dialect == "postgresql" else sa.func.json_each
    who = unfold(asked.c.who).table_valued(sa.column("value", sa.Text)).alias("who")
    answer = question(who.c.value, asked).correlate(asked, who).scalar_subquery().label("last")
    found = sa.select(asked.c.at, who.c.value.label("name"), answer)
    # Materialized, or PostgreSQL would look up twice: once to see whether there is anything.
    each = found.select_from(asked.join(who, sa.true())).cte("each").prefix_with("MATERIALIZED")
    return sa.select(each).where(each.c.last.is_not(None))


def _unfolded(dialect: str) -> sa.CTE:
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


def _by(rows: Any, member: _Field) -> tuple[Condition, ...]:
    return rows.c.member == member, rows.c.outcome == ALLOWED


def _range(member: _Field, asked: sa.CTE) -> tuple[Condition, ...]:
    place = activity.c.place
    kind = activity.c.action == asked.c.action
    return *_by(activity, member), kind, place >= asked.c.target, place < asked.c.beyond


def _some(member: _Field, asked: sa.CTE) -> sa.Select[Any]:
    return sa.select(activity.c.last).where(*_range(member, asked)).limit(1)


def _below(member: _Field, asked: sa.CTE) -> sa.Select[Any]:
    return sa.select(sa.func.max(activity.c.last)).where(*_range(member, asked))


def _there(member: _Field, asked: sa.CTE) -> sa.Select[Any]:
    """The rows of the latest day alone are read, however often somebody did it before."""
    newer = activity.alias("newer")
    day = sa.select(sa.func.max(newer.c.day)).where(*_at(newer, member, asked)).correlate(asked, member.table)
    where = (*_at(activity, member, asked), activity.c.day == day.scalar_subquery())
    return sa.select(sa.func.max(activity.c.last)).where(*where)


def _at(rows: Any, member: _Field, asked: sa.CTE) -> tuple[Condition, ...]:
    return *_by(rows, member), rows.c.action == asked.c.action, rows.c.place == asked.c.target


def _everywhere(member: _Field, _asked: sa.CTE) -> sa.Select[Any]:
    return sa.select(sa.func.max(activity.c.last)).where(*_by(activity, member))
