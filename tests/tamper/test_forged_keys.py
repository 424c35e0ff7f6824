"""Attacks by a genuine publisher: keys sealed to others (step 8), blobs of other files (steps 9 and 10)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from registry import acts
from registry.crypto.identity import Identity
from registry.records import tables
from registry.records.law_rows import blob_of
from support.attacks import NEW, admit_push, crafted, push_body, refused
from support.crafting import NEW_MODEL, Vaulting, mislabelled, new_model, resigned
from support.victim import MODEL, OTHER, Victim

SEALED = {
    "to-somebody-else": Vaulting(reader=Identity.generate("mallory")),
    "for-another-model": Vaulting(model=MODEL),
    "for-another-epoch": Vaulting(epoch=2),
    "for-another-registry": Vaulting(registry="0" * 64),
    "around-another-key": Vaulting(other_key=True),
}


def test_a_new_model_that_is_right_passes(victim: Victim) -> None:
    new_model(victim, Vaulting())
    victim.passes(NEW_MODEL)


@pytest.mark.parametrize("attack", SEALED)
def test_a_share_sealed_otherwise_is_refused(victim: Victim, attack: str) -> None:
    """The door cannot see what is in a sealed share. Who opens it can."""
    new_model(victim, SEALED[attack])
    refused(victim, 8, "bad-encryption", NEW_MODEL)


def test_keys_sealed_for_other_blobs_are_refused(victim: Victim) -> None:
    new_model(victim, Vaulting(turned=True))
    refused(victim, 8, "bad-encryption", NEW_MODEL)


def test_the_keys_of_another_models_blobs_are_refused(victim: Victim) -> None:
    """Blobs brought again by the other model's push: its keys are sealed to another vault."""
    other = push_body(victim, 1, OTHER)
    stolen = blob_of(victim.row(tables.blobs, id=victim.blob("weights.data", 3)))
    size = next(file.size for file in push_body(victim, 3).files if file.path == "weights.data")
    file = acts.File(path="stolen.bin", size=size, sha256=stolen.content)
    body = crafted(other, 2, blobs=(replace(stolen, id="stolen", epoch=1),), files=(*other.files, file))
    with victim.open() as context:
        body = resigned(body, context.identity)
    admit_push(victim, body)
    refused(victim, 8, "bad-encryption", f"{OTHER}:2")


BLOBS = {
    # the path; the file whose blob is brought for it, and of which version
    "another-files": ("labels/a.txt", "labels/b.txt", 2, 10, "bad-digest"),
    "an-older-files": ("weights.data", "weights.data", 1, 10, "bad-digest"),
}


@pytest.mark.parametrize("attack", BLOBS)
def test_a_blob_that_holds_another_file_is_refused_by_its_digest(
    victim: Victim, body: acts.Push, attack: str
) -> None:
    """It opens. Only the content is another file's."""
    path, other, number, step, code = BLOBS[attack]
    mislabelled(victim, body, path, other, number)
    refused(victim, step, code, NEW)


def test_a_blob_of_another_size_than_its_file_is_refused(victim: Victim, body: acts.Push) -> None:
    mislabelled(victim, body, "labels/a.txt", "labels/b.txt", 2)
    victim.write_added("mislabelled", victim.blobs[victim.blob("model.onnx")])
    refused(victim, 9, "bad-encryption", NEW)
