"""Small files on disk: written whole or not at all, with the system's errors translated."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from registry.errors import AlreadyExists, DiskTrouble, InvalidInput, NotFound

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def translated(on: object) -> Iterator[None]:
    """Turn OSError into ours: absent, not allowed, full or failing."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("there is no such file", on=str(on)) from error
    except FileExistsError as error:
        raise AlreadyExists("the file exists", on=str(on)) from error
    except PermissionError as error:
        raise InvalidInput(
            "the file may not be read or written", on=str(on), hint="check its owner and mode"
        ) from error
    except OSError as error:
        hint = "free some space, then run the same command again" if error.errno in _FULL else None
        raise DiskTrouble(
            f"the disk failed: {os.strerror(error.errno or 0)}", on=str(on), hint=hint
        ) from error


def read(path: Path, limit: int) -> bytes:
    """The bytes of a file of at most ``limit`` bytes. Raises NotFound, InvalidInput or DiskTrouble."""
    with translated(path), path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InvalidInput(f"the file is longer than {limit} bytes", on=str(path))
    return data


def create(path: Path, data: bytes, mode: int) -> None:
    """Write a new file and make it durable. Raises AlreadyExists."""
    with translated(path):
        _write(path, data, mode)
        sync_directory(path.parent)


def replace(path: Path, data: bytes, mode: int) -> None:
    """Put ``data`` in the place of the file: a reader sees the old bytes or the new, never a mixture."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with translated(path):
        try:
            _write(temporary, data, mode)
            temporary.replace(path)
            sync_directory(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
