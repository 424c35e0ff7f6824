"""Pushes whose blobs, bundle or attestations are not of these files."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import rfc8785
import sqlalchemy as sa

from registry import acts, bundle, errors, statements
from registry.crypto import dsse
from registry.crypto.identity import Identity
from registry.manifest import Manifest
from registry.records import tables
from registry.records.database import writing
from support.forger import each, forgery
from support.madefacts import FACTS
from support.publisher import MODEL, Publisher, sha256


def _digest_of(body: acts.Push) -> str:
    return Manifest.of(body.model, {file.path: file.sha256 for file in body.files}).digest


@forgery(errors.InvalidInput, "twice")
def a_blob_brought_twice(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    return alice.sign(msgspec.structs.replace(body, blobs=body.blobs * 2))


@forgery(errors.InvalidInput, "twice")
def one_content_in_two_blobs(alice: Publisher) -> dsse.Envelope:
    body = alice.push({"a.onnx": b"same", "b.onnx": b"same"})
    second = msgspec.structs.replace(body.blobs[0], id="another")
    return alice.sign(msgspec.structs.replace(body, blobs=(*body.blobs, second)))


@forgery(errors.InvalidInput, "twice")
def two_contents_in_one_blob(alice: Publisher) -> dsse.Envelope:
    body = alice.push({"a.onnx": b"four", "b.onnx": b"five"})
    second = msgspec.structs.replace(body.blobs[1], id=body.blobs[0].id)
    return alice.sign(msgspec.structs.replace(body, blobs=(body.blobs[0], second)))


@forgery(errors.VersionTaken, "stored the same file")
def a_content_that_the_model_has_already(alice: Publisher) -> dsse.Envelope:
    body = alice.push({"model.onnx": b"graph 1", "new.bin": b"new"})
    fresh = msgspec.structs.replace(body.blobs[0], id="fresh", content=body.files[0].sha256)
    return alice.sign(msgspec.structs.replace(body, blobs=(*body.blobs, fresh)))


@forgery(errors.Conflict, "there already")
def a_blob_id_that_another_version_has(alice: Publisher) -> dsse.Envelope:
    """It would put another ciphertext behind the id of one that is there."""
    taken = alice.blobs_of(MODEL)[0].id
    body = alice.push({"model.onnx": b"new content"})
    return alice.sign(msgspec.structs.replace(body, blobs=each(body.blobs, id=taken)))


@forgery(errors.Conflict, "there already")
def a_blob_id_that_another_model_has(alice: Publisher) -> dsse.Envelope:
    taken = alice.blobs_of("audio/vad")[0].id
    body = alice.push({"model.onnx": b"new content"})
    return alice.sign(msgspec.structs.replace(body, blobs=each(body.blobs, id=taken)))


@forgery(errors.InvalidInput, "no blob that holds it")
def a_file_whose_content_only_a_foreign_model_has(alice: Publisher) -> dsse.Envelope:
    """Its key is sealed to the other model's vault, and whoever may pull here need not may pull there."""
    return alice.sign(alice.push({"model.onnx": b"voices"}, blobs=()))


@forgery(errors.InvalidInput, "no blob that holds it")
def a_file_with_a_blob_of_other_content_beside_it(alice: Publisher) -> dsse.Envelope:
    """The blob is no spare one: another file of the push is in it."""
    body = alice.push({"a.onnx": b"four", "b.onnx": b"five"})
    return alice.sign(msgspec.structs.replace(body, blobs=body.blobs[:1]))


@forgery(errors.InvalidInput, "no blob that holds it")
def a_file_whose_blob_nobody_brought(alice: Publisher) -> dsse.Envelope:
    return alice.sign(alice.push(blobs=()))


@forgery(errors.InvalidInput, "size does not fit")
def a_blob_whose_size_does_not_fit_its_file(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    return alice.sign(msgspec.structs.replace(body, blobs=each(body.blobs, size=body.blobs[0].size + 1)))


@forgery(errors.InvalidInput, "size does not fit")
def a_file_larger_than_its_blob(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    return alice.sign(msgspec.structs.replace(body, files=each(body.files, size=body.files[0].size + 1)))


@forgery(errors.InvalidInput, "size does not fit")
def a_stored_file_under_another_size(alice: Publisher) -> dsse.Envelope:
    """The blob is there already; the size that the new version claims for it is not its size."""
    body = alice.push({"model.onnx": b"graph 1"})
    return alice.sign(msgspec.structs.replace(body, files=each(body.files, size=body.files[0].size + 1)))


@forgery(errors.InvalidInput, "no file uses")
def a_blob_that_no_file_uses(alice: Publisher) -> dsse.Envelope:
    body = alice.push()
    spare = msgspec.structs.replace(body.blobs[0], id="spare", content="0" * 64)
    return alice.sign(msgspec.structs.replace(body, blobs=(*body.blobs, spare)))


@forgery(errors.BadReference, "no act brought")
def a_push_that_reuses_a_blob_row_which_no_act_wrote(alice: Publisher) -> dsse.Envelope:
    """Somebody who may write the tables wants a publisher to sign a version over a blob of theirs."""
    alice.admit(alice.push({"model.onnx": b"first"}, model="planted/net"))
    with writing(alice.authority.engine) as connection:
        row = connection.execute(sa.select(tables.blobs).where(tables.blobs.c.model == "planted/net")).one()
        planted = {"content": sha256(b"grown"), "id": "planted"}
        connection.execute(sa.insert(tables.blobs), {**row._mapping, **planted})
    return alice.sign(alice.push({"model.onnx": b"grown"}, model="planted/net"))


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


@forgery(errors.BadAttestation, "other files")
def an_attestation_that_leaves_a_model_out(alice: Publisher) -> dsse.Envelope:
    body = alice.push({"a.onnx": b"graph a", "b.onnx": b"graph b"})
    attested = alice.attestation(MODEL, body.digest, ["a.onnx"])
    return alice.sign(msgspec.structs.replace(body, attestations=(attested,)))


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
