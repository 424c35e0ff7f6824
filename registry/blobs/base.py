"""The protocol of a blob store, and what a blob may be called."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from registry.errors import InvalidInput

MIB = 1 << 20  # bytes

_BLOB_ID = re.compile(r"[a-z0-9-]{1,100}")


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """A published blob."""

    id: str
    size: int  # bytes


class BlobWriter(Protocol):
    """One upload. Nothing of it can be seen in the store before ``commit`` returns."""

    @property
    def part_size(self) -> int:
        """Bytes of every part but the last; a multiple of 1 MiB."""

    @property
    def parallelism(self) -> int:
        """How many calls of ``write`` at once are worth making."""

    def write(self, offset: int, data: memoryview) -> None:
        """Store one part. Any order, any thread. ``data`` is not kept after the call.

        Raises DiskTrouble or StoreUnavailable.
        """

    def commit(self) -> None:
        """Publish, durably. Raises BlobExists where the id is taken, DiskTrouble or StoreUnavailable.

        After an exception the upload can only be aborted.
        """

    def abort(self) -> None:
        """Throw the upload away. Idempotent, harmless after ``commit``, and it does not raise where the
        store is out of reach: what then stays behind is ``sweep``'s to find. Only when no ``write`` is
        under way."""


class BlobReader(Protocol):
    """One published blob, open for reading in ranges from any thread."""

    @property
    def size(self) -> int:
        """Bytes in the blob."""

    @property
    def chunk_size(self) -> int:
        """Bytes that are worth asking for at once; a multiple of 1 MiB."""

    @property
    def parallelism(self) -> int:
        """How many calls of ``read_into`` at once are worth making."""

    def read_into(self, offset: int, out: memoryview) -> None:
        """Fill all of ``out`` from ``offset``.

        Raises BadEncryption where the blob is shorter than it was, BlobMissing where it was removed
        meanwhile, DiskTrouble or StoreUnavailable.
        """

    def close(self) -> None:
        """Let go of the blob. Idempotent."""


class BlobStore(Protocol):
    """A set of blobs. Every method may be called from any thread."""

    def create(self, blob_id: str, size: int) -> BlobWriter:
        """Begin an upload of exactly ``size`` bytes."""

    def open(self, blob_id: str) -> BlobReader:
        """Open a blob. Raises BlobMissing."""

    def stat(self, blob_id: str) -> BlobInfo:
        """What is known of a blob. Raises BlobMissing."""

    def list(self) -> Iterator[BlobInfo]:
        """Every published blob, ordered by id."""

    def delete(self, blob_id: str) -> None:
        """Remove a blob; one that is absent is fine."""

    def sweep(self, active: Callable[[str], bool]) -> Iterator[str]:
        """Remove uploads that nobody finished, and name the blob id of each.

        An upload whose id is ``active`` belongs to a push under way, and stays.
        """


def is_blob_id(text: str) -> bool:
    """Whether ``text`` may name a blob: 1 to 100 of ``a-z``, ``0-9`` and ``-``, so that it is safe as a
    file name and as an object key."""
    return _BLOB_ID.fullmatch(text) is not None


def check_blob_id(text: str) -> str:
    """``text`` where it may name a blob. Raises InvalidInput."""
    if not is_blob_id(text):
        raise InvalidInput("not a blob id", on=repr(text), hint="use 1 to 100 of a-z, 0-9 and '-'")
    return text
