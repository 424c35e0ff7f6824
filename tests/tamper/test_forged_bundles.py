"""Attacks by whoever may sign acts: bundles that are changed, another's, or of other files (step 6).

Each is the bundle of a push, version 4, that the door would refuse and that is put into the ledger behind
it. Everything else about the push is genuine and signed, so the steps before hold.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from msgspec.structs import replace

from registry import acts, bundle
from registry.crypto.identity import SigningKey
from registry.manifest import Manifest
from support.attacks import (
    NEW,
    admit_push,
    digests,
    flipped,
    refused,
    refused_by_the_door,
)
from support.victim import MODEL, Victim


def test_a_crafted_push_that_is_right_passes(victim: Victim, body: acts.Push) -> None:
    admit_push(victim, body)
    victim.passes(NEW)


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
    holder[name] = base64.b64encode(flipped(base64.b64decode(holder[name]), -1)).decode()


@pytest.mark.parametrize("attack", BUNDLES)
def test_a_changed_bundle_is_refused(victim: Victim, body: acts.Push, attack: str) -> None:
    change, code = BUNDLES[attack]
    read = json.loads(body.bundle)
    change(read)
    forged = replace(body, bundle=rfc8785.dumps(read))
    refused_by_the_door(victim, forged)
    admit_push(victim, forged)
    refused(victim, 6, code, NEW)


def test_a_bundle_by_another_key_is_refused(victim: Victim, body: acts.Push) -> None:
    """A whole and valid bundle of the same files, its hint and signature by another P-256 key."""
    manifest = Manifest.of(MODEL, {file.path: file.sha256 for file in body.files})
    stranger = SigningKey.generate()
    forged = replace(body, bundle=bundle.sign(manifest, stranger))
    assert bundle.verify(forged.bundle, stranger.verifying).digest == body.digest
    refused_by_the_door(victim, forged)
    admit_push(victim, forged)
    refused(victim, 6, "bad-signature", NEW)


def test_a_bundle_by_another_key_that_names_the_publishers_is_refused(
    victim: Victim, body: acts.Push, key: SigningKey
) -> None:
    manifest = Manifest.of(MODEL, {file.path: file.sha256 for file in body.files})
    read = json.loads(bundle.sign(manifest, SigningKey.generate()))
    read["verificationMaterial"]["publicKey"]["hint"] = bundle.hint_of(key.verifying)
    admit_push(victim, replace(body, bundle=rfc8785.dumps(read)))
    refused(victim, 6, "bad-signature", NEW)


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
    files = digests(body)
    FILES[attack](files)
    forged = replace(body, bundle=bundle.sign(Manifest.of(MODEL, files), key))
    refused_by_the_door(victim, forged)
    admit_push(victim, forged)
    refused(victim, 6, "bad-digest", NEW)


def test_an_act_of_another_digest_than_its_bundle_is_refused(victim: Victim, body: acts.Push) -> None:
    admit_push(victim, replace(body, digest="0" * 64))
    refused(victim, 6, "bad-reference", NEW)
