"""From a plaintext file to a blob, in one pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from registry.blobs.base import BlobWriter
from registry.crypto.streaming import SEGMENT, Encryptor, ciphertext_size, plaintext_span, segment_count
from registry.progress import SILENT, Progress
from registry.transfer.lanes import Buffers, Crew, after
from registry.transfer.source import Source

GROUP = 4  # segments that are read, hashed and encrypted at once: 4 MiB
_PLAIN_BUFFERS = 3


@dataclass(frozen=True, slots=True)
class SealedFile:
    """What became of one file. Digests are hex SHA-256."""

    plaintext_sha256: str
    ciphertext_sha256: str
    ciphertext_size: int  # bytes


def seal(
    source_fd: int, size: int, key: bytes, writer: BlobWriter, progress: Progress = SILENT
) -> SealedFile:
    """Read a file once; hash it, encrypt it, hash the ciphertext, and give that to ``writer``.

    The caller commits or aborts the writer. ``progress`` advances by ``size`` in all, as parts reach the
    store; its stages are the caller's. Memory is bounded by the writer's part size and parallelism.
    Raises SourceChanged, DiskTrouble, StoreUnavailable.
    """
    with Crew() as crew:
        sealing = _Sealing(crew, Source(source_fd, size), size, key, writer, progress)
        for first in range(0, sealing.count, sealing.segments_per_part):
            sealing.part(first)
    return sealing.result()


class _Sealing:
    """The caller's thread reads and encrypts; one lane hashes the plaintext, one the ciphertext, both in
    order, and a third, of as many threads as the store likes, writes the parts."""

    def __init__(
        self, crew: Crew, source: Source, size: int, key: bytes, writer: BlobWriter, progress: Progress
    ) -> None:
        self._source = source
        self._size = size
        self._writer = writer
        self._progress = progress
        self._encryptor = Encryptor(key, size)
        self.count = segment_count(size)
        self.total = ciphertext_size(size)
        self.segments_per_part = writer.part_size // SEGMENT
        self._plain_hash = hashlib.sha256()
        self._cipher_hash = hashlib.sha256()
        self._hashing, self._digesting = crew.lane(), crew.lane()
        self._writing = crew.lane(writer.parallelism)
        self._plains = Buffers(crew, _PLAIN_BUFFERS, min(GROUP * SEGMENT, size))
        self._parts = Buffers(crew, writer.parallelism + 1, min(writer.part_size, self.total))

    def part(self, first: int) -> None:
        """Send the part that begins with segment ``first`` on its way."""
        end = min(first + self.segments_per_part, self.count)
        offset = first * SEGMENT
        buffer = self._parts.take()
        view = memoryview(buffer)[: min(self._writer.part_size, self.total - offset)]
        for start in range(first, end, GROUP):
            self._group(start, min(start + GROUP, end), view[(start - first) * SEGMENT :])
        plain_bytes = self._offset(end) - self._offset(first)
        digested = self._digesting.run(self._cipher_hash.update, view)
        written = self._writing.run(self._write, offset, view, plain_bytes)
        after([digested, written], lambda: self._parts.give(buffer))

    def _group(self, start: int, end: int, out: memoryview) -> None:
        buffer = self._plains.take()
        begin = self._offset(start)
        view = memoryview(buffer)[: self._offset(end) - begin]
        self._source.read_into(begin, view)
        hashed: Future[None] = self._hashing.run(self._plain_hash.update, view)
        for index, plain in self._segments(start, end, view):
            out = out[self._encryptor.segment(index, plain, out) :]
        after([hashed], lambda: self._plains.give(buffer))

    def _segments(self, start: int, end: int, view: memoryview) -> Iterator[tuple[int, memoryview]]:
        begin = self._offset(start)
        for index in range(start, end):
            offset, length = plaintext_span(index, self._size)
            yield index, view[offset - begin : offset - begin + length]

    def _offset(self, index: int) -> int:
        """Where segment ``index`` begins in the plaintext; one past the last is its end."""
        return plaintext_span(index, self._size)[0] if index < self.count else self._size

    def _write(self, offset: int, view: memoryview, plain_bytes: int) -> None:
        self._writer.write(offset, view)
        self._progress.advance(plain_bytes)

    def result(self) -> SealedFile:
        """Once the crew is through."""
        self._source.finish()
        return SealedFile(self._plain_hash.hexdigest(), self._cipher_hash.hexdigest(), self.total)
