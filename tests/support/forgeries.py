"""What a forger may bring to the door: each envelope differs from an honest one in one thing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import rfc8785

from registry import acts, bundle, errors, statements
from registry.crypto import dsse
from registry.crypto.identity import Identity
from registry.errors import RegistryError
from registry.manifest import Manifest
from support.publisher import FACTS, MODEL, Publisher

Forge = Callable[[Publisher], dsse.Envelope]


@dataclass(frozen=True)
class Forgery:
    """How it is made, and what the door must say: the error, and words of its message."""

    forge: Forge
    error: type[RegistryError]
    says: str


FORGERIES: dict[str, Forgery] = {}


def forgery(error: type[RegistryError], says: str) -> Callable[[Forge], Forge]:
    """Enter a forgery in the table, under its function's name."""

    def enter(forge: Forge) -> Forge:
        FORGERIES[forge.__name__.replace("_", " ")] = Forgery(forge, error, says)
        return forge

    return enter


def reworded(envelope: dsse.Envelope, change: Callable[[dict[str, Any]], object]) -> dsse.Envelope:
    """The same signatures over another payload."""
    statement = json.loads(envelope.payload)
    change(statement)
    return dsse.Envelope(envelope.payload_type, rfc8785.dumps(statement), envelope.signatures)


def _digest_of(body: acts.Push) -> str:
    return Manifest.of(body.model, {file.path: file.sha256 for file in body.files}).digest


# --- who signs --------------------------------------------------------------------------------


@forgery(errors.BadAuthority, "not a member")
def an_act_by_a_stranger(alice: Publisher) -> dsse.Envelope:
    eve = Identity.generate("eve")
    return alice.sign(alice.push(signer=eve), eve, actor=eve.signing.verifying.keyid)


@forgery(errors.BadAuthority, "not a member")
def a_stranger_with_the_admins_name(alice: Publisher) -> dsse.Envelope:
    eve = Identity.generate(alice.identity.name)
    return alice.sign(alice.about(acts.Pull, 1, purpose="run"), eve, actor=eve.signing.verifying.keyid)


@forgery(errors.BadSignature, "expected key")
def an_act_signed_by_another_key_than_its_actors(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(), Identity.generate("eve"))


@forgery(errors.BadSignature, "")
def a_strangers_signature_under_the_admins_key_id(alice: Publisher) -> dsse.Envelope:
    signed = alice.sign(alice.push(), Identity.generate("eve"))
    return resigned(signed, keyid=alice.keyid)


@forgery(errors.BadSignature, "expected key")
def an_honest_signature_under_a_wrong_key_id(alice: Publisher) -> dsse.Envelope:
    return resigned(alice.sign(alice.push()), keyid="0" * 64)


@forgery(errors.BadSignature, "")
def a_signature_with_one_bit_flipped(alice: Publisher) -> dsse.Envelope:
    signed = alice.sign(alice.push())
    sig = bytearray(signed.signatures[0].sig)
    sig[-1] ^= 1
    return resigned(signed, sig=bytes(sig))


@forgery(errors.BadSignature, "")
def the_signature_of_another_act(alice: Publisher) -> dsse.Envelope:
    signed, other = alice.sign(alice.push()), alice.sign(alice.push())
    return dsse.Envelope(signed.payload_type, signed.payload, other.signatures)


@forgery(errors.Malformed, "another type of payload")
def another_payload_type(alice: Publisher) -> dsse.Envelope:
    return dsse.sign(alice.sign(alice.push()).payload, alice.identity.signing, "text/plain")


def resigned(envelope: dsse.Envelope, **changes: Any) -> dsse.Envelope:
    """The envelope with other values in its one signature."""
    one = envelope.signatures[0]
    changed = dsse.Signature(changes.get("keyid", one.keyid), changes.get("sig", one.sig))
    return dsse.Envelope(envelope.payload_type, envelope.payload, (changed,))


# --- what is said, and when -------------------------------------------------------------------


@forgery(errors.BadSignature, "")
def a_changed_predicate(alice: Publisher) -> dsse.Envelope:
    signed = alice.sign(alice.about(acts.Alias, 1, name="beta"))
    return reworded(signed, lambda said: said["predicate"]["body"].update(name="prod"))


@forgery(errors.BadSignature, "")
def a_changed_time(alice: Publisher) -> dsse.Envelope:
    later = acts.timestamp(alice.now + timedelta(seconds=1))
    return reworded(alice.sign(alice.push()), lambda said: said["predicate"].update(time=later))


@forgery(errors.Malformed, "")
def a_payload_with_a_byte_too_many(alice: Publisher) -> dsse.Envelope:
    payload = alice.sign(alice.push()).payload + b" "
    return dsse.sign(payload, alice.identity.signing)


@forgery(errors.Malformed, "unknown kind")
def an_act_of_an_unknown_kind(alice: Publisher) -> dsse.Envelope:
    statement = json.loads(alice.sign(alice.about(acts.Pull, 1, purpose="run")).payload)
    statement["predicateType"] = "https://hallmark-registry/erase/v1"
    return dsse.sign(rfc8785.dumps(statement), alice.identity.signing)


@forgery(errors.WrongRegistry, "another registry")
def an_act_for_another_registry(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(), **{"registry": "0" * 64})


@forgery(errors.WrongRegistry, "another registry")
def an_act_for_no_registry(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    return dsse.sign(acts.encode(_header(alice, registry=""), body), alice.identity.signing)


@forgery(errors.Conflict, "genesis")
def a_second_genesis(alice: Publisher) -> dsse.Envelope:
    header = _header(alice, registry="")
    return dsse.sign(acts.encode(header, alice.genesis_body()), alice.identity.signing)


@forgery(errors.Conflict, "in the ledger already")
def a_replayed_act(alice: Publisher) -> dsse.Envelope:
    return dsse.Envelope.from_bytes(alice.envelopes()[-1])


@forgery(errors.Conflict, "in the ledger already")
def a_replayed_act_with_a_fresh_signature(alice: Publisher) -> dsse.Envelope:
    """ECDSA signs the same bytes differently each time: an act is named by its payload."""
    replayed = dsse.Envelope.from_bytes(alice.envelopes()[-1])
    return dsse.sign(replayed.payload, alice.identity.signing)


@forgery(errors.Denied, "too far")
def an_act_from_the_past(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(), time=acts.timestamp(alice.now - timedelta(minutes=16)))


@forgery(errors.Denied, "too far")
def an_act_from_the_future(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(), time=acts.timestamp(alice.now + timedelta(minutes=16)))


def _header(alice: Publisher, registry: str) -> acts.Header:
    return msgspec.structs.replace(alice.header(), registry=registry)


# --- versions and names -----------------------------------------------------------------------


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


# --- the model's key --------------------------------------------------------------------------


@forgery(errors.VersionTaken, "created the model")
def a_second_vault(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(vault=alice.vault()))


@forgery(errors.VersionTaken, "created the model")
def a_new_model_without_a_vault(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(model="vision/other", vault=None))


@forgery(errors.InvalidInput, "epoch 1")
def a_vault_of_a_later_epoch(alice: Publisher) -> dsse.Envelope:
    body = alice.push(model="vision/other", vault=alice.vault(epoch=2))
    return alice.sign(msgspec.structs.replace(body, blobs=_each(body.blobs, epoch=2)))


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
    return alice.sign(msgspec.structs.replace(body, blobs=_each(body.blobs, epoch=2)))


# --- blobs ------------------------------------------------------------------------------------


@forgery(errors.InvalidInput, "twice")
def a_blob_brought_twice(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    return alice.sign(msgspec.structs.replace(body, blobs=body.blobs * 2))


@forgery(errors.InvalidInput, "twice")
def one_content_in_two_blobs(alice: Publisher) -> dsse.Envelope:
    body = alice.push({"a.onnx": b"same", "b.onnx": b"same"})
    second = msgspec.structs.replace(body.blobs[0], id="another")
    files = (body.files[0], msgspec.structs.replace(body.files[1], blob="another"))
    return alice.sign(msgspec.structs.replace(body, blobs=(*body.blobs, second), files=files))


@forgery(errors.VersionTaken, "stored the same file")
def a_content_that_the_model_has_already(alice: Publisher) -> dsse.Envelope:
    body = alice.push({"model.onnx": b"graph 1", "new.bin": b"new"})
    fresh = msgspec.structs.replace(body.blobs[0], id="fresh", content=body.files[0].sha256)
    files = (msgspec.structs.replace(body.files[0], blob="fresh"), *body.files[1:])
    return alice.sign(msgspec.structs.replace(body, blobs=(*body.blobs, fresh), files=files))


@forgery(errors.RegistryError, "")
def a_blob_id_that_another_version_has(alice: Publisher) -> dsse.Envelope:
    """It would put another ciphertext behind the id of one that is there."""
    taken = alice.push({"model.onnx": b"graph 1"}).files[0].blob
    return alice.sign(_renamed(alice.push({"model.onnx": b"new content"}), taken))


@forgery(errors.RegistryError, "")
def a_blob_id_that_another_model_has(alice: Publisher) -> dsse.Envelope:
    taken = alice.push({"model.onnx": b"voices"}, model="audio/vad").files[0].blob
    return alice.sign(_renamed(alice.push({"model.onnx": b"new content"}), taken))


@forgery(errors.InvalidInput, "does not hold it")
def a_file_that_names_a_foreign_models_blob(alice: Publisher) -> dsse.Envelope:
    """Its key is sealed to the other model's vault, and whoever may pull here need not may pull there."""
    foreign = alice.push({"model.onnx": b"voices"}, model="audio/vad").files[0]
    body = alice.push({"model.onnx": b"voices"}, blobs=())
    return alice.sign(msgspec.structs.replace(body, files=_each(body.files, blob=foreign.blob)))


@forgery(errors.InvalidInput, "does not hold it")
def a_file_that_names_a_blob_of_other_content(alice: Publisher) -> dsse.Envelope:
    old = alice.push({"model.onnx": b"graph 1"}).files[0]
    body = alice.push({"model.onnx": b"new content"}, blobs=())
    return alice.sign(msgspec.structs.replace(body, files=_each(body.files, blob=old.blob)))


@forgery(errors.InvalidInput, "does not hold it")
def a_file_that_names_a_blob_nobody_brought(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(blobs=()))


@forgery(errors.InvalidInput, "size does not fit")
def a_blob_whose_size_does_not_fit_its_file(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    return alice.sign(msgspec.structs.replace(body, blobs=_each(body.blobs, size=body.blobs[0].size + 1)))


@forgery(errors.InvalidInput, "size does not fit")
def a_file_larger_than_its_blob(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    return alice.sign(msgspec.structs.replace(body, files=_each(body.files, size=body.files[0].size + 1)))


@forgery(errors.InvalidInput, "size does not fit")
def a_stored_file_under_another_size(alice: Publisher) -> dsse.Envelope:
    """The blob is there already; the size that the new version claims for it is not its size."""
    body = alice.push({"model.onnx": b"graph 1"})
    return alice.sign(msgspec.structs.replace(body, files=_each(body.files, size=body.files[0].size + 1)))


@forgery(errors.InvalidInput, "no file uses")
def a_blob_that_no_file_uses(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    spare = msgspec.structs.replace(body.blobs[0], id="spare", content="0" * 64)
    return alice.sign(msgspec.structs.replace(body, blobs=(*body.blobs, spare)))


def _each(parts: tuple[Any, ...], **changes: Any) -> tuple[Any, ...]:
    return tuple(msgspec.structs.replace(part, **changes) for part in parts)


def _renamed(body: acts.Push, name: str) -> acts.Push:
    return msgspec.structs.replace(body, blobs=_each(body.blobs, id=name), files=_each(body.files, blob=name))


# --- what the publisher signs -----------------------------------------------------------------


@forgery(errors.BadDigest, "not the signed ones")
def a_bundle_of_other_files(alice: Publisher) -> dsse.Envelope:
    other = alice.push({"model.onnx": b"other"})
    return alice.sign(alice.push({"model.onnx": b"these"}, bundle=other.bundle))


@forgery(errors.BadDigest, "not the signed ones")
def a_bundle_of_fewer_files(alice: Publisher) -> dsse.Envelope:
    contents = {"model.onnx": b"graph", "extra.bin": b"extra"}
    fewer = alice.push({"model.onnx": b"graph"})
    return alice.sign(alice.push(contents, bundle=fewer.bundle))


@forgery(errors.BadSignature, "")
def a_bundle_signed_by_a_stranger(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    manifest = Manifest.of(body.model, {file.path: file.sha256 for file in body.files})
    signed = bundle.sign(manifest, Identity.generate("eve").signing)
    return alice.sign(msgspec.structs.replace(body, bundle=signed))


@forgery(errors.BadSignature, "")
def a_bundle_changed_after_it_was_signed(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    opened = json.loads(body.bundle)
    statement = json.loads(base64.b64decode(opened["dsseEnvelope"]["payload"]))
    statement["subject"][0]["name"] = "vision/other"
    opened["dsseEnvelope"]["payload"] = base64.b64encode(rfc8785.dumps(statement)).decode()
    return alice.sign(msgspec.structs.replace(body, bundle=rfc8785.dumps(opened)))


@forgery(errors.Malformed, "")
def a_bundle_that_is_none(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(bundle=b"{}"))


@forgery(errors.Untrusted, "disagree on the digest")
def another_digest_than_the_bundles(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    attested = alice.attestation(MODEL, "0" * 64, ["model.onnx"])
    return alice.sign(msgspec.structs.replace(body, digest="0" * 64, attestations=(attested,)))


@forgery(errors.BadAttestation, "0 attestations")
def no_quantization_attestation(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(attestations=()))


@forgery(errors.BadAttestation, "2 attestations")
def two_quantization_attestations(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    return alice.sign(msgspec.structs.replace(body, attestations=body.attestations * 2))


@forgery(errors.BadAttestation, "something else")
def an_attestation_about_another_digest(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(attestations=(alice.attestation(MODEL, "0" * 64, ["model.onnx"]),)))


@forgery(errors.BadAttestation, "something else")
def an_attestation_about_another_model(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    attested = alice.attestation("vision/other", _digest_of(body), ["model.onnx"])
    return alice.sign(msgspec.structs.replace(body, attestations=(attested,)))


@forgery(errors.BadSignature, "")
def an_attestation_signed_by_a_stranger(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    attested = alice.attestation(MODEL, body.digest, ["model.onnx"], signer=Identity.generate("eve"))
    return alice.sign(msgspec.structs.replace(body, attestations=(attested,)))


@forgery(errors.Malformed, "")
def an_attestation_that_is_none(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(attestations=(b"{}",)))


@forgery(errors.Untrusted, "")
def an_attestation_of_a_mode_that_does_not_exist(alice: Publisher) -> dsse.Envelope:
    return _attested(alice, lambda facts: facts.update(mode={"drop": "table"}))


@forgery(errors.Untrusted, "")
def an_attestation_with_a_huge_count(alice: Publisher) -> dsse.Envelope:
    return _attested(alice, lambda facts: facts.update(float_weights=2**40))


@forgery(errors.RegistryError, "")
def an_attestation_that_speaks_twice_of_one_file(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    facts = [("model.onnx", FACTS), ("model.onnx", FACTS)]
    attested = statements.quantization(MODEL, body.digest, facts, alice.identity.signing)
    return alice.sign(msgspec.structs.replace(body, attestations=(attested,)))


@forgery(errors.RegistryError, "")
def an_attestation_with_a_nul_in_a_name(alice: Publisher) -> dsse.Envelope:
    """PostgreSQL stores no NUL: what one database takes and the other does not is taken by neither."""
    return _attested(alice, lambda facts: facts["opsets"][0].update(domain="ai\0onnx"))


def _attested(alice: Publisher, change: Callable[[dict[str, Any]], object]) -> dsse.Envelope:
    body = alice.push()
    statement = json.loads(dsse.Envelope.from_bytes(body.attestations[0]).payload)
    change(statement["predicate"]["models"][0])
    attested = dsse.sign(rfc8785.dumps(statement), alice.identity.signing).to_bytes()
    return alice.sign(msgspec.structs.replace(body, attestations=(attested,)))
