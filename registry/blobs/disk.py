"""What the operating system says about files, in the registry's words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from registry.errors import DiskTrouble

# Bytes of one write. For larger ones ext4 and XFS look for contiguous memory of that size, and in a virtual
# machine whose host collects free memory that is fetched anew: measured, up to ten times the cost of copying.
_PIECE = 256 << 10

_HINTS = {
    errno.ENOSPC: "free some space on that file system, then run the same command again",
    errno.EDQUOT: "the disk quota is used up: free some space or raise it, then run the command again",
    errno.EFBIG: "a file may not grow that large here: look at 'ulimit -f' and at the file system's limit",
    errno.EIO: "the disk reports damage: check it, and restore from a copy where needed",
    errno.EROFS: "the file system is mounted read-only",
    errno.EACCES: "give this user access to it, or run as the user who owns it",
    errno.EPERM: "give this user access to it, or run as the user who owns it",
    errno.EMFILE: "too many files are open: raise 'ulimit -n'",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENOTDIR: "something on the way to it is not a directory",
    errno.ENAMETOOLONG: "choose a shorter path",
}


def trouble(error: OSError, on: str) -> DiskTrouble:
    """The DiskTrouble that ``error``, met at ``on``, amounts to."""
    code = error.errno or 0
    reason = os.strerror(code).lower() if code else "the file system failed"
    return DiskTrouble(reason, on=on, hint=_HINTS.get(code, "check the path and the file system"))


@contextmanager
def translated(on: str) -> Iterator[None]:
    """Turns any OSError of the block into a DiskTrouble about ``on``."""
    try:
        yield
    except OSError as error:
        raise trouble(error, on) from error


def read_exactly(fd: int, offset: int, out: memoryview) -> int:
    """Fill ``out`` from ``offset``; fewer bytes come back only at the end of the file."""
    filled = 0
    while filled < len(out):
        count = os.preadv(fd, [out[filled:]], offset + filled)
        if count == 0:
            break
        filled += count
    return filled


def write_fully(fd: int, offset: int, data: memoryview) -> None:
    """Write all of ``data`` at ``offset`` and have the kernel start to write it out.

    ``POSIX_FADV_DONTNEED`` on dirty pages begins their write-back without waiting for it, so that the
    fsync to come finds little left to do; the pages stay in memory until they are clean.
    """
    written = 0
    while written < len(data):
        written += os.pwrite(fd, data[written : written + _PIECE], offset + written)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, offset, len(data), os.POSIX_FADV_DONTNEED)


def expect_sequential(fd: int) -> None:
    """Tell the kernel that the file will be read from front to back: it reads ahead twice as far."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)


def sync_directory(path: str | os.PathLike[str]) -> None:
    """Make the names in a directory durable; a new file's name is lost in a crash without it."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
