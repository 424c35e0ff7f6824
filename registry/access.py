"""Grants: giving and taking them back, and who may do what, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from registry import acts, refs
from registry.acts import timestamp
from registry.context import Context
from registry.errors import InvalidInput
from registry.law import rights
from registry.law.law import Law
from registry.law.state import ROOT
from registry.members import Changed, changed, require_known

Record = dict[str, Any]


def grant(
    context: Context, grantee: str, actions: Iterable[str], target: str, until: str | None = None
) -> Changed:
    """Allow a member or a team ``actions`` on ``NS/`` or ``NS/MODEL``, until an RFC 3339 time or for ever."""
    body = acts.Grant(grantee=grantee, actions=ordered(actions), target=check_target(target), until=until)
    return changed(context, grantee, body)


def revoke(
    context: Context, grantee: str, actions: Iterable[str], target: str, *, reencrypt: bool = False
) -> Changed:
    """Take grants back. Where the grantee could read, every key they could open is replaced."""
    body = acts.Revoke(grantee=grantee, actions=ordered(actions), target=check_target(target))
    return changed(context, grantee, body, reencrypt=reencrypt)


def rotate(context: Context, vault: str, *, reencrypt: bool = False) -> Changed:
    """Begin a new epoch of a namespace's, model's or team's vault, and of all sealed to it."""
    return changed(context, vault, acts.Rotate(vault=vault), reencrypt=reencrypt)


def ordered(actions: Iterable[str]) -> tuple[acts.Action, ...]:
    """The actions in their order, once each. Raises InvalidInput."""
    wanted = set(actions)
    if unknown := wanted - set(acts.ACTIONS):
        raise InvalidInput(
            "there is no such action", on=", ".join(sorted(unknown)), hint=f"one of {', '.join(acts.ACTIONS)}"
        )
    if not wanted:
        raise InvalidInput("no action is named", hint=f"one of {', '.join(acts.ACTIONS)}")
    found: list[acts.Action] = [action for action in _ACTIONS if action in wanted]
    return tuple(found)


_ACTIONS: tuple[acts.Action, ...] = ("pull", "push", "promote", "grant")


def check_target(text: str) -> str:
    """``NS/`` or ``NS/MODEL``. Raises InvalidReference or InvalidInput."""
    if text.endswith("/"):
        return f"{refs.check_name(text[:-1], 'the namespace')}/"
    if "/" not in text:
        raise InvalidInput(
            "a grant is on a namespace or a model", on=text, hint=f"write {text}/ for the namespace"
        )
    ref = refs.parse(text)
    if ref.version or ref.tag or ref.digest:
        raise InvalidInput("a grant is on all versions of a model", on=text, hint=f"write {ref.model}")
    return ref.model


def grants(context: Context, member: str | None = None, on: str | None = None) -> list[Record]:
    """The grants that stand, ended ones marked: of a member or team, on a target, or all of them."""
    law, now = context.law(), timestamp(context.now())
    if member is not None:
        require_known(law, member)
    target = check_target(on) if on else None
    return [
        {**record, "state": "lasts" if record["until"] is None or now < record["until"] else "ended"}
        for record in _standing(law)
        if member in (None, record["grantee"]) and target in (None, record["target"])
    ]


def _standing(law: Law) -> Iterator[Record]:
    for target in sorted(law.state.grants):
        for grantee in sorted(law.state.grants[target]):
            for action, term in rights.terms(law.state, grantee, target).items():
                timeline = law.state.grants[target][grantee][action]
                yield {
                    "grantee": grantee,
                    "kind": "team" if grantee in law.state.teams else "member",
                    "action": action,
                    "target": target,
                    "until": term.until,
                    "seq": law.entry(timeline.since()),
                }


def effective(context: Context, member: str | None = None, on: str | None = None) -> list[Record]:
    """Who may do what now, and why: one record per member, action and place that is allowed.

    ``member`` may be a team: then its members. ``on`` asks about one namespace or model, where grants on the
    namespace count as well; otherwise about every place that a grant names.
    """
    law, now = context.law(), timestamp(context.now())
    if member is not None:
        require_known(law, member)
    places = [check_target(on)] if on else _places(law)
    return [record for name in _asked(law, member) for record in _allowed(law, name, places, now)]


def _asked(law: Law, member: str | None) -> list[str]:
    if member is None:
        return sorted(name for name in law.state.members if law.state.active(name))
    return law.state.members_of(member) if member in law.state.teams else [member]


def _places(law: Law) -> list[str]:
    granted = {target for target in law.state.grants if any(law.state.grants[target].values())}
    models = {vault for vault in law.state.vaults if "/" in vault and vault != ROOT}
    return sorted(granted | models)


def _allowed(law: Law, name: str, places: list[str], now: str) -> Iterator[Record]:
    for place in places:
        for action in acts.ACTIONS:
            reasons = rights.why(law.state, name, action, place, now)
            if reasons:
                yield {
                    "member": name,
                    "action": action,
                    "target": place,
                    "until": rights.longest(reasons).until,
                    "why": [_via(law, name, reason) for reason in reasons],
                }


def _via(law: Law, name: str, reason: rights.Reason) -> str:
    if reason.target == ROOT:
        return f"{name} is an admin"
    team = f" (as member of team {reason.grantee})" if reason.grantee != name else ""
    return f"{reason}{team}"
