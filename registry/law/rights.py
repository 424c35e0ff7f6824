"""May this member do that: from role, grants and teams. Policies, which only narrow, are asked elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from registry.errors import NotPermitted
from registry.law.state import State, Term


@dataclass(frozen=True)
class Reason:
    """Why a member may do something: as an admin (``target`` is "/"), or by a grant to them or a team."""

    grantee: str
    action: str
    target: str
    until: str | None = None

    def __str__(self) -> str:
        if self.target == "/":
            return "admin"
        term = f" until {self.until}" if self.until else ""
        return f"{self.action} on {self.target} granted to {self.grantee}{term}"


def why(state: State, name: str, action: str, target: str, time: str, at: int | None = None) -> list[Reason]:
    """Every reason for which the member may do ``action`` on ``target`` at ``time``; none: they may not.

    ``target`` is ``NS/`` or ``NS/MODEL``; ``at`` the position of the law that counts, by default the newest.
    """
    if not state.active(name, at):
        return []
    found = [Reason(name, action, "/")] if state.members[name].role == "admin" else []
    for grantee in (name, *state.teams_of(name, at)):
        for place, wanted in _places(action, target):
            term = state.term(place, grantee, wanted, at)
            if term is not None and term.lasts(time):
                found.append(Reason(grantee, wanted, place, term.until))
    return found


def _places(action: str, target: str) -> Iterator[tuple[str, str]]:
    """Where a grant may stand, and of what: whoever may grant may pull, for they hold the key."""
    for place in dict.fromkeys((target, f"{target.partition('/')[0]}/")):
        yield place, action
        if action == "pull":
            yield place, "grant"


def require(
    state: State, name: str, action: str, target: str, time: str, at: int | None = None
) -> list[Reason]:
    """The reasons; raises NotPermitted where there is none."""
    found = why(state, name, action, target, time, at)
    if not found:
        raise NotPermitted(
            f"{name} may not {action} here",
            on=target,
            hint=f"ask an admin for: registry grant {name} {action} {target}",
        )
    return found


def require_admin(state: State, name: str, what: str) -> None:
    """Raises NotPermitted for anybody but an admin."""
    if state.members[name].role != "admin":
        raise NotPermitted(f"only an admin may {what}", on=name, hint="ask an admin of this registry")


def longest(reasons: list[Reason]) -> Term:
    """How long the best of these reasons lasts."""
    ends = [reason.until for reason in reasons]
    return Term(None if None in ends else max(end for end in ends if end is not None))


def terms(state: State, grantee: str, target: str) -> dict[str, Term]:
    """What stands granted to a member or a team on exactly this target: action to term."""
    found = {
        action: timeline.at() for action, timeline in state.grants.get(target, {}).get(grantee, {}).items()
    }
    return {action: term for action, term in found.items() if term is not None}
