"""Hop 3 of a push: each file once through hash and cipher into the store, resumable, never twice."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import msgspec

from registry import acts, vaults
from registry.acts import Blob, File
from registry.authority import Permit, end_lease, permit, renew
from registry.context import Context
from registry.crypto import streaming
from registry.errors import BlobMissing, Conflict, Unavailable
from registry.journal import Journal, Opening
from registry.progress import Progress
from registry.records import leases
from registry.source import SourceFile
from registry.transfer import hash_plain, seal


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
        self.vault: acts.Vault | None = None  # of a model that this push creates
        self._public: tuple[int, str, bytes] = (0, "", b"")  # epoch, suite, public half of the vault
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

    def begin(self, given: Permit) -> None:
        """Settle on a vault, and keep what an interrupted push sealed to it and the store still has."""
        opened = self._journal.opening
        if given.vault is None:
            self.vault = (opened.vault if opened else None) or self._new_vault()
        self._public = given.vault or self._vault_public()
        if opened is None or opened.public != self._public[2]:
            self._open_journal()
        # What an act has recorded already is no longer this push's to bring, and never its to remove.
        recorded = self.permit(contents=self._journal.blobs.keys()).stored
        for blob in list(self._journal.blobs.values()):
            if blob.content in recorded or not self._in_store(blob):
                del self._journal.blobs[blob.content]

    def store(self, source: Collection[SourceFile]) -> Uploaded:
        """Store every file. Raises SourceChanged, DiskTrouble or StoreUnavailable."""
        sizes = [file.size for file in source]
        known = self.permit(sizes=frozenset(sizes)).sizes | _repeated(sizes) | self._journaled_sizes()
        progress = _Heartbeat(self._context, self.renew)
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

    def follow(self, given: Permit) -> None:
        """When another push created the model first, seal this push's blob keys to that model's vault.

        Raises Conflict where that cannot be done, or where gc took this push for dead and its blobs with it.
        """
        # The lease is held again by now, so what is still there stays.
        if self._lapsed and not all(self._in_store(blob) for blob in self._journal.blobs.values()):
            raise Conflict(
                "the push was silent for too long, and gc took its blobs", on=self._model, hint="push again"
            )
        if given.vault is None or given.vault == self._public:
            return
        blobs = list(self._journal.blobs.values())
        self.vault, self._public = None, given.vault
        self._open_journal()
        if any(blob.id not in self._keys for blob in blobs):
            raise Conflict(
                "another push created the model while this one was interrupted",
                on=self._model,
                hint="push again",
            )
        for blob in blobs:
            sealed = self._seal_key(blob.id, self._keys[blob.id])
            self._journal.add(msgspec.structs.replace(blob, epoch=self._public[0], key=sealed))

    def brought(self, files: Iterable[File]) -> tuple[Blob, ...]:
        """The blobs of this push that ``files`` use: those that the act records."""
        used = {file.blob for file in files}
        return tuple(blob for blob in self._journal.blobs.values() if blob.id in used)

    def discard_unused(self, files: Iterable[File]) -> None:
        """Remove this push's other blobs; what cannot be removed now is for ``gc`` to find."""
        used = {file.blob for file in files}
        for blob in self._journal.blobs.values():
            if blob.id not in used:
                try:
                    self._context.store.delete(blob.id)
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
            name = self._find(content) if look else None
            if name is not None:
                progress.advance(file.size)
            else:
                blob = self._seal(descriptor, file, progress)
                content = blob.content
            file.check(descriptor)
        finally:
            os.close(descriptor)
        return File(path=file.path, size=file.size, sha256=content, blob=name or blob.id), name is not None

    def _find(self, content: str) -> str | None:
        if content in self._journal.blobs:
            return self._journal.blobs[content].id
        return self.permit(contents=[content]).stored.get(content)

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
            epoch=self._public[0],
            key=self._seal_key(name, key),
        )
        self._keys[name] = key
        self._journal.add(blob)
        return blob

    def _seal_key(self, blob: str, key: bytes) -> acts.Sealed:
        return vaults.seal_blob_key(self._context.config.registry_id, self._model, self._public, blob, key)

    def _new_vault(self) -> acts.Vault:
        return vaults.create(self._context.config.registry_id, self._model, [self._context.identity.public])

    def _vault_public(self) -> tuple[int, str, bytes]:
        return (self.vault.epoch, self.vault.suite, self.vault.public) if self.vault else (0, "", b"")

    def _open_journal(self) -> None:
        self._journal.begin(Opening(self.push, self._model, self.vault, self._public[2]))

    def _in_store(self, blob: Blob) -> bool:
        try:
            return self._context.store.stat(blob.id).size == blob.size
        except BlobMissing:
            return False

    def _journaled_sizes(self) -> set[int]:
        return {streaming.plaintext_size(blob.size) for blob in self._journal.blobs.values()}


class _Heartbeat:
    """Progress that also renews the push's lease."""

    def __init__(self, context: Context, renew: Callable[[], None]) -> None:
        self._context, self._renew = context, renew
        self._due = context.now() + leases.TERM / 3

    def begin(self, label: str, total: int) -> None:
        self._context.progress.begin(label, total)

    def advance(self, amount: int) -> None:
        self._context.progress.advance(amount)
        now = self._context.now()
        if now >= self._due:
            self._due = now + leases.TERM / 3
            self._renew()

    def end(self) -> None:
        self._context.progress.end()


def _repeated(sizes: list[int]) -> set[int]:
    return {first for first, second in pairwise(sorted(sizes)) if first == second}
