"""Acts about versions, names and vaults that do not fit what is there."""

from __future__ import annotations

import msgspec
import rfc8785

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


@forgery(errors.Conflict, "another digest")
def a_failure_of_another_digest(alice: Publisher) -> dsse.Envelope:
    body = alice.about(acts.Failure, 1, purpose="run", step=10, code="bad-digest")
    return alice.sign(msgspec.structs.replace(body, digest="0" * 64))


@forgery(errors.Yanked, "wrong labels")
def a_pull_of_a_yanked_version(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.about(acts.Pull, 3, purpose="run"))


@forgery(errors.Yanked, "wrong labels")
def an_alias_to_a_yanked_version(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.about(acts.Alias, 3, name="x"))


@forgery(errors.AlreadyExists, "yanked already")
def a_second_yank(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.about(acts.Yank, 3, reason="again"))


@forgery(errors.Conflict, "has not been created")
def a_push_to_a_model_that_was_not_created(alice: Publisher) -> dsse.Envelope:
    """What a push that brought its own vault used to be: a vault comes with ``create`` alone."""
    return alice.sign(alice.push(model="vision/nowhere", create=False))


@forgery(errors.VersionTaken, "another epoch")
def a_blob_sealed_to_another_epoch(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    return alice.sign(msgspec.structs.replace(body, blobs=each(body.blobs, epoch=2)))


@forgery(errors.VersionTaken, "another epoch")
def a_blob_sealed_to_the_epoch_before_a_rotation(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    alice.rotate("vision/net")
    return alice.sign(body)


@forgery(errors.Conflict, "another digest")
def an_attestation_of_another_digest(alice: Publisher) -> dsse.Envelope:
    body = _attest(alice, 1)
    return alice.sign(msgspec.structs.replace(body, digest="0" * 64))


@forgery(errors.BadAttestation, "something else")
def a_statement_about_another_version(alice: Publisher) -> dsse.Envelope:
    other = _attest(alice, 2)
    return alice.sign(msgspec.structs.replace(_attest(alice, 1), statement=other.statement))


@forgery(errors.BadSignature, "")
def a_statement_signed_by_a_stranger(alice: Publisher) -> dsse.Envelope:
    return alice.sign(_attest(alice, 1, signer=Identity.generate("eve")))


@forgery(errors.BadSignature, "")
def a_statement_signed_by_another_member(alice: Publisher) -> dsse.Envelope:
    return alice.sign(_attest(alice, 1, signer=alice.members["bob"]))


@forgery(errors.BadAttestation, "come with the push")
def quantization_facts_attested_after_the_push(alice: Publisher) -> dsse.Envelope:
    """They would be read as the version's own facts."""
    body = alice.about(acts.Alias, 1, name="x")
    facts = alice.attestation(body.model, body.digest, ["model.onnx"])
    return alice.sign(alice.about(acts.Attest, 1, statement=facts))


@forgery(errors.BadAttestation, "URI")
def a_statement_whose_type_is_no_uri(alice: Publisher) -> dsse.Envelope:
    return alice.sign(_attest(alice, 1, kind="two words"))


def _attest(
    alice: Publisher, number: int, signer: Identity | None = None, kind: str = "https://example.org/review/v1"
) -> acts.Attest:
    body: acts.Attest = alice.about(acts.Attest, number, statement=b"-")
    said = {
        "_type": acts.STATEMENT_TYPE,
        "subject": [{"name": body.model, "digest": {"sha256": body.digest}}],
        "predicateType": kind,
        "predicate": {"good": True},
    }
    signed = dsse.sign(rfc8785.dumps(said), (signer or alice.identity).signing)
    return msgspec.structs.replace(body, statement=signed.to_bytes())
