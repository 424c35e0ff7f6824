"""Acts after which a vault must begin anew, and does not as it must: readers, epochs, vaults below, blobs."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from registry import acts, errors
from registry.crypto import dsse, possession
from registry.crypto.identity import Identity
from support.forger import forgery
from support.handing import revocation, with_keys, with_vault
from support.publisher import Publisher

# --- a vault that must begin anew -------------------------------------------------------------


@forgery(errors.Malformed, "begins other vaults")
def a_revocation_that_leaves_the_vault_as_it_is(alice: Publisher) -> dsse.Envelope:
    return alice.sign(with_keys(revocation(alice), vaults=(), blobs=()))


@forgery(errors.Malformed, "others than its readers")
def a_revocation_whose_new_epoch_the_revoked_can_read(alice: Publisher) -> dsse.Envelope:
    body = revocation(alice)
    rotated = alice.whole(acts.Rotate("vision/net"))  # bob is a reader still
    return alice.sign(replace(body, custody=rotated.custody))


@forgery(errors.Malformed, "others than its readers")
def a_rotation_that_leaves_a_reader_out(alice: Publisher) -> dsse.Envelope:
    body = alice.whole(acts.Rotate("vision/net"))
    return alice.sign(replace(body, custody=revocation(alice).custody))


@forgery(errors.Malformed, "out of turn")
def a_rotation_that_skips_an_epoch(alice: Publisher) -> dsse.Envelope:
    body = alice.whole(acts.Rotate("vision/net"))
    return alice.sign(with_vault(body, epoch=body.custody.vaults[0].epoch + 1))


@forgery(errors.Malformed, "out of turn")
def a_rotation_that_stays_in_its_epoch(alice: Publisher) -> dsse.Envelope:
    body = alice.whole(acts.Rotate("vision/net"))
    return alice.sign(with_vault(body, epoch=body.custody.vaults[0].epoch - 1))


@forgery(errors.Malformed, "begins other vaults")
def a_rotation_that_stops_above_the_models(alice: Publisher) -> dsse.Envelope:
    """The models' keys are sealed to the namespace's old one, too: whoever had that has them."""
    body = alice.whole(acts.Rotate("audio/"))
    above = tuple(vault for vault in body.custody.vaults if vault.name == "audio/")
    return alice.sign(with_keys(body, vaults=above, blobs=()))


@forgery(errors.Malformed, "begins other vaults")
def a_disabled_member_whose_team_keeps_its_key(alice: Publisher) -> dsse.Envelope:
    return alice.sign(with_keys(alice.whole(acts.Disable("carol")), vaults=(), blobs=()))


@forgery(errors.Malformed, "begins other vaults")
def a_member_out_of_a_team_that_keeps_its_key(alice: Publisher) -> dsse.Envelope:
    return alice.sign(with_keys(alice.whole(acts.TeamRemove("ml", "carol")), vaults=(), blobs=()))


@forgery(errors.Malformed, "begins other vaults")
def a_lost_key_replaced_without_new_epochs(alice: Publisher) -> dsse.Envelope:
    """Whoever found the old key reads on."""
    body = alice.whole(acts.Replace("bob", possession.prove(Identity.generate("bob"))))
    share = alice.custodian.handed(alice.law(), "vision/net", "bob", False, body)
    return alice.sign(with_keys(body, vaults=(), shares=(share,), blobs=()))


@forgery(errors.Malformed, "to others than it must")
def an_own_key_replaced_without_the_shares(alice: Publisher) -> dsse.Envelope:
    bob = alice.members["bob"]
    body = alice.whole(acts.Replace("bob", possession.prove(Identity.generate("bob"))), bob)
    return alice.sign(with_keys(body, shares=()), by=bob)


# --- the blobs of a rotation ------------------------------------------------------------------


def _blobs(alice: Publisher, **changes: Any) -> dsse.Envelope:
    body = alice.whole(acts.Rotate("vision/net"))
    first, *rest = body.custody.blobs
    changed = replace(first, blob=replace(first.blob, **changes))
    return alice.sign(with_keys(body, blobs=(changed, *rest)))


@forgery(errors.Outdated, "other blobs")
def a_rotation_that_leaves_a_blob_out(alice: Publisher) -> dsse.Envelope:
    body = alice.whole(acts.Rotate("vision/net"))
    return alice.sign(with_keys(body, blobs=body.custody.blobs[1:]))


@forgery(errors.Outdated, "other blobs")
def a_rotation_that_leaves_every_blob_out(alice: Publisher) -> dsse.Envelope:
    return alice.sign(with_keys(alice.whole(acts.Rotate("vision/net")), blobs=()))


@forgery(errors.Outdated, "other blobs")
def a_rotation_made_before_a_push_that_came_first(alice: Publisher) -> dsse.Envelope:
    body = alice.whole(acts.Rotate("audio/vad"))
    alice.admit(alice.push(model="audio/vad"))
    return alice.sign(body)


@forgery(errors.Outdated, "other blobs")
def a_rotation_that_brings_a_blob_of_its_own(alice: Publisher) -> dsse.Envelope:
    return _blobs(alice, content="0" * 64)


@forgery(errors.Untrusted, "twice")
def a_rotation_that_seals_one_blob_twice(alice: Publisher) -> dsse.Envelope:
    body = alice.whole(acts.Rotate("vision/net"))
    first = body.custody.blobs[0]
    again = alice.custodian.rekeyed(body.custody.vaults[0], first.blob)
    return alice.sign(with_keys(body, blobs=(replace(first, blob=again), *body.custody.blobs)))


@forgery(errors.BadReference, "may only seal anew")
def a_rotation_that_changes_a_blobs_bytes(alice: Publisher) -> dsse.Envelope:
    return _blobs(alice, sha256="0" * 64)


@forgery(errors.BadReference, "may only seal anew")
def a_rotation_that_renames_a_blob(alice: Publisher) -> dsse.Envelope:
    return _blobs(alice, id="renamed")


@forgery(errors.BadReference, "may only seal anew")
def a_rotation_that_changes_a_blobs_size(alice: Publisher) -> dsse.Envelope:
    return _blobs(alice, id="longer", sha256="0" * 64, size=10**6)


@forgery(errors.BadReference, "may only seal anew")
def a_rotation_whose_blobs_stay_in_their_epoch(alice: Publisher) -> dsse.Envelope:
    return _blobs(alice, epoch=alice.law().state.vaults["vision/net"].epoch)


@forgery(errors.Malformed, "whose vault stays")
def a_rotation_that_seals_another_models_blobs_too(alice: Publisher) -> dsse.Envelope:
    body, other = alice.whole(acts.Rotate("vision/net")), alice.whole(acts.Rotate("audio/vad"))
    return alice.sign(with_keys(body, blobs=(*body.custody.blobs, *other.custody.blobs)))


@forgery(errors.Conflict, "there already")
def a_rotation_that_moves_a_blob_to_an_id_in_use(alice: Publisher) -> dsse.Envelope:
    return _blobs(alice, id=alice.blobs_of("audio/vad")[0].id, sha256="0" * 64)
