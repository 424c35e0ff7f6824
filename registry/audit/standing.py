"""An act that has been proven, in the words of whoever has to believe it: who, what, and by what right."""

from __future__ import annotations

from registry import acts
from registry.acts import Act
from registry.audit.event import Event, event
from registry.law import rights
from registry.law.law import Law

_NEEDED = {"push": "push", "alias": "promote", "yank": "promote", "pull": "pull", "failure": "pull"}
_FOUNDER = "the registry id is the digest of this act"
_DOOR = "the ledger's own record, signed by its key"


def told(law: Law, act: Act, seq: int) -> Event:
    """The event that an act of the ledger is; ``law`` has come at least as far as the act's own."""
    return event(act, seq, _name(law, act))


def _name(law: Law, act: Act) -> str:
    match act.body:
        case acts.Genesis():
            return act.body.name
        case acts.Refusal():
            return act.body.member
    return law.signer(act).name


def by_right(law: Law, act: Act) -> str:
    """Why the signer could do this then: as an admin, or by which grant. That they could is proven before."""
    match act.body:
        case acts.Genesis():
            return _FOUNDER
        case acts.Refusal():
            return _DOOR
    member = law.signer(act)
    if isinstance(act.body, acts.Replace) and act.body.name == member.name:
        return "one's own keys, by the key before"
    if member.role in ("admin", "auditor"):
        return member.role
    return "; ".join(dict.fromkeys(map(str, _reasons(law, act, member.name)))) or "a member"


def _reasons(law: Law, act: Act, name: str) -> list[rights.Reason]:
    where, time, at = act.model or act.target or "", act.header.time, law.position(act)
    if act.is_law:
        actions: tuple[str, ...] = ("grant", "push") if isinstance(act.body, acts.Create) else ("grant",)
    else:
        actions = (_NEEDED[act.kind],) if act.kind in _NEEDED else acts.ACTIONS
    return [one for action in actions for one in rights.why(law.state, name, action, where, time, at)]
