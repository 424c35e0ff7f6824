"""SHA-256 of what lies in a file or in a store, nothing else done to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Future

from registry.blobs.base import MIB, BlobReader
from registry.progress import SILENT, Progress
from registry.transfer.lanes import Buffers, Crew, after
from registry.transfer.source import Source

_CHUNK = 4 * MIB  # bytes


def hash_plain(fd: int, size: int, progress: Progress = SILENT) -> str:
    """The hex SHA-256 of a file of ``size`` bytes. Raises SourceChanged, DiskTrouble."""
    source = Source(fd, size)
    digest = _digest(source.read_into, size, _CHUNK, 1, progress)
    source.finish()
    return digest


def digest_ciphertext(reader: BlobReader, progress: Progress = SILENT) -> str:
    """The hex SHA-256 of a blob as it is stored. Raises BadEncryption, BlobMissing, StoreUnavailable,
    DiskTrouble."""
    return _digest(reader.read_into, reader.size, reader.chunk_size, reader.parallelism, progress)


def _digest(
    read_into: Callable[[int, memoryview], None], size: int, chunk: int, threads: int, progress: Progress
) -> str:
    """Reads in several threads, hashes in one, in order."""
    digest = hashlib.sha256()

    def add(came: Future[None], view: memoryview) -> None:
        came.result()
        digest.update(view)
        progress.advance(len(view))

    with Crew() as crew:
        reading, hashing = crew.lane(threads), crew.lane()
        buffers = Buffers(crew, threads + 1, min(chunk, size))
        for offset in range(0, size, chunk):
            buffer = buffers.take()
            view = memoryview(buffer)[: min(chunk, size - offset)]
            came = reading.run(read_into, offset, view)
            hashed = hashing.run(add, came, view)
            after([hashed], _giver(buffers, buffer))
    return digest.hexdigest()


def _giver(buffers: Buffers, buffer: bytearray) -> Callable[[], None]:
    return lambda: buffers.give(buffer)
