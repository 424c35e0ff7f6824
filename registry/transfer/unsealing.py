"""From a blob back to the plaintext, in memory or in a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeAlias

from registry.blobs import disk
from registry.blobs.base import BlobReader
from registry.crypto.streaming import (
    HEADER,
    SEGMENT,
    Decryptor,
    ciphertext_size,
    plaintext_span,
    segment_count,
)
from registry.errors import BadEncryption, RegistryError
from registry.progress import SILENT, Progress
from registry.transfer.lanes import Buffers, Crew, after

Sink: TypeAlias = memoryview | int
"""Where plaintext goes: writable memory of exactly its size, or a file descriptor open for writing."""


def unseal(
    reader: BlobReader, key: bytes, plaintext_size: int, out: Sink, progress: Progress = SILENT
) -> str:
    """Decrypt a blob into ``out``; return the hex SHA-256 of the plaintext, for the caller to compare.

    Ranges are read and decrypted in parallel, into memory straight where they belong. Only segments
    that authenticate reach ``out``. ``progress`` advances by ``plaintext_size`` in all; its stages are
    the caller's. After an exception, what ``out`` holds is of no use. Raises BadEncryption, BlobMissing,
    StoreUnavailable, DiskTrouble.
    """
    if reader.size != ciphertext_size(plaintext_size):
        raise BadEncryption(
            f"the blob has {reader.size:,} bytes instead of {ciphertext_size(plaintext_size):,}",
            hint="it was cut or extended in the store",
        )
    with Crew() as crew:
        unsealing = _Unsealing(crew, reader, key, plaintext_size, out, progress)
        for first in range(0, segment_count(plaintext_size), unsealing.segments_per_chunk):
            unsealing.chunk(first)
    return unsealing.hash.hexdigest()


class _Unsealing:
    """The caller's thread hands out chunks; a lane of threads fetches, decrypts and writes them, and a
    lane of one hashes the plaintext in order."""

    def __init__(
        self, crew: Crew, reader: BlobReader, key: bytes, size: int, out: Sink, progress: Progress
    ) -> None:
        self._reader = reader
        self._key = key
        self._size = size
        self._progress = progress
        self.hash = hashlib.sha256()
        self.count = segment_count(size)
        self.segments_per_chunk = reader.chunk_size // SEGMENT
        self._opening, self._hashing = crew.lane(reader.parallelism), crew.lane()
        chunk = min(reader.chunk_size, reader.size)
        self._ciphers = Buffers(crew, reader.parallelism, chunk)
        self._targets = _targets(crew, out, size, chunk, reader.parallelism + 1)
        self._decryptor: Decryptor | None = None

    def chunk(self, first: int) -> None:
        """Send the chunk that begins with segment ``first`` on its way."""
        end = min(first + self.segments_per_chunk, self.count)
        begin, stop = self._offset(first), self._offset(end)
        cipher = self._ciphers.take()
        view = memoryview(cipher)[: min(end * SEGMENT, self._reader.size) - first * SEGMENT]
        plain, keep, release = self._targets.take(begin, stop - begin)
        if self._decryptor is None:  # the header comes with the first chunk: no request of its own
            self._reader.read_into(0, view)
            self._decryptor = Decryptor(self._key, bytes(view[:HEADER]), self._reader.size)
        opened = self._opening.run(self._open, self._decryptor, first, end, view, plain, keep)
        after([opened], lambda: self._ciphers.give(cipher))
        hashed = self._hashing.run(self._hash, opened, plain)
        after([hashed], release)

    def _open(
        self,
        decryptor: Decryptor,
        first: int,
        end: int,
        cipher: memoryview,
        plain: memoryview,
        keep: Callable[[], None],
    ) -> None:
        if first:
            self._reader.read_into(first * SEGMENT, cipher)
        for index in range(first, end):
            start = (index - first) * SEGMENT
            offset = self._offset(index) - self._offset(first)
            decryptor.segment(index, cipher[start : start + SEGMENT], plain[offset:])
        keep()

    def _hash(self, opened: Future[None], plain: memoryview) -> None:
        opened.result()
        self.hash.update(plain)
        self._progress.advance(len(plain))

    def _offset(self, index: int) -> int:
        """Where segment ``index`` begins in the plaintext; one past the last is its end."""
        return plaintext_span(index, self._size)[0] if index < self.count else self._size


_Target: TypeAlias = tuple[memoryview, Callable[[], None], Callable[[], None]]
"""Memory for one chunk, what to do once it holds plaintext, and how to give it back."""


class _Memory:
    def __init__(self, out: memoryview, size: int) -> None:
        if out.readonly or not out.contiguous or out.nbytes != size:
            raise RegistryError("the destination must be writable memory of the plaintext's size")
        self._out = out.cast("B")

    def take(self, offset: int, length: int) -> _Target:
        return self._out[offset : offset + length], _nothing, _nothing


class _File:
    def __init__(self, fd: int, buffers: Buffers) -> None:
        self._fd = fd
        self._buffers = buffers

    def take(self, offset: int, length: int) -> _Target:
        buffer = self._buffers.take()
        view = memoryview(buffer)[:length]
        return view, partial(self._write, offset, view), partial(self._buffers.give, buffer)

    def _write(self, offset: int, view: memoryview) -> None:
        with disk.translated("the file that is being written"):
            disk.write_fully(self._fd, offset, view)


def _targets(crew: Crew, out: Sink, size: int, chunk: int, count: int) -> _Memory | _File:
    if isinstance(out, memoryview):
        return _Memory(out, size)
    return _File(out, Buffers(crew, count, chunk))


def _nothing() -> None:
    pass
