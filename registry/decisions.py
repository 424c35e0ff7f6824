"""What the door asks of each kind of act before it lets it in. Each check raises; none returns a verdict."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from registry import acts, bundle, ledger, policy
from registry.acts import Act
from registry.chain import Chain
from registry.crypto import dsse, streaming
from registry.crypto.sealing import SealingPublicKey
from registry.errors import (
    AlreadyExists,
    BadAttestation,
    BadReference,
    Conflict,
    InvalidInput,
    Untrusted,
    VersionTaken,
)
from registry.records import projection, queries, tables
from registry.refs import Reference, check_tag, parse

_AGAIN = "the publisher signs again with what is there now"
_TAG = "labels never move; choose another name"


def decide(connection: sa.Connection, chain: Chain, act: Act) -> None:
    """Raise unless ``act``, whose signature is verified, may enter the ledger as its next entry."""
    match act.body:
        case acts.Genesis():
            raise Conflict("the registry has a genesis act already")
        case acts.Push():
            chain.require(act.header.actor, "push", act.body.model)
            _push(connection, chain, act, act.body)
            _reused(connection, chain, act.body)
        case acts.Alias():
            chain.require(act.header.actor, "promote", act.body.model)
            _alias(connection, act.body)
        case acts.Yank():
            chain.require(act.header.actor, "promote", act.body.model)
            _yank(connection, act.body)
        case acts.Pull():
            chain.require(act.header.actor, "pull", act.body.model)
            policy.releasable(queries.yank_of(connection, _existing(connection, act.body)), str(act.model))


def _push(connection: sa.Connection, chain: Chain, act: Act, body: acts.Push) -> None:
    newest = queries.newest_number(connection, body.model)
    if body.number != newest + 1:
        raise VersionTaken(f"the next version is {newest + 1}", on=f"{body.model}:{body.number}", hint=_AGAIN)
    _vault(chain, queries.current_vault(connection, body.model), body)
    _tags(connection, body)
    _blobs(connection, body)
    check_signed(chain, act, body)


def _vault(chain: Chain, current: dict[str, Any] | None, body: acts.Push) -> None:
    if (current is None) != (body.vault is not None):
        raise VersionTaken("another push created the model first", on=body.model, hint=_AGAIN)
    if body.vault is not None:
        SealingPublicKey.from_bytes(body.vault.suite, body.vault.public)
        for share in body.vault.shares:
            chain.member(share.recipient)
    epoch = body.vault.epoch if body.vault else (current or {})["epoch"]
    if body.vault is not None and epoch != 1:
        raise InvalidInput("a new model's vault begins at epoch 1", on=body.model)
    if any(blob.epoch != epoch for blob in body.blobs):
        raise VersionTaken("the model's vault has moved to another epoch", on=body.model, hint=_AGAIN)


def _tags(connection: sa.Connection, body: acts.Push) -> None:
    labels, aliased = queries.tags_taken(connection, body.model)
    if body.label is not None:
        check_tag(body.label, "label")
        if body.label in labels | aliased:
            raise AlreadyExists(
                "the model has this label already", on=f"{body.model}:{body.label}", hint=_TAG
            )
    for name in body.aliases:
        _free(name, labels | {body.label or ""}, body.model)


def _free(name: str, labels: set[str], model: str) -> None:
    check_tag(name, "alias")
    if name in labels:
        raise AlreadyExists("a version has this name as its label", on=f"{model}:{name}", hint=_TAG)


def _blobs(connection: sa.Connection, body: acts.Push) -> None:
    brought = {blob.id: blob for blob in body.blobs}
    contents = {blob.content for blob in body.blobs}
    if len(brought) != len(body.blobs) or len(contents) != len(body.blobs):
        raise InvalidInput("a push names a blob twice", on=body.model)
    stored = queries.stored(connection, body.model, {file.sha256 for file in body.files})
    if contents & stored.keys():
        raise VersionTaken("another push stored the same file first", on=body.model, hint=_AGAIN)
    held = {blob: content for content, blob in stored.items()} | {
        blob.id: blob.content for blob in body.blobs
    }
    sizes = queries.blob_sizes(connection, stored.values()) | {blob.id: blob.size for blob in body.blobs}
    for file in body.files:
        if held.get(file.blob) != file.sha256:
            raise InvalidInput("a file names a blob that does not hold it", on=file.path)
        if sizes[file.blob] != streaming.ciphertext_size(file.size):
            raise InvalidInput("a blob's size does not fit its file's", on=file.path)
    if brought.keys() - {file.blob for file in body.files}:
        raise InvalidInput("a push brings a blob that no file uses", on=body.model)


def _reused(connection: sa.Connection, chain: Chain, body: acts.Push) -> None:
    """What a push reuses is what an act brought: a row put beside the ledger must not enter a version."""
    brought = {blob.id for blob in body.blobs}
    for row in queries.blob_rows(connection, {file.blob for file in body.files} - brought):
        entry = ledger.entry(connection, row["seq"])
        earlier = chain.authenticate(dsse.Envelope.from_bytes(entry.envelope))
        if projection.Row(tables.blobs, row) not in projection.rows(earlier, entry.seq):
            raise BadReference(
                "the database names a blob that no act brought", on=row["id"], hint="run 'registry fsck'"
            )


def check_signed(chain: Chain, act: Act, body: acts.Push) -> None:
    """The bundle and the attestations are the publisher's and speak of these very files.

    Raises BadSignature, BadDigest, BadAttestation or Malformed.
    """
    publisher = chain.member(act.header.actor).identity.signing
    manifest = bundle.verify(body.bundle, publisher)
    manifest.compare({file.path: file.sha256 for file in body.files})
    if manifest.digest != body.digest:
        raise Untrusted("the bundle and the push disagree on the digest", on=body.model)
    for envelope in body.attestations:
        dsse.verify(dsse.Envelope.from_bytes(envelope), publisher)
    heads = [projection.attested(envelope) for envelope in body.attestations]
    policy.attested([(head.type, head.statement) for head in heads], body.model, body.digest)
    attested = {row.values["path"] for row in projection.rows(act, 0) if row.table is tables.quantization}
    if attested != {file.path for file in body.files if file.path.endswith(".onnx")}:
        raise BadAttestation("the quantization facts are of other files than the pushed ones", on=body.model)


def _alias(connection: sa.Connection, body: acts.Alias) -> None:
    policy.releasable(queries.yank_of(connection, _existing(connection, body)), body.model)
    labels, _ = queries.tags_taken(connection, body.model)
    _free(body.name, labels, body.model)


def _yank(connection: sa.Connection, body: acts.Yank) -> None:
    if queries.yank_of(connection, _existing(connection, body)):
        raise AlreadyExists("the version is yanked already", on=f"{body.model}:{body.number}")


def _existing(connection: sa.Connection, body: acts.Alias | acts.Yank | acts.Pull) -> Reference:
    ref = parse(f"{body.model}:{body.number}")
    if queries.version(connection, ref)["digest"] != body.digest:
        raise Conflict("the version has another digest than the act says", on=str(ref))
    return ref
