"""Blobs in a directory.

::

    ROOT/objects/ab/cd/abcd0123…   a published blob; the fan-out is the first two pairs of its id
    ROOT/incoming/abcd0123….5f3a…  an upload under way

An upload is written under ``incoming``, synced, and given its final name with link(2), which fails
where that name is taken: two writers of one id can never overwrite each other.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from registry.blobs import disk
from registry.blobs.base import MIB, BlobInfo, check_blob_id, is_blob_id
from registry.blobs.parts import Parts
from registry.errors import BadEncryption, BlobExists, BlobMissing, DiskTrouble

CHUNK = 4 * MIB  # bytes
WORKERS = 2  # more threads only fight for the page cache


class FilesystemStore:
    """A directory as a BlobStore; it is made when the first blob comes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._objects = root / "objects"
        self._incoming = root / "incoming"

    def create(self, blob_id: str, size: int) -> FilesystemWriter:
        """Begin an upload. Raises DiskTrouble at once where the file system has no room for it."""
        target = self._path(blob_id)
        with disk.translated(str(self.root)):
            self._make()
            _require_room(self._incoming, size)
            return FilesystemWriter(self._incoming, target, Parts(blob_id, size, CHUNK))

    def open(self, blob_id: str) -> FilesystemReader:
        path = self._path(blob_id)
        with disk.translated(str(path)):
            try:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError as error:
                raise _missing(blob_id, self.root) from error
            disk.expect_sequential(fd)
            return FilesystemReader(blob_id, fd)

    def stat(self, blob_id: str) -> BlobInfo:
        path = self._path(blob_id)
        with disk.translated(str(path)):
            try:
                return BlobInfo(blob_id, os.lstat(path).st_size)
            except FileNotFoundError as error:
                raise _missing(blob_id, self.root) from error

    def list(self) -> Iterator[BlobInfo]:
        with disk.translated(str(self._objects)):
            for outer in _entries(self._objects):
                for inner in _entries(outer):
                    for path in _entries(inner):
                        if is_blob_id(path.name) and path == self._path(path.name):
                            yield from _info(path)

    def delete(self, blob_id: str) -> None:
        path = self._path(blob_id)
        with disk.translated(str(path)), contextlib.suppress(FileNotFoundError):
            path.unlink()

    def sweep(self, active: Callable[[str], bool]) -> Iterator[str]:
        with disk.translated(str(self._incoming)):
            for path in _entries(self._incoming):
                blob_id = path.name.rpartition(".")[0]
                if is_blob_id(blob_id) and not active(blob_id):
                    path.unlink(missing_ok=True)
                    yield blob_id

    def _make(self) -> None:
        if not self._incoming.is_dir():
            self._objects.mkdir(parents=True, exist_ok=True)
            self._incoming.mkdir(exist_ok=True)
            disk.sync_directory(self.root)
            disk.sync_directory(self.root.parent)

    def _path(self, blob_id: str) -> Path:
        # '-' sorts before every other character of an id, so walking the fan-out yields ids in order
        padded = check_blob_id(blob_id).ljust(4, "-")
        return self._objects / padded[:2] / padded[2:4] / blob_id


class FilesystemWriter:
    """An upload into a directory."""

    parallelism = WORKERS

    def __init__(self, incoming: Path, target: Path, parts: Parts) -> None:
        self._parts = parts
        self._target = target
        self._path = incoming / f"{parts.blob_id}.{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fd: int | None = os.open(self._path, flags, 0o666)

    @property
    def part_size(self) -> int:
        return self._parts.part_size

    def write(self, offset: int, data: memoryview) -> None:
        index = self._parts.index(offset, len(data))
        assert self._fd is not None, "write after commit or abort"
        with disk.translated(str(self._path)):
            disk.write_fully(self._fd, offset, data)
        self._parts.arrived(index)

    def commit(self) -> None:
        self._parts.require_all()
        assert self._fd is not None, "commit after commit or abort"
        with disk.translated(str(self._target)):
            # the bytes are durable before the name exists: a name never leads to half a blob
            os.fsync(self._fd)
            self._publish()
        self.abort()

    def abort(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
            with contextlib.suppress(OSError):  # sweep removes what cannot be removed now
                self._path.unlink()

    def _publish(self) -> None:
        inner = self._target.parent
        inner.mkdir(parents=True, exist_ok=True)
        try:
            os.link(self._path, self._target)
        except FileExistsError as error:
            raise BlobExists("a blob of this id is already stored", on=self._parts.blob_id) from error
        # all three levels, because another writer may have made one of them and not synced it yet
        for directory in (inner, inner.parent, inner.parent.parent):
            disk.sync_directory(directory)


class FilesystemReader:
    """A blob in a directory, open."""

    chunk_size = CHUNK
    parallelism = WORKERS

    def __init__(self, blob_id: str, fd: int) -> None:
        self._blob_id = blob_id
        self._fd: int | None = fd
        self._size = os.fstat(fd).st_size

    @property
    def size(self) -> int:
        return self._size

    def read_into(self, offset: int, out: memoryview) -> None:
        assert self._fd is not None, "read after close"
        with disk.translated(self._blob_id):
            filled = disk.read_exactly(self._fd, offset, out)
        if filled != len(out):
            raise BadEncryption("the blob ends too early", on=self._blob_id)

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []  # nothing stored yet, or a stray file


def _info(path: Path) -> Iterator[BlobInfo]:
    with contextlib.suppress(FileNotFoundError):  # deleted since it was listed
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            yield BlobInfo(path.name, status.st_size)


def _require_room(directory: Path, size: int) -> None:
    status = os.statvfs(directory)
    if status.f_bavail * status.f_frsize < size:
        raise DiskTrouble(
            f"no room for {size:,} bytes on this file system",
            on=str(directory),
            hint="free some space, then run the same command again",
        )


def _missing(blob_id: str, root: Path) -> BlobMissing:
    return BlobMissing(
        "the store does not have this blob", on=blob_id, hint=f"look for it in a backup of {root}"
    )
