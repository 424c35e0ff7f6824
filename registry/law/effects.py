"""What an act of the law changes: facts only, tentatively; the keys that follow come with ``custody``."""

from __future__ import annotations

from registry import acts
from registry.crypto import possession
from registry.crypto.identity import PublicIdentity
from registry.law.state import Member, State, Term
from registry.law.timeline import Timeline


def apply(state: State, body: acts.LawBody) -> None:
    """Change the facts as ``body`` says. ``State.forget`` undoes it, ``State.keep`` makes it last."""
    match body:
        case acts.Genesis():
            _enroll(state, body.name, "admin", possession.verify(body.admin))
        case acts.Enroll():
            _enroll(state, body.name, body.role, possession.verify(body.identity))
        case acts.Disable():
            state.put(state.members[body.name].keys, None)
        case acts.Replace():
            identity = possession.verify(body.identity)
            state.add(state.keyids, identity.signing.keyid, body.name)
            state.put(state.members[body.name].keys, identity)
        case acts.Team():
            state.add(state.teams, body.team, {})
        case acts.TeamAdd() | acts.TeamRemove():
            inside = state.teams[body.team].setdefault(body.name, Timeline())
            state.joined[body.name].add(body.team)
            state.put(inside, isinstance(body, acts.TeamAdd))
        case acts.Grant() | acts.Revoke():
            _grants(state, body)
        case acts.Policy():
            state.put(state.policies, body.text)
        case acts.Create() | acts.Rotate():
            pass  # they change keys alone


def _enroll(state: State, name: str, role: str, identity: PublicIdentity) -> None:
    member = Member(name, role)
    state.add(state.members, name, member)
    state.add(state.keyids, identity.signing.keyid, name)
    state.put(member.keys, identity)


def _grants(state: State, body: acts.Grant | acts.Revoke) -> None:
    held = state.grants[body.target].setdefault(body.grantee, {})
    state.held[body.grantee].add(body.target)
    for action in body.actions:
        term = Term(body.until) if isinstance(body, acts.Grant) else None
        state.put(held.setdefault(action, Timeline()), term)
