"""Who may see what of the audit: derived from the law, never from a table.

Admins and auditors see everything. Everybody else sees what they did, what was done about them, and what
concerns their own models: those on which they hold a right at the moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa

from registry.acts import ACTIONS, timestamp
from registry.context import Context
from registry.errors import NotPermitted
from registry.law import rights
from registry.law.state import State

_CHUNK = 500  # values in one IN list
_SEERS = ("admin", "auditor")
_HINT = "ask an auditor or an admin"


@dataclass(frozen=True)
class Scope:
    """What the member ``name`` sees: all of it, or the places that are theirs."""

    name: str
    all: bool
    places: frozenset[str]  # models, and their namespaces as "NS/"; and the member's own name

    def sees(self, place: str, member: str) -> bool:
        """Whether an event by ``member`` on ``place`` may be shown."""
        return self.all or member == self.name or place in self.places

    def condition(self, table: sa.Table) -> sa.ColumnElement[bool] | None:
        """The same for the rows of ``events`` or ``activity``; None where everything may be shown."""
        if self.all:
            return None
        parts = [self._sorted[at : at + _CHUNK] for at in range(0, len(self._sorted), _CHUNK)]
        return sa.or_(table.c.member == self.name, *(table.c.place.in_(part) for part in parts))

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.places)

    def require_place(self, place: str) -> None:
        """Raise NotPermitted unless everything about this model, or NS/, may be shown."""
        if not self.all and place not in self.places:
            raise NotPermitted(f"{self.name} may not see the audit of this model", on=place, hint=_HINT)

    def require_member(self, name: str) -> None:
        """Raise NotPermitted unless everything that this member did may be shown."""
        if not self.all and name != self.name:
            raise NotPermitted(f"{self.name} may not see the audit of {name}", on=name, hint=_HINT)

    def require_all(self, what: str) -> None:
        """Raise NotPermitted unless everything may be shown. ``what`` was asked for."""
        if not self.all:
            raise NotPermitted(f"only an auditor or an admin may see {what}", on=self.name, hint=_HINT)


def scope(context: Context) -> Scope:
    """What the context's identity may see. Raises NotPermitted or Disabled for who is no member."""
    state = context.law().state
    member = state.signer(context.keyid)
    if member.role in _SEERS:
        return Scope(member.name, True, frozenset())
    time = timestamp(context.now())
    own = {model for model in _models(state, member.name) if _holds(state, member.name, model, time)}
    around = {f"{model.partition('/')[0]}/" for model in own}
    return Scope(member.name, False, frozenset({member.name, *own, *around}))


def _models(state: State, name: str) -> set[str]:
    """The models, and namespaces as "NS/", that a grant to the member or to one of their teams may cover."""
    targets = {target for who in (name, *state.teams_of(name)) for target in state.held.get(who, ())}
    spaces = {target for target in targets if target.endswith("/")}
    return targets | {vault for vault in state.vaults if f"{vault.partition('/')[0]}/" in spaces}


def _holds(state: State, name: str, place: str, time: str) -> bool:
    return any(rights.why(state, name, action, place, time) for action in ACTIONS)
