"""An exported directory as it is read: known names, regular files only, every length bounded."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from registry import disk
from registry.audit.exporting import CHECKPOINT, ENTRIES, LAW, PROOF, SINCE
from registry.crypto.dsse import MAX_ENVELOPE
from registry.errors import Malformed

_NAMES: Final = frozenset((CHECKPOINT, ENTRIES, LAW, PROOF))
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe would keep us waiting


_BUFFER: Final = 1 << 20  # bytes


class Parcel:
    """The files of an export, open. Nothing of them is believed."""

    def __init__(self, files: dict[str, BinaryIO]) -> None:
        self._files = files

    @property
    def has_since(self) -> bool:
        """Whether the range begins after a checkpoint, and not at the genesis act."""
        return SINCE in self._files

    def read(self, name: str, limit: int) -> bytes:
        """A small file, whole. Raises Malformed for more than ``limit`` bytes."""
        file = self._files[name]
        with disk.translated(name):
            file.seek(0)
            data = file.read(limit + 1)
        if len(data) > limit:
            raise Malformed("a file of the export is too long", on=f"{name}, {limit} bytes allowed")
        return data

    def note(self, name: str, limit: int) -> str:
        """A signed note. Raises Malformed."""
        try:
            return self.read(name, limit).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("a file of the export is not UTF-8", on=name) from error

    def size(self, name: str) -> int:
        """The bytes of a file."""
        return os.fstat(self._files[name].fileno()).st_size

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file, without their newlines, each of a length that an envelope may have."""
        file = self._files[name]
        with disk.translated(name):
            file.seek(0)
            while line := file.readline(MAX_ENVELOPE + 1):
                if not line.endswith(b"\n"):
                    raise Malformed("a line of the export is too long, or cut off", on=name)
                yield line[:-1]


@contextmanager
def opened(path: Path) -> Iterator[Parcel]:
    """The parcel in a directory. Raises NotFound, or Malformed where a file is missing or does not belong."""
    files: dict[str, BinaryIO] = {}
    with disk.translated(path):
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with disk.translated(path):
            _check_names(set(os.listdir(directory)), path)
            for name in sorted(os.listdir(directory)):
                files[name] = _open(directory, name)
        yield Parcel(files)
    finally:
        os.close(directory)
        for file in files.values():
            file.close()


def _check_names(found: set[str], path: Path) -> None:
    if missing := sorted(_NAMES - found):
        raise Malformed("the directory is not a whole export", on=f"{path}: no {', '.join(missing)}")
    if unknown := sorted(found - _NAMES - {SINCE}):
        raise Malformed("the directory holds what belongs to no export", on=f"{path}: {unknown[0]!r}")


def _open(directory: int, name: str) -> BinaryIO:
    try:
        descriptor = os.open(name, _FLAGS, dir_fd=directory)
    except OSError as error:
        raise Malformed(
            "a file of the export does not open: it is a link, or not for us to read", on=name
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Malformed("a file of the export is no regular file", on=name)
    return os.fdopen(descriptor, "rb", buffering=_BUFFER)
