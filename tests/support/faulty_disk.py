"""The ``os`` module and file objects with a fault line under them."""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import mmap
import os
from collections.abc import Callable
from typing import Any

from support.faultline import Line

_WRITING_PATHS = (
    "link",
    "rename",
    "replace",
    "unlink",
    "remove",
    "mkdir",
    "rmdir",
    "chmod",
    "truncate",
    "symlink",
)
_WRITING_FILES = ("write", "pwrite", "fsync", "fdatasync", "ftruncate", "posix_fallocate", "fchmod")
_READING_PATHS = ("stat", "lstat", "scandir", "listdir", "statvfs")
_READING_FILES = ("read", "pread", "preadv", "fstat")
_CODES = (errno.EIO, errno.ENOSPC)


def install(line: Line) -> None:
    """Patch ``os``, ``open`` and ``flock`` for the rest of the process's life."""
    for names, writes in ((_WRITING_PATHS, True), (_READING_PATHS, False)):
        for name in names:
            setattr(os, name, _by_path(line, name, getattr(os, name), writes))
    for names, writes in ((_WRITING_FILES, True), (_READING_FILES, False)):
        for name in names:
            setattr(os, name, _by_file(line, name, getattr(os, name), writes))
    os.open = _open(line, os.open)
    fcntl.flock = _by_file(line, "flock", fcntl.flock, False)
    mmap.mmap = _by_file(line, "mmap", mmap.mmap, False)  # type: ignore[misc]
    io.open = builtins.open = _file_object(line, io.open)  # type: ignore[assignment]


def _error(number: int) -> OSError:
    code = _CODES[number % 2]
    return OSError(code, os.strerror(code))


def _read_error(number: int) -> OSError:
    return OSError(errno.EIO, os.strerror(errno.EIO))


def _watched(line: Line, place: str) -> bool:
    return any(place == root or place.startswith(f"{root}/") for root in line.plan.roots)


def _of_path(path: Any, dir_fd: int | None = None) -> str:
    if isinstance(path, int):
        return _of_file(path)
    text = os.fsdecode(path)
    return os.path.join(_of_file(dir_fd), text) if dir_fd is not None else os.path.abspath(text)


def _of_file(descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


def _by_path(line: Line, name: str, original: Callable[..., Any], writes: bool) -> Callable[..., Any]:
    def call(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
        if not _watched(line, _of_path(path, kwargs.get("dir_fd"))):
            return original(path, *args, **kwargs)
        error = _error if writes else _read_error
        return line.through("disk", name, writes, lambda: original(path, *args, **kwargs), error)

    return call


def _by_file(line: Line, name: str, original: Callable[..., Any], writes: bool) -> Callable[..., Any]:
    def call(file: Any, *args: Any, **kwargs: Any) -> Any:
        descriptor = file if isinstance(file, int) else file.fileno()
        if not _watched(line, _of_file(descriptor)):
            return original(file, *args, **kwargs)
        error = _error if writes else _read_error
        return line.through("disk", name, writes, lambda: original(file, *args, **kwargs), error)

    return call


def _open(line: Line, original: Callable[..., int]) -> Callable[..., int]:
    def call(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if not _watched(line, _of_path(path, kwargs.get("dir_fd"))):
            return original(path, flags, *args, **kwargs)
        creates = bool(flags & (os.O_CREAT | os.O_TRUNC))
        name, error = ("create", _error) if creates else ("open", _read_error)
        return line.through("disk", name, creates, lambda: original(path, flags, *args, **kwargs), error)

    return call


class _Raw(io.FileIO):
    """What lies under a buffered file: the calls that the buffer makes when it is flushed or filled."""

    line: Line

    def write(self, data: Any) -> int:
        return self.line.through("disk", "write", True, lambda: io.FileIO.write(self, data), _error)

    def truncate(self, size: int | None = None) -> int:
        return self.line.through("disk", "truncate", True, lambda: io.FileIO.truncate(self, size), _error)

    def readall(self) -> bytes:
        return self.line.through("disk", "read", False, lambda: io.FileIO.readall(self), _read_error)

    def readinto(self, out: Any) -> int:
        return self.line.through("disk", "read", False, lambda: io.FileIO.readinto(self, out), _read_error)


def _file_object(line: Line, original: Callable[..., Any]) -> Callable[..., Any]:
    def call(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        place = _of_path(file) if isinstance(file, (str, bytes, os.PathLike, int)) else ""
        if "b" not in mode or not _watched(line, place):
            return original(file, mode, *args, **kwargs)

        def make() -> Any:
            raw = _Raw(file, mode.replace("b", ""))
            raw.line = line
            buffered = io.BufferedRandom if raw.writable() and raw.readable() else io.BufferedWriter
            return buffered(raw) if raw.writable() else io.BufferedReader(raw)

        if isinstance(file, int):
            return make()
        creates = mode.strip("b") != "r"
        name, error = ("create", _error) if creates else ("open", _read_error)
        return line.through("disk", name, creates, make, error)

    return call
