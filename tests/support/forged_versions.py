"""Acts about versions, names and vaults that do not fit what is there."""

from __future__ import annotations

import msgspec

from registry import acts, errors
from registry.crypto import dsse
from registry.crypto.identity import Identity
from support.forger import each, forgery
from support.publisher import Publisher


@forgery(errors.VersionTaken, "next version is 4")
def a_version_number_already_taken(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(number=3))


@forgery(errors.VersionTaken, "next version is 4")
def a_version_number_that_leaves_a_gap(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(number=5))


@forgery(errors.VersionTaken, "next version is 1")
def a_new_model_that_does_not_begin_at_one(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(model="vision/other", number=2))


@forgery(errors.AlreadyExists, "label")
def a_label_already_taken(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(label="1.0"))


@forgery(errors.AlreadyExists, "label")
def a_label_that_is_an_alias(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(label="prod"))


@forgery(errors.AlreadyExists, "label")
def a_label_that_is_its_own_alias(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(label="2.0", aliases=("2.0",)))


@forgery(errors.AlreadyExists, "label")
def an_alias_at_push_that_is_a_label(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(aliases=("1.0",)))


@forgery(errors.AlreadyExists, "label")
def an_alias_that_is_a_label(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.about(acts.Alias, 2, name="1.0"))


@forgery(errors.InvalidReference, "version number")
def a_label_that_reads_as_a_version(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(label="7"))


@forgery(errors.InvalidReference, "version number")
def an_alias_that_reads_as_a_version(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.about(acts.Alias, 2, name="7"))


@forgery(errors.ReferenceNotFound, "no such version")
def an_alias_to_a_version_that_is_not_there(alice: Publisher) -> dsse.Envelope:
    body = msgspec.structs.replace(alice.about(acts.Alias, 1, name="x"), number=9)
    return alice.sign(body)


@forgery(errors.Conflict, "another digest")
def an_alias_to_another_digest(alice: Publisher) -> dsse.Envelope:
    return alice.sign(msgspec.structs.replace(alice.about(acts.Alias, 1, name="x"), digest="0" * 64))


@forgery(errors.Conflict, "another digest")
def a_pull_of_another_digest(alice: Publisher) -> dsse.Envelope:
    return alice.sign(msgspec.structs.replace(alice.about(acts.Pull, 1, purpose="run"), digest="0" * 64))


@forgery(errors.Yanked, "wrong labels")
def a_pull_of_a_yanked_version(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.about(acts.Pull, 3, purpose="run"))


@forgery(errors.Yanked, "wrong labels")
def an_alias_to_a_yanked_version(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.about(acts.Alias, 3, name="x"))


@forgery(errors.AlreadyExists, "yanked already")
def a_second_yank(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.about(acts.Yank, 3, reason="again"))


@forgery(errors.VersionTaken, "created the model")
def a_second_vault(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(vault=alice.vault()))


@forgery(errors.VersionTaken, "created the model")
def a_new_model_without_a_vault(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(model="vision/other", vault=None))


@forgery(errors.InvalidInput, "epoch 1")
def a_vault_of_a_later_epoch(alice: Publisher) -> dsse.Envelope:
    body = alice.push(model="vision/other", vault=alice.vault(epoch=2))
    return alice.sign(msgspec.structs.replace(body, blobs=each(body.blobs, epoch=2)))


@forgery(errors.RegistryError, "member")
def a_vault_shared_with_a_stranger(alice: Publisher) -> dsse.Envelope:
    eve = Identity.generate("eve").signing.verifying.keyid
    return alice.sign(alice.push(model="vision/other", vault=alice.vault(recipient=eve)))


@forgery(errors.RegistryError, "")
def a_vault_of_an_unknown_suite(alice: Publisher) -> dsse.Envelope:
    vault = msgspec.structs.replace(alice.vault(), suite="hpke-rot13")
    return alice.sign(alice.push(model="vision/other", vault=vault))


@forgery(errors.RegistryError, "")
def a_vault_whose_public_key_is_none(alice: Publisher) -> dsse.Envelope:
    vault = msgspec.structs.replace(alice.vault(), public=b"\0" * 7)
    return alice.sign(alice.push(model="vision/other", vault=vault))


@forgery(errors.Conflict, "there already")
def a_vault_shared_twice_with_one_member(alice: Publisher) -> dsse.Envelope:
    vault = alice.vault()
    return alice.sign(
        alice.push(model="vision/other", vault=msgspec.structs.replace(vault, shares=vault.shares * 2))
    )


@forgery(errors.VersionTaken, "another epoch")
def a_blob_sealed_to_another_epoch(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    return alice.sign(msgspec.structs.replace(body, blobs=each(body.blobs, epoch=2)))
