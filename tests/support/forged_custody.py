"""Acts of the law that hand over other keys than they must: too many readers, too few, or another vault.

Each is an honest act, its keys as ``law.need`` wants them, with one thing changed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from registry import acts, errors
from registry.crypto import dsse, possession
from registry.crypto.identity import Identity
from support.forger import each, forgery
from support.handing import creation, fresh, grant, with_keys, with_vault
from support.publisher import Publisher

# --- a vault that an act begins ---------------------------------------------------------------


@forgery(errors.Malformed, "others than its readers")
def a_new_vault_sealed_to_one_reader_more(alice: Publisher) -> dsse.Envelope:
    body = creation(alice)
    (vault,) = body.custody.vaults
    more = replace(vault.shares[0], recipient="carol")
    return alice.sign(with_vault(body, shares=(*vault.shares, more)))


@forgery(errors.Malformed, "others than its readers")
def a_new_vault_sealed_to_who_creates_it(alice: Publisher) -> dsse.Envelope:
    """Instead of to the namespace above: then nobody could ever take it from them."""
    body = creation(alice)
    return alice.sign(with_vault(body, shares=each(body.custody.vaults[0].shares, recipient="alice")))


@forgery(errors.Malformed, "others than its readers")
def a_new_vault_sealed_to_a_stranger(alice: Publisher) -> dsse.Envelope:
    body = creation(alice)
    return alice.sign(with_vault(body, shares=each(body.custody.vaults[0].shares, recipient="eve")))


@forgery(errors.Malformed, "others than its readers")
def a_new_vault_sealed_twice_to_one_reader(alice: Publisher) -> dsse.Envelope:
    body = creation(alice)
    return alice.sign(with_vault(body, shares=body.custody.vaults[0].shares * 2))


@forgery(errors.Malformed, "others than its readers")
def a_new_vault_whose_share_is_marked_limited(alice: Publisher) -> dsse.Envelope:
    body = creation(alice)
    return alice.sign(with_vault(body, shares=each(body.custody.vaults[0].shares, limited=True)))


@forgery(errors.Malformed, "out of turn")
def a_new_vault_of_a_later_epoch(alice: Publisher) -> dsse.Envelope:
    return alice.sign(with_vault(creation(alice), epoch=2))


@forgery(errors.Malformed, "suite")
def a_new_vault_of_an_unknown_suite(alice: Publisher) -> dsse.Envelope:
    return alice.sign(with_vault(creation(alice), suite="hpke-rot13"))


@forgery(errors.Malformed, "length")
def a_new_vault_whose_public_key_is_none(alice: Publisher) -> dsse.Envelope:
    return alice.sign(with_vault(creation(alice), public=b"\0" * 7))


@forgery(errors.Malformed, "begins other vaults")
def a_model_without_a_vault(alice: Publisher) -> dsse.Envelope:
    return alice.sign(with_keys(creation(alice), vaults=()))


@forgery(errors.Malformed, "begins other vaults")
def a_model_with_two_vaults(alice: Publisher) -> dsse.Envelope:
    body = creation(alice)
    return alice.sign(with_keys(body, vaults=body.custody.vaults * 2))


@forgery(errors.Malformed, "begins other vaults")
def a_model_whose_vault_is_another_models(alice: Publisher) -> dsse.Envelope:
    return alice.sign(with_vault(creation(alice), name=fresh("vision/")))


@forgery(errors.Malformed, "begins other vaults")
def a_model_in_a_new_namespace_without_the_namespaces_vault(alice: Publisher) -> dsse.Envelope:
    body = alice.whole(acts.Create(fresh("new-") + "/net"))
    return alice.sign(with_keys(body, vaults=body.custody.vaults[1:]))


@forgery(errors.Malformed, "begins other vaults")
def a_model_that_begins_its_namespaces_vault_anew(alice: Publisher) -> dsse.Envelope:
    """Whoever may create in a namespace would have its key, and with it every model in it."""
    body, other = creation(alice), alice.whole(acts.Rotate("vision/"))
    namespace = next(vault for vault in other.custody.vaults if vault.name == "vision/")
    return alice.sign(with_keys(body, vaults=(namespace, *body.custody.vaults)))


@forgery(errors.Malformed, "begins other vaults")
def a_team_without_a_vault(alice: Publisher) -> dsse.Envelope:
    return alice.sign(with_keys(alice.whole(acts.Team(fresh("team-"))), vaults=()))


# --- a share that an act hands over -----------------------------------------------------------


@forgery(errors.Malformed, "to others than it must")
def a_grant_without_the_key(alice: Publisher) -> dsse.Envelope:
    return alice.sign(with_keys(grant(alice), shares=()))


@forgery(errors.Malformed, "to others than it must")
def a_grant_that_hands_the_key_to_somebody_else(alice: Publisher) -> dsse.Envelope:
    body = grant(alice)
    share = replace(body.custody.shares[0].share, recipient="dora")
    return alice.sign(with_keys(body, shares=each(body.custody.shares, share=share)))


@forgery(errors.Malformed, "to others than it must")
def a_grant_with_a_share_too_many(alice: Publisher) -> dsse.Envelope:
    body = grant(alice)
    extra = alice.custodian.handed(alice.law(), "vision/net", "dora", False)
    return alice.sign(with_keys(body, shares=(*body.custody.shares, extra)))


@forgery(errors.Malformed, "to others than it must")
def a_grant_with_its_share_twice(alice: Publisher) -> dsse.Envelope:
    body = grant(alice)
    again = alice.custodian.handed(alice.law(), "vision/net", "carol", False)
    return alice.sign(with_keys(body, shares=(*body.custody.shares, again)))


@forgery(errors.Malformed, "to others than it must")
def a_grant_that_hands_over_the_namespaces_key(alice: Publisher) -> dsse.Envelope:
    above = alice.custodian.handed(alice.law(), "vision/", "carol", False)
    return alice.sign(with_keys(grant(alice), shares=(above,)))


@forgery(errors.Malformed, "to others than it must")
def a_push_right_that_hands_over_a_key(alice: Publisher) -> dsse.Envelope:
    body = alice.whole(acts.Grant("carol", ("push",), "vision/net"))
    return alice.sign(with_keys(body, shares=grant(alice).custody.shares))


@forgery(errors.Malformed, "to others than it must")
def a_passing_grant_whose_share_is_not_limited(alice: Publisher) -> dsse.Envelope:
    """Its reader would open it after the grant's end as before."""
    body = grant(alice, acts.timestamp(alice.now + timedelta(hours=1)))
    return alice.sign(with_keys(body, shares=grant(alice).custody.shares))


@forgery(errors.Malformed, "to others than it must")
def a_lasting_grant_whose_share_is_limited(alice: Publisher) -> dsse.Envelope:
    passing = grant(alice, acts.timestamp(alice.now + timedelta(hours=1)))
    return alice.sign(with_keys(grant(alice), shares=passing.custody.shares))


@forgery(errors.Malformed, "another epoch")
def a_share_of_another_epoch(alice: Publisher) -> dsse.Envelope:
    body = grant(alice)
    epoch = body.custody.shares[0].epoch + 1
    return alice.sign(with_keys(body, shares=each(body.custody.shares, epoch=epoch)))


@forgery(errors.Malformed, "begins other vaults")
def a_grant_that_begins_the_vault_anew(alice: Publisher) -> dsse.Envelope:
    rotated = alice.whole(acts.Rotate("vision/net")).custody.vaults
    return alice.sign(with_keys(grant(alice), vaults=rotated, shares=()))


@forgery(errors.Malformed, "whose vault stays")
def a_grant_that_seals_blobs_anew(alice: Publisher) -> dsse.Envelope:
    """It would put a key of the granter's choice in the place of a blob's."""
    kept = alice.whole(acts.Rotate("vision/net")).custody.blobs
    return alice.sign(with_keys(grant(alice), blobs=kept))


@forgery(errors.Malformed, "to others than it must")
def an_admin_without_the_roots_key(alice: Publisher) -> dsse.Envelope:
    return alice.sign(with_keys(_enroll(alice, "admin"), shares=()))


@forgery(errors.Malformed, "to others than it must")
def a_member_with_the_roots_key(alice: Publisher) -> dsse.Envelope:
    admin = _enroll(alice, "admin")
    return alice.sign(replace(admin, role="member"))


@forgery(errors.Malformed, "to others than it must")
def an_auditor_with_the_roots_key(alice: Publisher) -> dsse.Envelope:
    admin = _enroll(alice, "admin")
    return alice.sign(replace(admin, role="auditor"))


@forgery(errors.Malformed, "to others than it must")
def a_team_member_without_the_teams_key(alice: Publisher) -> dsse.Envelope:
    return alice.sign(with_keys(alice.whole(acts.TeamAdd("ml", "bob")), shares=()))


def _enroll(alice: Publisher, role: acts.Role) -> Any:
    name = fresh("new-")
    return alice.whole(acts.Enroll(name, possession.prove(Identity.generate(name)), role))
