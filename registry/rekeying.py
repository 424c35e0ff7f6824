"""A rotation's blobs: their keys sealed to the new epoch of the vault, or the blobs encrypted again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import closing, suppress
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace

from registry import acts, authority, handover, keyring, vaults
from registry.context import Context
from registry.crypto import streaming
from registry.errors import BadDigest, BadEncryption, Unavailable
from registry.heartbeat import Heartbeat
from registry.law.law import Law
from registry.records import queries, sealed
from registry.records.database import reading
from registry.records.law_rows import blob_of
from registry.transfer.reencrypting import reencrypt as pipe
from registry.vaults import PublicVault, Sealer


class Rekeyed:
    """The blobs of a rotation. Leaving the block removes the ciphertexts that no act names: the old ones,
    or, where the act did not get in, the new ones. What cannot be removed now is for ``gc`` to find."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.push = secrets.token_hex(16)  # the lease that keeps gc from the new ciphertexts
        self.kept: list[acts.Kept] = []
        self.replaced: list[str] = []
        self.brought: list[str] = []
        self.unreadable: list[str] = []  # blobs that did not open, or hold something else than was said

    def renew(self) -> None:
        """Keep the lease, which keeps ``gc`` away."""
        authority.renew(self._context.authority, self.push, "rotation", self._context.now())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.brought:
            with suppress(Unavailable):
                self._clear(certain=not isinstance(error, Unavailable))
                authority.end_lease(self._context.authority, self.push)

    def _clear(self, *, certain: bool) -> None:
        """The database has the word: an act may be admitted, and its receipt be lost on the way.

        Where it is not ``certain`` that the commit is decided by now, nothing new is removed.
        """
        with reading(self._context.engine) as connection:
            recorded = {name for name, _, _ in queries.blob_ids(connection)}
        moved = not recorded.isdisjoint(self.brought)
        for blob in (*self.replaced, *self.brought) if certain or moved else ():
            if blob not in recorded:
                self._context.store.delete(blob)


def rekey(
    context: Context, law: Law, sealer: Sealer, begun: Mapping[str, PublicVault], *, reencrypt: bool
) -> Rekeyed:
    """Seal the key of every blob of every model in ``begun`` to its new vault.

    Raises BadReference where the database names blobs that no act brought.
    """
    work = Rekeyed(context)
    rows = {
        name: _rows(context, law, name)
        for name in begun
        if name in law.state.vaults and handover.is_model(name)
    }
    every = [row for each in rows.values() for row, _ in each]
    sizes = sum(streaming.plaintext_size(row["size"]) for row in every)
    context.progress.begin(
        "encrypting again" if reencrypt else "sealing keys", sizes if reencrypt else len(every)
    )
    try:
        for model, found in rows.items():
            if found:
                _model(context, law, work, sealer, begun[model], found, again=reencrypt)
    except BaseException:
        work.__exit__(None, None, None)  # no act has named anything yet
        raise
    context.progress.end()
    return work


def _rows(context: Context, law: Law, model: str) -> list[tuple[dict[str, Any], bytes]]:
    with reading(context.engine) as connection:
        rows = queries.blobs_of(connection, model)
        handover.genuine(connection, law, rows)
        keys = sealed.get(connection, [row["sealed"] for row in rows])
        return [(row, keys[row["sealed"]]) for row in rows]


def _model(
    context: Context,
    law: Law,
    work: Rekeyed,
    sealer: Sealer,
    vault: PublicVault,
    found: list[tuple[dict[str, Any], bytes]],
    *,
    again: bool,
) -> None:
    old = keyring.unlock(context, law, vault.name)
    for row, sealed_key in found:
        blob = blob_of(row)
        # What nobody could read before must not block a revocation: its publisher could do that on purpose.
        try:
            key = vaults.open_blob_key(law.registry_id, vault.name, blob, sealed_key, old)
        except BadEncryption:
            work.unreadable.append(blob.id)
            key = streaming.new_key()
        else:
            if again:
                blob, key = _encrypted(context, work, blob, key)
        fresh = sealer.blob_key(vault, blob.id, key)
        work.kept.append(acts.Kept(vault.name, replace(blob, epoch=vault.epoch, key=fresh)))
        if not again:
            context.progress.advance(1)


def _encrypted(context: Context, work: Rekeyed, blob: acts.Blob, key: bytes) -> tuple[acts.Blob, bytes]:
    """The blob under a new key; as it was, where its ciphertext is not what its act says."""
    work.renew()
    name, fresh = f"{work.push}-{secrets.token_hex(8)}", streaming.new_key()
    writer = context.store.create(name, blob.size)
    work.brought.append(name)
    try:
        with closing(context.store.open(blob.id)) as reader:
            size = streaming.plaintext_size(blob.size)
            done = pipe(reader, key, fresh, size, writer, Heartbeat(context, work.renew))
        if done.plaintext_sha256 != blob.content:
            raise BadDigest("a blob does not hold what its act says", on=blob.id)
        writer.commit()
    except (BadEncryption, BadDigest):
        writer.abort()
        work.unreadable.append(blob.id)
        return blob, key
    except BaseException:
        writer.abort()
        raise
    work.replaced.append(blob.id)
    return replace(blob, id=name, sha256=done.ciphertext_sha256, size=done.ciphertext_size), fresh
