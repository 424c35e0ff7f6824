"""Servers that several test processes share: started by the first that needs one, stopped by the last."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class Lease:
    """One process's share in a server.

    Every holder keeps a shared lock on one file, so a process that dies gives up its share. Starting and
    stopping happen under the exclusive lock of another file.
    """

    def __init__(self, name: str) -> None:
        self._gate = (runtime_directory() / f"{name}.gate").open("w")
        self._holders = (runtime_directory() / f"{name}.holders").open("w")

    def take(self, start: Callable[[], T]) -> T:
        """Take a share, and ``start`` the server; that must be idempotent."""
        with self._exclusively():
            fcntl.flock(self._holders, fcntl.LOCK_SH)
            return start()

    def release(self, stop: Callable[[], object]) -> None:
        """Give up the share; ``stop`` the server where nobody else has one.

        With HALLMARK_TEST_KEEP_SERVERS in the environment the server stays, for the next run.
        """
        with self._exclusively(), suppress(BlockingIOError):
            fcntl.flock(self._holders, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.environ.get("HALLMARK_TEST_KEEP_SERVERS"):
                stop()
        self._holders.close()
        self._gate.close()

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)


def runtime_directory() -> Path:
    """A directory of this user's for locks and sockets, short enough for the path of a socket, and open
    for others to pass through: root's PostgreSQL runs as somebody else."""
    path = Path(tempfile.gettempdir()) / f"hallmark-tests-{os.geteuid()}"
    path.mkdir(mode=0o711, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise RuntimeError(f"{path} belongs to somebody else")
    path.chmod(0o711)
    return path
