"""Which act of the law may follow: each rule raises, and changes nothing."""

from __future__ import annotations

from registry import acts
from registry.acts import Act
from registry.crypto import possession
from registry.errors import (
    AlreadyExists,
    Conflict,
    GrantNotFound,
    InvalidInput,
    MemberNotFound,
    NotPermitted,
)
from registry.law.rights import longest, require, require_admin, terms, why
from registry.law.state import ROOT, State, Term


def check(state: State, act: Act, actor: str, time: str) -> None:
    """Raise unless the member ``actor`` may, at ``time``, add ``act`` to the law as it is."""
    body = act.body
    match body:
        case acts.Genesis():
            raise Conflict("the registry has a genesis act already")
        case acts.Enroll():
            require_admin(state, actor, "enroll members")
            _enroll(state, body)
        case acts.Disable():
            require_admin(state, actor, "disable members")
            _disable(state, body)
        case acts.Replace():
            _replace(state, body, actor)
        case acts.Team() | acts.TeamAdd() | acts.TeamRemove():
            require_admin(state, actor, "change teams")
            _team(state, body)
        case acts.Grant():
            _grant(state, body, time, longest(require(state, actor, "grant", body.target, time)))
        case acts.Revoke():
            require(state, actor, "grant", body.target, time)
            _revoke(state, body)
        case acts.Create():
            _create(state, body, actor, time)
        case acts.Rotate():
            _rotate(state, body, actor, time)
        case acts.Policy():
            require_admin(state, actor, "set policies")


def _enroll(state: State, body: acts.Enroll) -> None:
    identity = possession.verify(body.identity)
    if identity.name != body.name:
        raise InvalidInput("the identity is of another name", on=f"{body.name}: {identity.name}")
    _free(state, body.name)
    _unused(state, identity.signing.keyid)


def _free(state: State, name: str) -> None:
    if name in state.teams or name in state.members:
        raise AlreadyExists(
            "a member or a team has this name", on=name, hint="names are never used again: choose another"
        )


def _unused(state: State, keyid: str) -> None:
    if keyid in state.keyids:
        raise AlreadyExists(
            "a member has or had this key",
            on=f"{state.keyids[keyid]}, key {keyid[:16]}",
            hint="make a new one with 'registry identity create'",
        )


def _disable(state: State, body: acts.Disable) -> None:
    member = state.member(body.name)
    if not state.active(body.name):
        raise AlreadyExists("the member is disabled already", on=body.name)
    if member.role == "admin" and set(state.admins()) == {body.name}:
        raise Conflict("the last admin cannot be disabled", on=body.name, hint="enroll another admin first")


def _replace(state: State, body: acts.Replace, actor: str) -> None:
    if actor != body.name:
        require_admin(state, actor, "replace another member's keys")
    state.member(body.name)
    if not state.active(body.name):
        raise Conflict("the member is disabled", on=body.name)
    identity = possession.verify(body.identity)
    if identity.name != body.name:
        raise InvalidInput("the identity is of another name", on=f"{body.name}: {identity.name}")
    _unused(state, identity.signing.keyid)


def _team(state: State, body: acts.Team | acts.TeamAdd | acts.TeamRemove) -> None:
    if isinstance(body, acts.Team):
        _free(state, body.team)
        return
    if body.team not in state.teams:
        raise MemberNotFound("there is no such team", on=body.team, hint="'registry team list' names them")
    member = state.member(body.name)
    inside = body.name in state.teams[body.team] and state.teams[body.team][body.name].at()
    if isinstance(body, acts.TeamRemove):
        if not inside:
            raise MemberNotFound("the member is not in the team", on=f"{body.name}, {body.team}")
        return
    if inside:
        raise AlreadyExists("the member is in the team already", on=f"{body.name}, {body.team}")
    if not state.active(body.name):
        raise Conflict("the member is disabled", on=body.name)
    _no_auditor(member.role, body.name)


def _no_auditor(role: str, name: str) -> None:
    if role == "auditor":
        raise NotPermitted(
            "an auditor gets no key of a model, so takes no grant and joins no team",
            on=name,
            hint="enroll a second identity for the other work",
        )


def _grant(state: State, body: acts.Grant, time: str, own: Term) -> None:
    if list(body.actions) != [action for action in acts.ACTIONS if action in body.actions]:
        raise InvalidInput("actions are named once each, in their order", on=", ".join(body.actions))
    if body.grantee not in state.teams:
        member = state.member(body.grantee)
        if not state.active(body.grantee):
            raise Conflict("the member is disabled", on=body.grantee)
        _no_auditor(member.role, body.grantee)
    if body.until is not None and body.until <= time:
        raise InvalidInput("the grant would end before it begins", on=body.until)
    # Whoever may grant until Friday could otherwise grant themselves what lasts for ever.
    if own.until is not None and (body.until is None or body.until > own.until):
        raise NotPermitted(
            "a grant cannot outlast the right of who gives it", on=body.target, hint=f"--until {own.until}"
        )


def _revoke(state: State, body: acts.Revoke) -> None:
    standing = terms(state, body.grantee, body.target)
    for action in body.actions:
        if action not in standing:
            raise GrantNotFound(
                f"{body.grantee} has no such grant",
                on=f"{action} on {body.target}",
                hint=f"'registry grants --member {body.grantee}' shows what stands, and through which team",
            )


def _create(state: State, body: acts.Create, actor: str, time: str) -> None:
    if not why(state, actor, "grant", body.model, time):
        require(state, actor, "push", body.model, time)
    if body.model in state.vaults:
        raise AlreadyExists("the model exists already", on=body.model)


def _rotate(state: State, body: acts.Rotate, actor: str, time: str) -> None:
    if body.vault not in state.vaults:
        raise MemberNotFound("there is no such vault", on=body.vault, hint="name a namespace/ or a model")
    if body.vault == ROOT or "/" not in body.vault:
        require_admin(state, actor, "rotate the keys of a team or of the registry")
    else:
        require(state, actor, "grant", body.vault, time)
