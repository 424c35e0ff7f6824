"""Attacks by a genuine publisher: keys sealed to others (step 8), blobs of other files (steps 9 and 10)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from registry import acts, bundle, vaults
from registry.context import Context
from registry.crypto.identity import Identity
from registry.manifest import Manifest
from support.attacks import (
    NEW,
    admit,
    admit_push,
    attested,
    crafted,
    digests,
    push_body,
    refused,
    signed,
)
from support.victim import MODEL, Victim


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
    manifest = Manifest.of(body.model, digests(body))
    made = replace(
        body, vault=replace(vault, shares=(share,)), blobs=tuple(blobs), files=files, digest=manifest.digest
    )
    made = replace(made, bundle=bundle.sign(manifest, me.signing))
    return signed(context, attested(made, me.signing, lambda s: s["subject"][0].update(name=body.model)))


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
    manifest = Manifest.of("vision/other", digests(body))
    body = replace(body, digest=manifest.digest, bundle=bundle.sign(manifest, signing))
    body = attested(body, signing, lambda s: s["subject"][0]["digest"].update(sha256=manifest.digest))
    admit_push(victim, body)
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
    admit_push(victim, replace(body, files=files))
    refused(victim, 10, "bad-digest", NEW)


def test_a_file_that_names_an_older_files_blob_is_refused_by_its_digest(
    victim: Victim, body: acts.Push
) -> None:
    older = {file.path: file.blob for file in push_body(victim, 1).files}
    files = tuple(replace(file, blob=older[file.path]) for file in body.files)
    admit_push(victim, replace(body, files=files))
    refused(victim, 10, "bad-digest", NEW)


def test_a_file_that_names_a_blob_of_another_size_is_refused(victim: Victim, body: acts.Push) -> None:
    blob = {file.path: file.blob for file in body.files}
    files = tuple(
        replace(file, blob=blob["model.onnx"]) if file.path == "tokenizer.json" else file
        for file in body.files
    )
    admit_push(victim, replace(body, files=files))
    refused(victim, 9, "bad-encryption", NEW)
