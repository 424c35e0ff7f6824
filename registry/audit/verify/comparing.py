"""Two sides of a table held against each other, row by row, in the order of their keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from registry.audit.verify.finding import Finding
from registry.audit.verify.source import Values


class Says(NamedTuple):
    """How it is told that a row is not there, should not be there, or should be another."""

    missing: str
    forged: str
    differs: str


ACTS: Final = Says("the ledger has it", "no act wrote it", "an act says otherwise")
EVENTS: Final = Says("there are events to count", "there are no such events", "the events say otherwise")


def ordered(table: sa.Table, bytewise: str) -> str:
    """The statement that reads a table in the order of its key."""
    columns = ", ".join(f'"{name}"' for name in table.columns.keys())  # noqa: SIM118
    texts = {column.name: bytewise if column.type.python_type is str else "" for column in table.primary_key}
    return f'SELECT {columns} FROM "{table.name}" ORDER BY ' + ", ".join(
        f'"{n}"{how}' for n, how in texts.items()
    )


def differing(
    table: str,
    names: list[str],
    keys: list[str],
    found: Iterable[Values],
    expected: Iterable[Values],
    says: Says = ACTS,
) -> Iterator[Finding]:
    """Rows that are missing, forged or changed; both sides come in the order of their keys."""
    at = [names.index(key) for key in keys]
    left, right = iter(found), iter(expected)
    there, wanted = next(left, None), next(right, None)
    while there is not None or wanted is not None:
        if there == wanted:
            there, wanted = next(left, None), next(right, None)
            continue
        mine, theirs = _place(there, at), _place(wanted, at)
        if there is None or (wanted is not None and theirs < mine):
            yield Finding("row-missing", f"{table} {_key(wanted, at)}", says.missing)
            wanted = next(right, None)
        elif wanted is None or mine < theirs:
            yield Finding("row-forged", f"{table} {_key(there, at)}", says.forged)
            there = next(left, None)
        else:
            changed = [name for name, one, other in zip(names, there, wanted, strict=True) if one != other]
            on = f"{table}.{', '.join(changed)} {_key(wanted, at)}"
            yield Finding("row-differs", on, says.differs)
            there, wanted = next(left, None), next(right, None)


def _place(row: Values | None, at: list[int]) -> list[tuple[int, Any]]:
    """A key in the order of SQLite, which sorts values of all types: none, numbers, texts, bytes."""
    if row is None:
        return []
    ranks = {int: 1, float: 1, bool: 1, str: 2, bytes: 3}
    return [(ranks.get(type(row[one]), 0), 0 if row[one] is None else row[one]) for one in at]


def _key(row: Values | None, at: list[int]) -> str:
    return shown([row[one] for one in at]) if row else ""


def shown(key: Iterable[object]) -> str:
    """A row's key, as findings name it."""
    return " ".join(str(part) for part in key)
