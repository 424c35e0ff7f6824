"""Whoever has no right, and says otherwise: refused by name, on record, and nothing else has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from registry import acts
from registry.crypto import dsse
from registry.errors import (
    BadSignature,
    Conflict,
    Denied,
    Disabled,
    InvalidInput,
    InvalidPolicy,
    MemberNotFound,
    NotPermitted,
    Outdated,
    WrongRegistry,
)
from registry.strictjson import canonical
from support import courtroom, forging
from support.courtroom import MODEL, OTHER, Court, Database
from support.forging import Brought, Forgery, bare, reworded

FORGERIES: dict[str, Forgery] = {}
forgery = forging.table(FORGERIES)


def grant(grantee: str, *actions: acts.Action, on: str = MODEL, until: str | None = None) -> acts.Grant:
    return acts.Grant(grantee=grantee, actions=actions, target=on, until=until)


# --- who signs ------------------------------------------------------------------------------------


@forgery(NotPermitted, "not a member")
def by_a_stranger(court: Court) -> Brought:
    return bare(court, "stranger", grant("stranger", "pull"))


@forgery(BadSignature, "signature")
def by_a_stranger_in_an_admins_name(court: Court) -> Brought:
    return bare(court, "stranger", grant("stranger", "pull"), actor=court.keyid("root"))


@forgery(BadSignature, "signature")
def by_a_stranger_in_an_admins_name_and_key_id(court: Court) -> Brought:
    envelope = court.sign("stranger", grant("stranger", "pull"), actor=court.keyid("root"))
    signature = dsse.Signature(court.keyid("root"), envelope.signatures[0].sig)
    return dsse.Envelope(envelope.payload_type, envelope.payload, (signature,)), {}


@forgery(Disabled, "disabled")
def by_a_disabled_member(court: Court) -> Brought:
    return bare(court, "dis", court.about(acts.Pull, purpose="run"))


@forgery(NotPermitted, "another key by now")
def by_a_replaced_key(court: Court) -> Brought:
    return bare(court, "old", court.about(acts.Pull, purpose="run"))


@forgery(WrongRegistry, "another registry")
def for_another_registry(court: Court) -> Brought:
    return bare(court, "root", court.about(acts.Yank, reason="x"), registry="5a" * 32)


@forgery(WrongRegistry, "another registry")
def for_no_registry(court: Court) -> Brought:
    return bare(court, "root", court.about(acts.Yank, reason="x"), registry="")


def altered(envelope: dsse.Envelope, **fields: str) -> dsse.Envelope:
    """Another act, as well-formed as the first, under the first one's signature."""

    def change(said: dict[str, Any]) -> None:
        body = said["predicate"]["body"]
        body.update(fields)
        said["subject"][0]["digest"]["sha256"] = forging.sha256(canonical(body))
        said["subject"][0]["name"] = f"grant {body['target']}"

    changed = reworded(envelope, change)
    acts.decode(changed.payload)
    return changed


@forgery(BadSignature, "signature")
def another_grantee_under_an_old_signature(court: Court) -> Brought:
    return altered(court.sign("root", grant("mel", "push")), grantee="bob"), {}


@forgery(BadSignature, "signature")
def another_target_under_an_old_signature(court: Court) -> Brought:
    return altered(court.sign("root", grant("mel", "push")), target="vision/"), {}


# --- when -----------------------------------------------------------------------------------------


@forgery(Conflict, "in the ledger already")
def the_same_envelope_again(court: Court) -> Brought:
    envelope = court.sign("bob", court.about(acts.Pull, purpose="run"))
    court.submit(envelope)
    return envelope, {}


@forgery(Outdated, "law has changed")
def an_act_of_the_law_again(court: Court) -> Brought:
    """What was revoked since would otherwise be granted again."""
    envelope = court.sign("root", grant("mel", "push"))
    court.submit(envelope)
    court.enact("root", acts.Revoke(grantee="mel", actions=("push",), target=MODEL))
    return envelope, {}


@forgery(Outdated, "law has changed")
def under_the_law_before_a_revocation(court: Court) -> Brought:
    before = court.root.law().head
    court.enact("root", acts.Revoke(grantee="bob", actions=("pull",), target=MODEL))
    return bare(court, "bob", court.about(acts.Pull, purpose="run"), law=before)


@forgery(Outdated, "law has changed")
def under_a_law_that_never_was(court: Court) -> Brought:
    return bare(court, "bob", court.about(acts.Pull, purpose="run"), law="5a" * 32)


@forgery(NotPermitted, "bob may not pull")
def dated_before_a_revocation(court: Court) -> Brought:
    court.later(minutes=10)
    court.enact("root", acts.Revoke(grantee="bob", actions=("pull",), target=MODEL))
    return bare(court, "bob", court.about(acts.Pull, purpose="run"), time=court.at(minutes=-5))


@forgery(Denied, "too far from the registry's")
def dated_an_hour_ago(court: Court) -> Brought:
    return bare(court, "bob", court.about(acts.Pull, purpose="run"), time=court.at(hours=-1))


@forgery(Denied, "too far from the registry's")
def dated_an_hour_from_now(court: Court) -> Brought:
    return bare(court, "bob", court.about(acts.Pull, purpose="run"), time=court.at(hours=1))


def ended(court: Court, body: acts.LawBody) -> Brought:
    """gus's right to grant ended five minutes ago; the act says that it was signed before."""
    court.later(minutes=65)
    time = court.at(minutes=-10)
    whole, keys = court.whole(body, time=time)
    return court.sign("gus", whole, time=time), keys


@forgery(NotPermitted, "gus may not grant")
def a_grant_dated_before_ones_right_ended(court: Court) -> Brought:
    return ended(court, grant("gus", "push"))


@forgery(NotPermitted, "gus may not grant")
def a_revocation_dated_before_ones_right_ended(court: Court) -> Brought:
    return ended(court, acts.Revoke(grantee="bob", actions=("pull",), target=MODEL))


@forgery(NotPermitted, "gus may not grant")
def a_rotation_dated_before_ones_right_ended(court: Court) -> Brought:
    """The one who rotates makes the new key, and would read everything after their time."""
    return ended(court, acts.Rotate(vault=MODEL))


@forgery(NotPermitted, "may not push")
def a_creation_dated_before_ones_right_ended(court: Court) -> Brought:
    court.enact("root", grant("mel", "push", on="vision/", until=court.at(minutes=30)))
    court.later(minutes=35)
    time = court.at(minutes=-10)
    whole, keys = court.whole(acts.Create("vision/other"), time=time)
    return court.sign("mel", whole, time=time), keys


def ending(court: Court, *actions: acts.Action) -> str:
    """mel's right ends in five minutes; returned is a time after that, which the clocks may differ by."""
    court.enact("root", grant("mel", *actions, until=court.at(minutes=5)))
    return court.at(minutes=10)


@forgery(NotPermitted, "mel may not push")
def a_push_dated_after_ones_right_ends(court: Court) -> Brought:
    """Whoever replays the ledger would find a push without a right to it."""
    time = ending(court, "push")
    push, keys = court.push("mel")
    return court.sign("mel", push, time=time), keys


@forgery(NotPermitted, "mel may not promote")
def a_yank_dated_after_ones_right_ends(court: Court) -> Brought:
    time = ending(court, "promote")
    return bare(court, "mel", court.about(acts.Yank, reason="x"), time=time)


@forgery(NotPermitted, "mel may not promote")
def an_alias_dated_after_ones_right_ends(court: Court) -> Brought:
    time = ending(court, "promote")
    return bare(court, "mel", court.about(acts.Alias, name="prod"), time=time)


# --- more than one's own right --------------------------------------------------------------------


@forgery(NotPermitted, "bob may not grant")
def a_member_grants_themselves(court: Court) -> Brought:
    return bare(court, "bob", grant("bob", "push"))


@forgery(NotPermitted, "gus may not grant")
def a_grant_on_a_wider_target_than_ones_own(court: Court) -> Brought:
    return bare(court, "gus", grant("gus", "push", on="vision/"))


@forgery(NotPermitted, "gus may not grant")
def a_grant_on_another_target_than_ones_own(court: Court) -> Brought:
    return bare(court, "gus", grant("gus", "push", on=OTHER))


@forgery(NotPermitted, "cannot outlast")
def a_grant_for_ever_by_who_may_grant_for_an_hour(court: Court) -> Brought:
    return bare(court, "gus", grant("gus", "grant"))


@forgery(NotPermitted, "cannot outlast")
def a_grant_longer_than_ones_own(court: Court) -> Brought:
    return bare(court, "gus", grant("bob", "push", until=court.at(hours=1, seconds=1)))


@forgery(NotPermitted, "takes no grant")
def a_grant_to_an_auditor(court: Court) -> Brought:
    return bare(court, "root", grant("aud", "pull"))


@forgery(Conflict, "disabled")
def a_grant_to_a_disabled_member(court: Court) -> Brought:
    return bare(court, "root", grant("dis", "pull"))


@forgery(MemberNotFound, "no such member")
def a_grant_to_nobody_known(court: Court) -> Brought:
    return bare(court, "root", grant("stranger", "push"))


@forgery(InvalidInput, "once each")
def a_grant_that_names_an_action_twice(court: Court) -> Brought:
    return bare(court, "root", grant("bob", "push", "push"))


@forgery(NotPermitted, "pusher may not grant")
def a_revocation_by_who_may_only_push(court: Court) -> Brought:
    return bare(court, "pusher", acts.Revoke(grantee="bob", actions=("pull",), target=MODEL))


@forgery(NotPermitted, "gus may not grant")
def a_rotation_of_the_namespace_by_who_may_grant_on_a_model(court: Court) -> Brought:
    return bare(court, "gus", acts.Rotate(vault="vision/"))


@forgery(NotPermitted, "only an admin")
def a_rotation_of_the_root_by_a_member(court: Court) -> Brought:
    return bare(court, "gus", acts.Rotate(vault="/"))


@forgery(NotPermitted, "only an admin")
def a_rotation_of_a_team_by_its_member(court: Court) -> Brought:
    return bare(court, "mel", acts.Rotate(vault="ml"))


@forgery(NotPermitted, "only an admin may enroll")
def a_member_enrolls(court: Court) -> Brought:
    return bare(court, "bob", acts.Enroll(name="eve", identity=court.proof("eve"), role="member"))


@forgery(NotPermitted, "only an admin may enroll")
def an_auditor_enrolls(court: Court) -> Brought:
    return bare(court, "aud", acts.Enroll(name="eve", identity=court.proof("eve"), role="admin"))


@forgery(NotPermitted, "only an admin may disable")
def a_member_disables_an_admin(court: Court) -> Brought:
    return bare(court, "bob", acts.Disable(name="root"))


@forgery(Conflict, "last admin")
def the_last_admin_is_disabled(court: Court) -> Brought:
    court.enact("root", acts.Disable(name="ann"))
    return bare(court, "root", acts.Disable(name="root"))


@forgery(NotPermitted, "only an admin may change teams")
def a_member_creates_a_team(court: Court) -> Brought:
    return bare(court, "bob", acts.Team(team="mine"))


@forgery(NotPermitted, "only an admin may change teams")
def a_member_joins_a_team(court: Court) -> Brought:
    return bare(court, "bob", acts.TeamAdd(team="ml", name="bob"))


@forgery(NotPermitted, "joins no team")
def an_auditor_is_taken_into_a_team(court: Court) -> Brought:
    return bare(court, "root", acts.TeamAdd(team="ml", name="aud"))


@forgery(NotPermitted, "only an admin may set policies")
def a_member_sets_policies(court: Court) -> Brought:
    return bare(court, "bob", acts.Policy(text=""))


@forgery(NotPermitted, "only an admin may replace")
def a_member_replaces_anothers_keys(court: Court) -> Brought:
    return bare(court, "bob", acts.Replace(name="root", identity=court.proof("root-2")))


@forgery(InvalidPolicy, "")
def a_policy_that_is_no_cedar(court: Court) -> Brought:
    return bare(court, "root", acts.Policy(text="forbid everything;"))


@forgery(InvalidPolicy, "")
def a_policy_about_what_the_schema_does_not_know(court: Court) -> Brought:
    text = '@id("x") forbid (principal, action == Action::"pull", resource) when { resource.colour == 1 };'
    return bare(court, "root", acts.Policy(text=text))


# --- the tests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused_by_name(court: Court, name: str) -> None:
    forging.refuse(court, FORGERIES[name])


def test_every_forgery_is_refused_on_postgresql_too(tmp_path: Path, postgres_url: str) -> None:
    with courtroom.build(tmp_path / "home", Database(postgres_url)) as court:
        for one in FORGERIES.values():
            with courtroom.undone(court):
                forging.refuse(court, one)
