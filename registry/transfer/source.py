"""A plaintext file that must not change while it is read."""

from __future__ import annotations

import os

from registry.blobs import disk
from registry.errors import SourceChanged

_NAME = "the source file"


class Source:
    """An open file of a size known beforehand.

    Raises SourceChanged as soon as the size, or at ``finish`` the time of the last write, is another
    than at the beginning. ``fd`` stays the caller's.
    """

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._size = size  # bytes
        self._written_at = self._look()
        with disk.translated(_NAME):
            disk.expect_sequential(fd)

    def read_into(self, offset: int, out: memoryview) -> None:
        """Fill all of ``out`` from ``offset``."""
        with disk.translated(_NAME):
            filled = disk.read_exactly(self._fd, offset, out)
        if filled != len(out):
            raise _changed("it became shorter")

    def finish(self) -> None:
        """To be called once all is read."""
        if self._look() != self._written_at:
            raise _changed("it was written to")

    def _look(self) -> int:
        with disk.translated(_NAME):
            status = os.fstat(self._fd)
        if status.st_size != self._size:
            raise _changed(f"it has {status.st_size:,} bytes, not {self._size:,}")
        return status.st_mtime_ns


def _changed(how: str) -> SourceChanged:
    return SourceChanged(
        f"the file changed while it was read: {how}", hint="wait until nothing writes to it, then try again"
    )
