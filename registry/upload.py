"""Hop 3 of a push: each file once through hash and cipher into the store, resumable, never twice."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import msgspec

from registry import acts, keyring
from registry.acts import Blob, File
from registry.authority import Permit, end_lease, permit, renew
from registry.context import Context
from registry.crypto import streaming
from registry.enacting import create
from registry.errors import BlobMissing, Conflict, Unavailable
from registry.heartbeat import Heartbeat
from registry.journal import Journal, Opening, Stored
from registry.law.law import Law
from registry.progress import Progress
from registry.records import leases
from registry.source import SourceFile
from registry.transfer import hash_plain, seal
from registry.vaults import PublicVault, Sealer

_UNSEALED = acts.Sealed(suite="none", sha256="0" * 64)


@dataclass(frozen=True)
class Uploaded:
    """The files of a push, and how many of them the store had already."""

    files: tuple[File, ...]
    reused: int


class Upload:
    """The blobs of one push: its lease, its journal, and the keys of what this process has stored."""

    def __init__(self, context: Context, model: str, journal: Journal) -> None:
        self._context = context
        self._model = model
        self._journal = journal
        self._keys: dict[str, bytes] = {}  # blob id to key, of blobs that this process stored
        self._vault: PublicVault | None = None  # what the blob keys are sealed to
        self._sealer: Sealer | None = None
        self._exists = False  # the model has been created
        self._held: datetime | None = None  # when the lease was last taken
        self._lapsed = False  # it had run out before it was taken again: gc may have been here

    @property
    def push(self) -> str:
        return self._journal.push

    def permit(self, contents: Collection[str] = (), sizes: Collection[int] = ()) -> Permit:
        """Ask the door, which takes or renews this push's lease."""
        context = self._context
        return permit(
            context.authority,
            context.keyid,
            self._model,
            self.push,
            self._take(),
            contents=contents,
            sizes=sizes,
        )

    def renew(self) -> None:
        """Renew the lease."""
        renew(self._context.authority, self.push, self._model, self._take())

    def _take(self) -> datetime:
        now = self._context.now()
        self._lapsed |= self._held is not None and now >= self._held + leases.TERM
        self._held = now
        return now

    def begin(self) -> None:
        """Ask whether this member may push here. Raises NotPermitted before a byte is read."""
        self._exists = self.permit().exists

    def _prepare(self) -> None:
        """Create the model where it is new; keep what an interrupted push stored and can still use."""
        if not self._exists:
            create(self._context, self._model)
        self._settle(self._context.law())
        # What an act has recorded already is no longer this push's to bring, and never its to remove.
        recorded = self.permit(contents=self._journal.blobs.keys()).stored
        for stored in list(self._journal.blobs.values()):
            if stored.blob.content in recorded or not self._in_store(stored.blob):
                del self._journal.blobs[stored.blob.content]

    def _settle(self, law: Law) -> None:
        """From here on blob keys are sealed to the vault that ``law`` names; others are stale."""
        self._sealer = Sealer(law.registry_id, law.release)
        self._vault = vault = keyring.public(law, self._model)
        opened = self._journal.opening
        if opened is None or opened.public != vault.public.raw:
            self._journal.begin(Opening(self.push, self._model, vault.public.raw))

    def store(self, source: Collection[SourceFile]) -> Uploaded:
        """Store every file; the model is made for them. Raises SourceChanged, Conflict or Unavailable."""
        self._prepare()
        sizes = [file.size for file in source]
        known = self.permit(sizes=frozenset(sizes)).sizes | _repeated(sizes) | self._journaled_sizes()
        progress = Heartbeat(self._context, self.renew)
        progress.begin("storing", sum(sizes))
        reused = 0
        files = []
        for file in source:
            # Hashing before storing costs a second read: worth it only where the bytes may be there already.
            stored, again = self._one(file, progress, look=file.size in known)
            files.append(stored)
            reused += again
        progress.end()
        return Uploaded(tuple(files), reused)

    def follow(self) -> None:
        """When the model's vault has begun a new epoch meanwhile, seal this push's blob keys to that.

        Raises Conflict where that cannot be done, or where gc took this push for dead and its blobs with it.
        """
        stored = list(self._journal.blobs.values())
        # The lease is held again by now, so what is still there stays.
        if self._lapsed and not all(self._in_store(one.blob) for one in stored):
            raise Conflict(
                "the push was silent for too long, and gc took its blobs", on=self._model, hint="push again"
            )
        law = self._context.law()
        if keyring.public(law, self._model) == self._vault:
            return
        self._settle(law)
        if any(one.blob.id not in self._keys for one in stored):
            raise Conflict(
                "the model's keys were rotated while this push was interrupted",
                on=self._model,
                hint="push again",
            )
        for one in stored:
            self._note(one.blob, self._keys[one.blob.id])

    def brought(self, contents: Set[str]) -> tuple[Stored, ...]:
        """The blobs of this push that hold these contents."""
        return tuple(one for one in self._journal.blobs.values() if one.blob.content in contents)

    def discard_unused(self, brought: Collection[Stored]) -> None:
        """Remove this push's other blobs; what cannot be removed now is for ``gc`` to find."""
        for one in self._journal.blobs.values():
            if one not in brought:
                try:
                    self._context.store.delete(one.blob.id)
                except Unavailable:
                    return

    def give_up(self) -> None:
        """Give the lease back without an act; the journal stays, for the same push to resume."""
        try:
            end_lease(self._context.authority, self.push)
        except Unavailable:
            return  # the lease of an owner that is gone ends by itself

    def _one(self, file: SourceFile, progress: Progress, *, look: bool) -> tuple[File, bool]:
        descriptor = file.open()
        try:
            content = hash_plain(descriptor, file.size) if look else ""
            there = look and self._has(content)
            if there:
                progress.advance(file.size)
            else:
                content = self._seal(descriptor, file, progress).content
            file.check(descriptor)
        finally:
            os.close(descriptor)
        return File(path=file.path, size=file.size, sha256=content), there

    def _has(self, content: str) -> bool:
        return content in self._journal.blobs or content in self.permit(contents=[content]).stored

    def _seal(self, descriptor: int, file: SourceFile, progress: Progress) -> Blob:
        key, name = streaming.new_key(), f"{self.push}-{secrets.token_hex(8)}"
        writer = self._context.store.create(name, streaming.ciphertext_size(file.size))
        try:
            done = seal(descriptor, file.size, key, writer, progress)
            writer.commit()
        except BaseException:
            writer.abort()
            raise
        blob = Blob(
            id=name,
            format=acts.BLOB_FORMAT,
            size=done.ciphertext_size,
            sha256=done.ciphertext_sha256,
            content=done.plaintext_sha256,
            epoch=1,
            key=_UNSEALED,
        )
        self._keys[name] = key
        return self._note(blob, key)

    def _note(self, blob: Blob, key: bytes) -> Blob:
        """Seal the blob's key to the vault, and write both down."""
        assert self._vault is not None
        assert self._sealer is not None
        sealed = self._sealer.blob_key(self._vault, blob.id, key)
        noted = msgspec.structs.replace(blob, epoch=self._vault.epoch, key=sealed)
        self._journal.add(Stored(noted, self._sealer.sealed[sealed.sha256]))
        return noted

    def _in_store(self, blob: Blob) -> bool:
        try:
            return self._context.store.stat(blob.id).size == blob.size
        except BlobMissing:
            return False

    def _journaled_sizes(self) -> set[int]:
        return {streaming.plaintext_size(one.blob.size) for one in self._journal.blobs.values()}


def _repeated(sizes: list[int]) -> set[int]:
    return {first for first, second in pairwise(sorted(sizes)) if first == second}
