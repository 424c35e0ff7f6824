"""Attacks by whoever holds genuine keys: acts that the door would refuse, put into the ledger behind it.

Everything about them is consistent and signed, so the steps before the one under test hold. Each is a push
of version 4 of the model under attack, with the files of version 2.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from msgspec.structs import replace

from registry import acts, bundle, vaults
from registry.context import Context
from registry.crypto import dsse
from registry.crypto.identity import Identity, SigningKey
from registry.errors import Untrusted
from registry.manifest import Manifest
from support.attacks import admit, crafted, envelopes, flipped, found, push_body, refused, signed
from support.victim import MARKER, MODEL, Victim

NEW = f"{MODEL}:4"


def _admit(victim: Victim, body: acts.Push) -> None:
    admit(victim, lambda context: signed(context, body))


def _refused_by_the_door(victim: Victim, body: acts.Push) -> None:
    with victim.open() as context, pytest.raises(Untrusted):
        context.act(body)


@pytest.fixture
def body(victim: Victim) -> acts.Push:
    return crafted(push_body(victim), 4)


@pytest.fixture
def key(victim: Victim) -> SigningKey:
    with victim.open() as context:
        return context.identity.signing


def test_a_crafted_push_that_is_right_passes(victim: Victim, body: acts.Push) -> None:
    _admit(victim, body)
    victim.passes(NEW)


# --- the bundle (step 6) ------------------------------------------------------------------------

Bundle = dict[str, Any]
BUNDLES: dict[str, tuple[Callable[[Bundle], object], str]] = {
    "signature": (lambda b: _flip(b["dsseEnvelope"]["signatures"][0], "sig"), "bad-signature"),
    "payload": (lambda b: _flip(b["dsseEnvelope"], "payload"), "bad-signature"),
    "payload-type": (lambda b: b["dsseEnvelope"].update(payloadType="application/json"), "malformed"),
    "hint": (
        lambda b: b["verificationMaterial"]["publicKey"].update(hint=hashlib.sha256(b"x").hexdigest()),
        "bad-signature",
    ),
    "media-type": (lambda b: b.update(mediaType=b["mediaType"].replace("v0.3", "v0.2")), "malformed"),
    "signature-twice": (
        lambda b: b["dsseEnvelope"].update(signatures=2 * b["dsseEnvelope"]["signatures"]),
        "malformed",
    ),
    "signature-dropped": (lambda b: b["dsseEnvelope"].update(signatures=[]), "malformed"),
    "unknown-field": (lambda b: b.update(forged=1), "malformed"),
}


def _flip(holder: Bundle, name: str) -> None:
    import base64

    holder[name] = base64.b64encode(flipped(base64.b64decode(holder[name]), -1)).decode()


@pytest.mark.parametrize("attack", BUNDLES)
def test_a_changed_bundle_is_refused(victim: Victim, body: acts.Push, attack: str) -> None:
    change, code = BUNDLES[attack]
    read = json.loads(body.bundle)
    change(read)
    forged = replace(body, bundle=rfc8785.dumps(read))
    _refused_by_the_door(victim, forged)
    _admit(victim, forged)
    refused(victim, 6, code, NEW)


def test_a_bundle_by_another_key_is_refused(victim: Victim, body: acts.Push) -> None:
    """A whole and valid bundle of the same files, its hint and signature by another P-256 key."""
    manifest = Manifest.of(MODEL, {file.path: file.sha256 for file in body.files})
    stranger = SigningKey.generate()
    forged = replace(body, bundle=bundle.sign(manifest, stranger))
    assert bundle.verify(forged.bundle, stranger.verifying).digest == body.digest
    _refused_by_the_door(victim, forged)
    _admit(victim, forged)
    refused(victim, 6, "bad-signature", NEW)


def test_a_bundle_by_another_key_that_names_the_publishers_is_refused(
    victim: Victim, body: acts.Push, key: SigningKey
) -> None:
    manifest = Manifest.of(MODEL, {file.path: file.sha256 for file in body.files})
    read = json.loads(bundle.sign(manifest, SigningKey.generate()))
    read["verificationMaterial"]["publicKey"]["hint"] = bundle.hint_of(key.verifying)
    _admit(victim, replace(body, bundle=rfc8785.dumps(read)))
    refused(victim, 6, "bad-signature", NEW)


def _files(body: acts.Push) -> dict[str, str]:
    return {file.path: file.sha256 for file in body.files}


FILES: dict[str, Callable[[dict[str, str]], object]] = {
    "file-added": lambda files: files.update({"payload.so": "0" * 64}),
    "file-dropped": lambda files: files.pop("tokenizer.json"),
    "file-changed": lambda files: files.update({"tokenizer.json": "0" * 64}),
    "file-renamed": lambda files: files.update({"tokenizer.jsom": files.pop("tokenizer.json")}),
    "two-files-exchanged": lambda files: files.update(
        {"labels/a.txt": files["labels/b.txt"], "labels/b.txt": files["labels/a.txt"]}
    ),
}


@pytest.mark.parametrize("attack", FILES)
def test_a_manifest_of_other_files_is_refused(
    victim: Victim, body: acts.Push, key: SigningKey, attack: str
) -> None:
    """Signed by the publisher, under its own root digest."""
    files = _files(body)
    FILES[attack](files)
    forged = replace(body, bundle=bundle.sign(Manifest.of(MODEL, files), key))
    _refused_by_the_door(victim, forged)
    _admit(victim, forged)
    refused(victim, 6, "bad-digest", NEW)


def test_an_act_of_another_digest_than_its_bundle_is_refused(victim: Victim, body: acts.Push) -> None:
    _admit(victim, replace(body, digest="0" * 64))
    refused(victim, 6, "bad-reference", NEW)


# --- attestations (steps 7 and 11) --------------------------------------------------------------


def _attested(body: acts.Push, key: SigningKey, change: Callable[[Any], object]) -> acts.Push:
    """The quantization attestation with other words in it, genuinely signed."""
    statement = json.loads(dsse.Envelope.from_bytes(body.attestations[0]).payload)
    change(statement)
    return replace(body, attestations=(dsse.sign(rfc8785.dumps(statement), key).to_bytes(),))


def test_an_attestation_signed_again_passes(victim: Victim, body: acts.Push, key: SigningKey) -> None:
    _admit(victim, _attested(body, key, lambda statement: None))
    victim.passes(NEW)


SPEAKS: dict[str, tuple[Callable[[Any], object], str]] = {
    "of-another-digest": (lambda s: s["subject"][0]["digest"].update(sha256="0" * 64), "bad-attestation"),
    "of-another-model": (lambda s: s["subject"][0].update(name="vision/other"), "bad-attestation"),
    "of-a-second-subject": (lambda s: s["subject"].append(s["subject"][0]), "bad-attestation"),
    "in-another-type": (
        lambda s: s.update(predicateType=s["predicateType"].replace("quantization", "lineage")),
        "bad-attestation",
    ),
}


@pytest.mark.parametrize("attack", SPEAKS)
def test_an_attestation_of_something_else_is_refused(
    victim: Victim, body: acts.Push, key: SigningKey, attack: str
) -> None:
    change, code = SPEAKS[attack]
    forged = _attested(body, key, change)
    _refused_by_the_door(victim, forged)
    _admit(victim, forged)
    refused(victim, 7, code, NEW)


def test_an_attestation_by_a_stranger_is_refused(victim: Victim, body: acts.Push) -> None:
    forged = _attested(body, SigningKey.generate(), lambda statement: None)
    _refused_by_the_door(victim, forged)
    _admit(victim, forged)
    refused(victim, 7, "bad-signature", NEW)


def test_an_attestation_with_a_changed_signature_is_refused(victim: Victim, body: acts.Push) -> None:
    parsed = dsse.Envelope.from_bytes(body.attestations[0])
    changed = dsse.Signature(parsed.signatures[0].keyid, flipped(parsed.signatures[0].sig, -1))
    envelope = dsse.Envelope(parsed.payload_type, parsed.payload, (changed,)).to_bytes()
    _admit(victim, replace(body, attestations=(envelope,)))
    refused(victim, 7, "bad-signature", NEW)


def test_a_missing_attestation_is_refused(victim: Victim, body: acts.Push) -> None:
    forged = replace(body, attestations=())
    _refused_by_the_door(victim, forged)
    _admit(victim, forged)
    refused(victim, 7, "bad-attestation", NEW)


def _facts(change: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda statement: change(statement["predicate"]["models"][0])


FACTS: dict[str, Callable[[Any], object]] = {
    "mode": _facts(lambda facts: facts.update(mode="dynamic")),
    "format": _facts(lambda facts: facts.update(format="QOperator")),
    "float-weights": _facts(lambda facts: facts.update(float_weights=0)),
    "operator-set": _facts(lambda facts: facts["opsets"][0].update(version=13)),
    "a-tensors-bits": _facts(lambda facts: facts["tensors"][0].update(bits=4)),
    "a-tensors-symmetry": _facts(lambda facts: facts["tensors"][0].update(symmetric=False)),
    "a-tensor-dropped": _facts(lambda facts: facts["tensors"].pop()),
}


@pytest.mark.parametrize("attack", FACTS)
def test_facts_that_are_not_the_graphs_are_refused(
    victim: Victim, body: acts.Push, key: SigningKey, attack: str
) -> None:
    """Signed by the genuine publisher, so only the graph itself can contradict them."""
    _admit(victim, _attested(body, key, FACTS[attack]))
    refused(victim, 11, "bad-attestation", NEW)


# --- keys and blobs (steps 5, 8, 9 and 10) ------------------------------------------------------


def _brought(body: acts.Push, path: str, original: acts.Push) -> acts.Blob:
    blobs = {blob.id: blob for blob in original.blobs}
    (file,) = [file for file in body.files if file.path == path]
    return blobs[file.blob]


@pytest.fixture
def fresh(victim: Victim) -> acts.Push:
    """The first push again, as that of a model that is new: it brings its blobs and its vault."""
    return replace(push_body(victim, 1), model="vision/new", number=1, aliases=())


def _new(
    context: Context,
    body: acts.Push,
    *,
    sealed_for: Identity | None = None,
    sealed_in: str = "vision/new",
    other_blob: bool = False,
) -> bytes:
    """``body`` with a vault, blob keys and statements of its own; all true but for what is asked."""
    registry_id, me = context.config.registry_id, context.identity
    vault = vaults.create(registry_id, sealed_in, [(sealed_for or me).public])
    share = replace(vault.shares[0], recipient=me.signing.verifying.keyid)
    public = (vault.epoch, vault.suite, vault.public)
    keys = _opened(context, body)
    blobs = []
    for index, blob in enumerate(body.blobs):
        name = f"new-{blob.id}"
        place = f"new-{body.blobs[index - 1].id}" if other_blob else name
        key = vaults.seal_blob_key(registry_id, body.model, public, place, keys[blob.id])
        blobs.append(replace(blob, id=name, key=key))
    files = tuple(replace(file, blob=f"new-{file.blob}") for file in body.files)
    manifest = Manifest.of(body.model, _files(body))
    made = replace(
        body, vault=replace(vault, shares=(share,)), blobs=tuple(blobs), files=files, digest=manifest.digest
    )
    made = replace(made, bundle=bundle.sign(manifest, me.signing))
    return signed(context, _attested(made, me.signing, lambda s: s["subject"][0].update(name=body.model)))


def _opened(context: Context, body: acts.Push) -> dict[str, bytes]:
    """The keys of the blobs that ``body`` brings, as the first push of the model sealed them."""
    assert body.vault is not None
    registry_id, vault = context.config.registry_id, (body.vault.epoch, body.vault.suite)
    private = vaults.open_share(registry_id, MODEL, vault, body.vault.shares[0].sealed, context.identity)
    return {blob.id: vaults.open_blob_key(registry_id, MODEL, blob, private) for blob in body.blobs}


def _copy_blobs(victim: Victim, body: acts.Push) -> None:
    for blob in body.blobs:
        victim.add_blob(f"new-{blob.id}", victim.blobs[blob.id])


def test_a_new_model_that_is_right_passes(victim: Victim, fresh: acts.Push) -> None:
    _copy_blobs(victim, fresh)
    admit(victim, lambda context: _new(context, fresh))
    victim.passes("vision/new")


def test_a_share_sealed_to_somebody_else_is_refused(victim: Victim, fresh: acts.Push) -> None:
    stranger = Identity.generate("mallory")
    admit(victim, lambda context: _new(context, fresh, sealed_for=stranger))
    refused(victim, 8, "bad-encryption", "vision/new")


def test_a_share_sealed_for_another_model_is_refused(victim: Victim, fresh: acts.Push) -> None:
    admit(victim, lambda context: _new(context, fresh, sealed_in=MODEL))
    refused(victim, 8, "bad-encryption", "vision/new")


def test_keys_sealed_for_other_blobs_are_refused(victim: Victim, fresh: acts.Push) -> None:
    admit(victim, lambda context: _new(context, fresh, other_blob=True))
    refused(victim, 8, "bad-encryption", "vision/new")


def test_the_keys_of_another_models_blobs_are_refused(victim: Victim) -> None:
    """Blobs brought again by the other model's push: its keys are sealed to its own vault."""
    other = push_body(victim, 1, "vision/other")
    stolen = {blob.content: blob for blob in push_body(victim, 3).blobs}
    content = next(iter(stolen))
    file = replace(
        other.files[0], path="stolen.bin", sha256=content, blob="stolen", size=_size(victim, content)
    )
    blob = replace(stolen[content], id="stolen")
    with victim.open() as context:
        signing = context.identity.signing
    body = crafted(other, 2, blobs=(blob,), files=(*other.files, file))
    manifest = Manifest.of("vision/other", _files(body))
    body = replace(body, digest=manifest.digest, bundle=bundle.sign(manifest, signing))
    body = _attested(body, signing, lambda s: s["subject"][0]["digest"].update(sha256=manifest.digest))
    _admit(victim, body)
    refused(victim, 8, "bad-encryption", "vision/other:2")


def _size(victim: Victim, content: str) -> int:
    return next(int(row["size"]) for row in victim.rows["files"] if row["sha256"] == content)


def test_a_file_that_names_another_files_blob_is_refused_by_its_digest(
    victim: Victim, body: acts.Push
) -> None:
    """The blob opens: its key, its size and its tags are all genuine. Only the content is another file's."""
    blob = {file.path: file.blob for file in body.files}
    turned = {"labels/a.txt": blob["labels/b.txt"], "labels/b.txt": blob["labels/a.txt"]}
    files = tuple(replace(file, blob=turned.get(file.path, file.blob)) for file in body.files)
    _admit(victim, replace(body, files=files))
    refused(victim, 10, "bad-digest", NEW)


def test_a_file_that_names_an_older_files_blob_is_refused_by_its_digest(
    victim: Victim, body: acts.Push
) -> None:
    older = {file.path: file.blob for file in push_body(victim, 1).files}
    files = tuple(replace(file, blob=older[file.path]) for file in body.files)
    _admit(victim, replace(body, files=files))
    refused(victim, 10, "bad-digest", NEW)


def test_a_file_that_names_a_blob_of_another_size_is_refused(victim: Victim, body: acts.Push) -> None:
    blob = {file.path: file.blob for file in body.files}
    files = tuple(
        replace(file, blob=blob["model.onnx"]) if file.path == "tokenizer.json" else file
        for file in body.files
    )
    _admit(victim, replace(body, files=files))
    refused(victim, 9, "bad-encryption", NEW)


# --- the act itself (steps 3, 4 and 5) ----------------------------------------------------------


def test_a_push_by_a_stranger_is_refused(victim: Victim, body: acts.Push) -> None:
    admit(victim, lambda context: signed(context, body, Identity.generate("mallory")))
    refused(victim, 4, "bad-authority", NEW)


def test_a_push_by_a_stranger_in_a_members_name_is_refused(victim: Victim, body: acts.Push) -> None:
    """The header names the publisher, the signature is another's."""
    with victim.open() as context:
        actor = context.keyid
    admit(victim, lambda context: signed(context, body, Identity.generate("mallory"), actor=actor))
    refused(victim, 4, "bad-signature", NEW)


def test_a_push_signed_for_another_registry_is_refused(victim: Victim, body: acts.Push) -> None:
    admit(victim, lambda context: signed(context, body, registry="0" * 64))
    refused(victim, 4, "wrong-registry", NEW)


def test_a_push_with_a_changed_signature_is_refused(victim: Victim, body: acts.Push) -> None:
    def forged(context: Context) -> bytes:
        parsed = dsse.Envelope.from_bytes(signed(context, body))
        changed = dsse.Signature(parsed.signatures[0].keyid, flipped(parsed.signatures[0].sig, -1))
        return dsse.Envelope(parsed.payload_type, parsed.payload, (changed,)).to_bytes()

    seq = admit(victim, forged)
    refused(victim, 4, "bad-signature", NEW)
    assert "bad-signature" in found(victim, f"entry {seq}")


def test_a_second_genesis_act_is_refused(victim: Victim) -> None:
    """Admitted as entry 8, it names its author an admin; the pin speaks of entry 0."""
    assert len(envelopes(victim)) == 8
    mallory = Identity.generate("mallory")
    from registry.chain import keys_of

    genesis = acts.Genesis(name="mallory", admin=keys_of(mallory.public), ledger=b"\0" * 32)
    admit(victim, lambda context: signed(context, genesis, mallory, registry=""))
    admit(victim, lambda context: signed(context, crafted(push_body(victim), 4), mallory))
    refused(victim, 4, "bad-authority", NEW)


def test_a_digest_asked_for_is_held_against_the_version(victim: Victim) -> None:
    digest = push_body(victim).digest
    victim.passes(f"{MODEL}:2@sha256:{digest}")
    refused(victim, 5, "bad-reference", f"{MODEL}:1@sha256:{digest}")


def test_the_marker_is_in_every_plaintext(victim: Victim, body: acts.Push) -> None:
    from registry.checkout import checkout

    with victim.open() as context:
        model = checkout(context, f"{MODEL}:2")
    assert all(MARKER in bytes(view) for view in model.files.values())
