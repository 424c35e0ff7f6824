"""Acts of the law that do not fit what it says: names, keys, terms, twice or on nothing."""

from __future__ import annotations

from registry import acts, errors
from registry.crypto import dsse, possession
from registry.crypto.identity import Identity
from support.forger import forgery
from support.handing import guest_of, later, member, proof
from support.publisher import MODEL, Publisher

# --- what fits --------------------------------------------------------------------------------


@forgery(errors.AlreadyExists, "has this name")
def a_member_under_a_name_in_use(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Enroll("bob", proof("bob"), "member"))


@forgery(errors.AlreadyExists, "has this name")
def a_member_under_the_name_of_a_team(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Enroll("ml", proof("ml"), "member"))


@forgery(errors.AlreadyExists, "has this name")
def a_team_under_the_name_of_a_member(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Team("bob"))


@forgery(errors.AlreadyExists, "has this name")
def a_member_under_the_name_of_a_disabled_one(alice: Publisher) -> dsse.Envelope:
    gone = member(alice)
    alice.disable(gone.name)
    return alice.sign(acts.Enroll(gone.name, proof(gone.name), "admin"))


@forgery(errors.AlreadyExists, "had this key")
def a_member_with_anothers_key(alice: Publisher) -> dsse.Envelope:
    bob = alice.members["bob"]
    twin = Identity("twin", bob.signing, bob.sealing)
    return alice.sign(acts.Enroll("twin", possession.prove(twin), "admin"))


@forgery(errors.AlreadyExists, "had this key")
def a_key_of_ones_own_that_was_replaced(alice: Publisher) -> dsse.Envelope:
    old = member(alice)
    alice.replace(old.name)
    return alice.sign(acts.Replace(old.name, possession.prove(old)))


@forgery(errors.InvalidInput, "another name")
def a_member_by_the_statement_of_another(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Enroll("zoe", proof("yan"), "member"))


@forgery(errors.Untrusted, "")
def a_member_whose_statement_somebody_else_signed(alice: Publisher) -> dsse.Envelope:
    stated = dsse.Envelope.from_bytes(proof("zoe"))
    signed = dsse.sign(stated.payload, Identity.generate("eve").signing).to_bytes()
    return alice.sign(acts.Enroll("zoe", signed, "member"))


@forgery(errors.MemberNotFound, "no such member")
def a_stranger_disabled(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Disable("eve"))


@forgery(errors.AlreadyExists, "disabled already")
def a_member_disabled_twice(alice: Publisher) -> dsse.Envelope:
    gone = member(alice)
    alice.disable(gone.name)
    return alice.sign(acts.Disable(gone.name))


@forgery(errors.Conflict, "last admin")
def the_last_admin_disabled(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Disable("alice"))


@forgery(errors.Conflict, "disabled")
def a_disabled_member_with_new_keys(alice: Publisher) -> dsse.Envelope:
    gone = member(alice)
    alice.disable(gone.name)
    return alice.sign(acts.Replace(gone.name, proof(gone.name)))


@forgery(errors.Conflict, "disabled")
def a_disabled_member_in_a_team(alice: Publisher) -> dsse.Envelope:
    gone = member(alice)
    alice.disable(gone.name)
    return alice.sign(acts.TeamAdd("ml", gone.name))


@forgery(errors.Conflict, "disabled")
def a_grant_to_a_disabled_member(alice: Publisher) -> dsse.Envelope:
    gone = member(alice)
    alice.disable(gone.name)
    return alice.sign(acts.Grant(gone.name, ("push",), MODEL))


@forgery(errors.NotPermitted, "auditor")
def a_grant_to_an_auditor(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Grant(member(alice, "auditor").name, ("pull",), MODEL))


@forgery(errors.NotPermitted, "auditor")
def an_auditor_in_a_team(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.TeamAdd("ml", member(alice, "auditor").name))


@forgery(errors.AlreadyExists, "in the team already")
def a_member_twice_in_a_team(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.TeamAdd("ml", "carol"))


@forgery(errors.MemberNotFound, "not in the team")
def a_member_out_of_a_team_they_are_not_in(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.TeamRemove("ml", "bob"))


@forgery(errors.MemberNotFound, "no such team")
def a_member_of_a_team_that_is_not_there(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.TeamAdd("bob", "carol"))


@forgery(errors.MemberNotFound, "no such member")
def a_grant_to_a_stranger(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Grant("eve", ("pull",), MODEL))


@forgery(errors.InvalidInput, "in their order")
def a_grant_that_names_an_action_twice(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Grant("bob", ("push", "push"), MODEL))


@forgery(errors.InvalidInput, "before it begins")
def a_grant_that_ends_before_it_begins(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Grant("bob", ("push",), MODEL, later(alice)))


@forgery(errors.NotPermitted, "cannot outlast")
def a_grant_that_outlasts_the_granters_right(alice: Publisher) -> dsse.Envelope:
    guest, model = guest_of(alice, "grant")
    return alice.sign(acts.Grant("dora", ("push",), model, later(alice, minutes=6)), by=guest)


@forgery(errors.NotPermitted, "cannot outlast")
def a_grant_for_ever_by_who_may_grant_for_minutes(alice: Publisher) -> dsse.Envelope:
    guest, model = guest_of(alice, "grant")
    return alice.sign(acts.Grant(guest.name, ("pull",), model), by=guest)


@forgery(errors.GrantNotFound, "no such grant")
def a_revocation_of_what_was_never_granted(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Revoke("bob", ("push",), MODEL))


@forgery(errors.GrantNotFound, "no such grant")
def a_revocation_of_a_grant_on_another_target(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Revoke("bob", ("pull",), "vision/"))


@forgery(errors.AlreadyExists, "exists already")
def a_model_created_twice(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Create(MODEL))


@forgery(errors.NotFound, "no such vault")
def a_rotation_of_what_is_not_there(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Rotate("vision/nowhere"))


@forgery(errors.InvalidPolicy, "")
def a_policy_that_does_not_parse(alice: Publisher) -> dsse.Envelope:
    return alice.sign(acts.Policy("permit everything, please"))
