"""Rights that stand, and that nobody has used for long: what matters most of them first."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from registry.acts import timestamp
from registry.audit.report.estate import Right, Unused
from registry.audit.stale import stale_grants
from registry.audit.tallies import times
from registry.context import Context
from registry.law import rights
from registry.law.law import Law
from registry.records.database import reading

_SHOWN = 12
# The most dangerous first: who may do everything, hand on, publish, promote, read.
_ORDER: Final = ("admin", "grant", "push", "promote", "pull")


def read(context: Context, now: datetime, days: int) -> Unused:
    """Everything of the section. Raises as ``stale_grants``."""
    rows = stale_grants(context, days).rows
    law = context.law()
    with reading(context.engine) as connection:
        standing = _standing(connection, law, timestamp(now), timestamp(now - timedelta(days=days)))
    unused = Counter(row["action"] for row in rows)
    return Unused(
        days=days,
        count=len(rows),
        never=sum(row["last_used"] is None for row in rows),
        by_action=tuple(
            (action, unused[action], max(standing[action], unused[action]))
            for action in _ORDER
            if standing[action] or unused[action]
        ),
        rights=tuple(_right(row) for row in sorted(rows, key=_weight)[:_SHOWN]),
    )


def _weight(row: dict[str, Any]) -> tuple[int, bool, str, int]:
    """Powerful before weak, whole namespaces before models, long unused before short."""
    space = row["on"].endswith("/")
    return _ORDER.index(row["action"]), not space, row["last_used"] or row["granted"] or "", row["entry"]


def _right(row: dict[str, Any]) -> Right:
    return Right(row["grantee"], row["action"], row["on"], row["granted"] or "", row["last_used"] or "")


def _standing(connection: sa.Connection, law: Law, now: str, cutoff: str) -> Counter[str]:
    """How many rights stand since before ``cutoff``, by action."""
    state = law.state
    given = [("admin", law.entry(state.members[name].keys.since())) for name in state.admins()]
    for target, grantees in state.grants.items():
        for grantee in grantees:
            if grantee in state.teams or state.active(grantee):
                for action, term in rights.terms(state, grantee, target).items():
                    if term.lasts(now):
                        given.append((action, law.entry(grantees[grantee][action].since())))
    when = times(connection, {seq for _, seq in given})
    return Counter(action for action, seq in given if when.get(seq, "") < cutoff)
