"""What the database must say where an act hands keys over: blobs sealed anew, secrets to destroy."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from registry import acts
from registry.errors import BadReference, Outdated
from registry.law.law import Law
from registry.lawbook import proven
from registry.records import projection, queries, tables
from registry.records.law_rows import Row


def check(connection: sa.Connection, law: Law, custody: acts.Custody) -> None:
    """A model whose vault begins anew brings every blob it has, and no blob is changed on the way.

    Raises Outdated (a push came in between), or BadReference.
    """
    kept: dict[str, dict[str, acts.Blob]] = {}
    for one in custody.blobs:
        kept.setdefault(one.model, {})[one.blob.content] = one.blob
    for vault in custody.vaults:
        if vault.epoch > 1 and is_model(vault.name):
            _model(connection, law, vault, kept.get(vault.name, {}))


def is_model(vault: str) -> bool:
    """Whether a vault is a model's: not a team's, a namespace's or the root."""
    return "/" in vault[:-1]


def _model(connection: sa.Connection, law: Law, vault: acts.Vault, kept: dict[str, acts.Blob]) -> None:
    rows = {row["content"]: row for row in queries.blobs_of(connection, vault.name)}
    if rows.keys() != kept.keys():
        raise Outdated("the model has other blobs than the act seals anew", on=vault.name)
    for row in rows.values():
        _blob(row, kept[row["content"]], vault.epoch)
    genuine(connection, law, list(rows.values()))


def _blob(row: dict[str, Any], blob: acts.Blob, epoch: int) -> None:
    same = (blob.format, blob.size) == (row["format"], row["size"])
    moved = blob.id != row["id"]  # encrypted again: other bytes, of the same length
    if not same or blob.epoch != epoch or (blob.sha256 == row["sha256"]) == moved:
        raise BadReference("the act changes a blob that it may only seal anew", on=row["id"])


def genuine(connection: sa.Connection, law: Law, rows: list[dict[str, Any]]) -> None:
    """Raise BadReference unless acts of the ledger wrote these rows of ``blobs``.

    What is built on them is signed by somebody: a row put beside the ledger must not get in that way.
    """
    acted = proven(connection, law, {row["seq"] for row in rows})
    key = itemgetter("model", "content")  # two models may hold the same file
    written = {
        seq: {key(row.values): row for row in projection.blob_rows(act, seq)} for seq, act in acted.items()
    }
    for row in rows:
        if written[row["seq"]].get(key(row)) != Row(tables.blobs, row):
            raise BadReference(
                "the database names a blob that no act brought", on=row["id"], hint="run 'registry fsck'"
            )


def superseded(connection: sa.Connection, law: Law, custody: acts.Custody) -> Iterator[str]:
    """The sealed secrets that ``custody`` replaces: to be destroyed with the same commit."""
    for vault in custody.vaults:
        old = law.state.vaults.get(vault.name)
        yield from (share.sealed.sha256 for share in (old.shares.values() if old else ()))
        if vault.epoch > 1 and is_model(vault.name):
            yield from (row["sealed"] for row in queries.blobs_of(connection, vault.name))
    for handed in custody.shares:
        before = law.state.vaults[handed.vault].shares.get(handed.share.recipient)
        if before is not None:
            yield before.sealed.sha256
