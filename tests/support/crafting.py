"""Blobs and keys as a forger with a member's own keys makes them: right in all but what is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from registry import acts, bundle, keyring, vaults
from registry.context import Context
from registry.crypto.identity import Identity
from registry.crypto.sealing import SealingPrivateKey
from registry.manifest import Manifest
from registry.records import tables
from registry.records.law_rows import blob_of
from registry.vaults import PublicVault, Reader, Sealer
from support.attacks import attested, digests, push_body
from support.victim import MODEL, Victim

NEW_MODEL = "vision/new"


def opened(victim: Victim, context: Context, model: str = MODEL) -> dict[str, bytes]:
    """The keys of a model's blobs by blob id, opened as who may."""
    law = context.law()
    vault = keyring.unlock(context, law, model)
    secrets = {row["sha256"]: row["ciphertext"] for row in victim.rows["sealed"]}
    blobs = [blob_of(row) for row in victim.rows["blobs"] if row["model"] == model]
    return {
        blob.id: vaults.open_blob_key(law.registry_id, model, blob, secrets[blob.key.sha256], vault)
        for blob in blobs
    }


def resigned(body: acts.Push, identity: Identity) -> acts.Push:
    """``body`` with a bundle and an attestation that fit its files and its model."""
    manifest = Manifest.of(body.model, digests(body))
    made = replace(body, digest=manifest.digest, bundle=bundle.sign(manifest, identity.signing))
    subject = {"name": body.model, "digest": {"sha256": manifest.digest}}
    return attested(made, identity.signing, lambda said: said["subject"][0].update(subject))


def mislabelled(victim: Victim, body: acts.Push, path: str, other: str, number: int) -> acts.Push:
    """``body`` with another content at ``path``, and for that a blob that holds an older file's: its key, its
    size and its tags are all genuine. The door cannot look inside, and lets it in."""
    source = victim.row(tables.blobs, id=victim.blob(other, number))
    content = hashlib.sha256(b"what the publisher says it is").hexdigest()
    with victim.open() as context:
        law = context.law()
        sealer = Sealer(law.registry_id, law.release)
        key = opened(victim, context)[source["id"]]
        sealed = sealer.blob_key(keyring.public(law, MODEL), "mislabelled", key)
        blob = replace(blob_of(source), id="mislabelled", content=content, key=sealed)
        files = tuple(replace(f, sha256=content) if f.path == path else f for f in body.files)
        made = resigned(replace(body, files=files, blobs=(blob,)), context.identity)
        context.act(made, keys=sealer.sealed)
    victim.add_blob("mislabelled", victim.blobs[source["id"]])
    return made


@dataclass(frozen=True)
class Vaulting:
    """How the vault of a new model is made; each default is right."""

    reader: Identity | None = None  # to whom the share is sealed; its act says the namespace's vault
    model: str = NEW_MODEL  # that the share is sealed for
    epoch: int = 1
    registry: str | None = None
    other_key: bool = False  # the share holds another private half than the vault's
    turned: bool = False  # each blob's key is sealed for another blob


def new_model(victim: Victim, how: Vaulting) -> None:
    """Create ``vision/new`` and push version 1 of ``vision/net`` there, all of it through the door."""
    body = replace(push_body(victim, 1), model=NEW_MODEL, number=1, aliases=())
    with victim.open() as context:
        _create(context, how)
        keys = opened(victim, context)
        blobs, sealed = _blobs(victim, context, keys, how)
        context.act(resigned(replace(body, blobs=blobs), context.identity), keys=sealed)


def _create(context: Context, how: Vaulting) -> None:
    law = context.law()
    sealer = Sealer(how.registry or law.registry_id, law.release)
    key = SealingPrivateKey.generate()
    inside = SealingPrivateKey.generate() if how.other_key else key
    above = keyring.public(law, "vision/")
    reader = Reader.vault(above.name, above.epoch, above.public)
    if how.reader is not None:
        reader = Reader(reader.name, reader.ident, how.reader.public.sealing)
    share = sealer.share(PublicVault(how.model, how.epoch, key.public), inside, reader, limited=False)
    vault = acts.Vault(NEW_MODEL, 1, key.suite, key.public.to_bytes(), (share,))
    context.act(acts.Create(NEW_MODEL, acts.Custody(vaults=(vault,))), keys=sealer.sealed)


def _blobs(
    victim: Victim, context: Context, keys: Mapping[str, bytes], how: Vaulting
) -> tuple[tuple[acts.Blob, ...], Mapping[str, bytes]]:
    law = context.law()
    sealer, vault = Sealer(law.registry_id, law.release), keyring.public(law, NEW_MODEL)
    used = {file.sha256 for file in push_body(victim, 1).files}
    rows = [row for row in victim.rows["blobs"] if row["model"] == MODEL and row["content"] in used]
    made = []
    for index, row in enumerate(rows):
        name = f"new-{row['id']}"
        place = f"new-{rows[index - 1]['id']}" if how.turned else name
        sealed = sealer.blob_key(vault, place, keys[row["id"]])
        made.append(replace(blob_of(row), id=name, epoch=1, key=sealed))
        victim.add_blob(name, victim.blobs[row["id"]])
    return tuple(made), sealer.sealed
