"""From a blob under one key to a blob under another, through memory only."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from registry.blobs.base import BlobReader, BlobWriter
from registry.crypto.streaming import (
    HEADER,
    SEGMENT,
    Decryptor,
    Encryptor,
    ciphertext_size,
    plaintext_span,
    segment_count,
)
from registry.errors import BadEncryption
from registry.progress import SILENT, Progress
from registry.transfer.lanes import Buffers, Crew, after

_PLAIN_BUFFERS = 3


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """What became of one blob. Digests are hex SHA-256."""

    plaintext_sha256: str
    ciphertext_sha256: str
    ciphertext_size: int  # bytes


def reencrypt(
    reader: BlobReader, old: bytes, new: bytes, size: int, writer: BlobWriter, progress: Progress = SILENT
) -> Reencrypted:
    """Read a blob of ``size`` bytes of plaintext under the key ``old``, give it to ``writer`` under ``new``.

    Only segments that authenticate are encrypted again. The caller compares the plaintext's digest, then
    commits or aborts the writer. ``progress`` advances by ``size`` in all, as parts reach the store; its
    stages are the caller's. Memory is bounded by the part size and what both sides do at once. Raises
    BadEncryption, BlobMissing, StoreUnavailable, DiskTrouble.
    """
    if reader.size != ciphertext_size(size):
        raise BadEncryption(
            f"the blob has {reader.size:,} bytes instead of {ciphertext_size(size):,}",
            hint="it was cut or extended in the store",
        )
    with Crew() as crew:
        work = _Reencrypting(crew, reader, (old, new), size, writer, progress)
        for first in range(0, work.count, work.segments_per_part):
            work.fetch(first)
        work.finish()
    return work.result()


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the new blob: its first segment, its memory, and the reads that fill that."""

    first: int
    buffer: bytearray
    view: memoryview
    reads: Sequence[Future[None]]


class _Reencrypting:
    """One lane of threads reads ahead; the caller's thread decrypts and encrypts; one lane hashes the
    plaintext and one the ciphertext, both in order, and a lane of threads writes.

    Both streams have their segments at the same places, so a segment returns into the memory out of which
    it was decrypted, and a part read is a part to write.
    """

    def __init__(
        self,
        crew: Crew,
        reader: BlobReader,
        keys: tuple[bytes, bytes],
        size: int,
        writer: BlobWriter,
        progress: Progress,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._size = size
        self._progress = progress
        self._old, new = keys
        self._encryptor = Encryptor(new, size)
        self._decryptor: Decryptor | None = None
        self.count = segment_count(size)
        self.total = ciphertext_size(size)
        self.segments_per_part = writer.part_size // SEGMENT
        self._plain_hash, self._cipher_hash = hashlib.sha256(), hashlib.sha256()
        self._reading = crew.lane(reader.parallelism)
        self._hashing, self._digesting = crew.lane(), crew.lane()
        self._writing = crew.lane(writer.parallelism)
        self._fetched: deque[_Part] = deque()
        self._most = -(-reader.parallelism * reader.chunk_size // writer.part_size)  # parts read ahead
        # More than wait in _fetched: whoever waits for a buffer waits for a write, never for itself.
        parts = self._most + writer.parallelism + 1
        self._parts = Buffers(crew, parts, min(writer.part_size, self.total))
        self._plains = Buffers(crew, _PLAIN_BUFFERS, min(SEGMENT, size))

    def fetch(self, first: int) -> None:
        """Begin to read the part that begins with segment ``first``; turn the oldest where enough wait."""
        offset = first * SEGMENT
        buffer = self._parts.take()
        view = memoryview(buffer)[: min(self._writer.part_size, self.total - offset)]
        step = self._reader.chunk_size
        reads = [
            self._reading.run(self._reader.read_into, offset + at, view[at : at + step])
            for at in range(0, len(view), step)
        ]
        self._fetched.append(_Part(first, buffer, view, reads))
        if len(self._fetched) > self._most:
            self._turn(self._fetched.popleft())

    def finish(self) -> None:
        """Turn what still waits."""
        while self._fetched:
            self._turn(self._fetched.popleft())

    def _turn(self, part: _Part) -> None:
        """Encrypt a part anew in its place, and send it on its way."""
        for read in part.reads:
            read.result()
        if self._decryptor is None:  # the header comes with the first part: no request of its own
            self._decryptor = Decryptor(self._old, bytes(part.view[:HEADER]), self.total)
        plain_bytes = 0
        for at in range(0, len(part.view), SEGMENT):
            index = part.first + at // SEGMENT
            plain_bytes += self._segment(self._decryptor, index, part.view[at : at + SEGMENT])
        digested = self._digesting.run(self._cipher_hash.update, part.view)
        written = self._writing.run(self._write, part.first * SEGMENT, part.view, plain_bytes)
        after([digested, written], partial(self._parts.give, part.buffer))

    def _segment(self, decryptor: Decryptor, index: int, cipher: memoryview) -> int:
        _, length = plaintext_span(index, self._size)
        buffer = self._plains.take()
        plain = memoryview(buffer)[:length]
        decryptor.segment(index, cipher, plain)
        hashed: Future[None] = self._hashing.run(self._plain_hash.update, plain)
        self._encryptor.segment(index, plain, cipher)
        after([hashed], partial(self._plains.give, buffer))
        return length

    def _write(self, offset: int, view: memoryview, plain_bytes: int) -> None:
        self._writer.write(offset, view)
        self._progress.advance(plain_bytes)

    def result(self) -> Reencrypted:
        """Once the crew is through."""
        return Reencrypted(self._plain_hash.hexdigest(), self._cipher_hash.hexdigest(), self.total)
