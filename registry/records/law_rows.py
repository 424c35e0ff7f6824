"""What the acts of the law write: members, teams, grants, policies, and the keys they hand over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from registry import acts
from registry.acts import Act
from registry.crypto import possession
from registry.records import tables


class Row(NamedTuple):
    """One row: its table, and a value for every column."""

    table: sa.Table
    values: dict[str, Any]


def law_rows(act: Act, body: acts.LawBody, seq: int) -> Iterator[Row]:
    """The rows of an act of the law, parents first."""
    by = {"actor": act.header.actor, "time": act.header.time}
    match body:
        case acts.Genesis():
            yield from _member(body.name, "admin", body.admin, seq)
        case acts.Enroll():
            yield from _member(body.name, body.role, body.identity, seq)
        case acts.Disable():
            yield Row(tables.disabled, {"name": body.name, "reason": body.reason, **by, "seq": seq})
        case acts.Replace():
            yield _key(body.name, body.identity, seq)
        case acts.Team():
            yield Row(tables.teams, {"team": body.team, "seq": seq})
        case acts.TeamAdd():
            yield Row(tables.team_members, {"team": body.team, "name": body.name, "seq": seq})
        case acts.Grant():
            place = {"target": body.target, "grantee": body.grantee, "until": body.until}
            for action in body.actions:
                yield Row(tables.grants, {**place, "action": action, **by, "seq": seq})
        case acts.Policy():
            yield Row(tables.policies, {"seq": seq, "text": body.text, **by})
    yield from _custody(body.custody, seq)


def _member(name: str, role: str, identity: bytes, seq: int) -> Iterator[Row]:
    yield Row(tables.members, {"name": name, "role": role, "seq": seq})
    yield _key(name, identity, seq)


def _key(name: str, identity: bytes, seq: int) -> Row:
    public = possession.verify(identity)
    values = {
        "keyid": public.signing.keyid,
        "name": name,
        "signing": public.signing.spki,
        "suite": public.sealing.suite,
        "sealing": public.sealing.to_bytes(),
        "seq": seq,
    }
    return Row(tables.keys, values)


def _custody(custody: acts.Custody, seq: int) -> Iterator[Row]:
    for vault in sorted(custody.vaults, key=lambda vault: vault.name):  # a namespace before its models
        if vault.epoch == 1:
            yield from _place(vault.name, seq)
        epoch = {"vault": vault.name, "epoch": vault.epoch}
        yield Row(tables.vaults, {**epoch, "suite": vault.suite, "public": vault.public, "seq": seq})
        yield from (_share(vault.name, vault.epoch, share, seq) for share in vault.shares)
    for handed in custody.shares:
        yield _share(handed.vault, handed.epoch, handed.share, seq)
    for kept in custody.blobs:
        yield blob_row(kept.model, kept.blob, seq)


def _place(vault: str, seq: int) -> Iterator[Row]:
    namespace, slash, model = vault.partition("/")
    if model:
        yield Row(tables.models, {"model": vault, "namespace": namespace, "seq": seq})
    elif namespace and slash:
        yield Row(tables.namespaces, {"name": namespace, "seq": seq})


def _share(vault: str, epoch: int, share: acts.Share, seq: int) -> Row:
    place = {"vault": vault, "epoch": epoch, "recipient": share.recipient}
    sealed = {"suite": share.sealed.suite, "sealed": share.sealed.sha256, "limited": share.limited}
    return Row(tables.shares, {**place, **sealed, "seq": seq})


def blob_row(model: str, blob: acts.Blob, seq: int) -> Row:
    """The row of a blob that a push brings or a rotation seals again."""
    values = {
        "model": model,
        "content": blob.content,
        "id": blob.id,
        "format": blob.format,
        "size": blob.size,
        "sha256": blob.sha256,
        "epoch": blob.epoch,
        "suite": blob.key.suite,
        "sealed": blob.key.sha256,
        "seq": seq,
    }
    return Row(tables.blobs, values)


def blob_of(row: Mapping[str, Any]) -> acts.Blob:
    """The blob that a row of ``blobs`` tells of."""
    names = ("id", "format", "size", "sha256", "content", "epoch")
    key = acts.Sealed(suite=row["suite"], sha256=row["sealed"])
    return acts.Blob(**{name: row[name] for name in names}, key=key)
