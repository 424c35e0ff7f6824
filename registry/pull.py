"""Pull: a verified version as plaintext files in a directory, with its bundle beside them."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from registry import disk
from registry.checkout import check_content, open_files
from registry.context import Context
from registry.errors import AlreadyExists, Conflict, Unavailable
from registry.failing import told
from registry.judge import Judged
from registry.refs import Reference
from registry.release import Released, release
from registry.ritual import Observer, Ritual
from registry.source import SIGNATURE_FILE


@dataclass(frozen=True)
class Pulled:
    """A version written to ``directory``."""

    ref: Reference
    digest: str
    directory: Path
    paths: tuple[str, ...]
    size: int  # bytes of plaintext
    seq: int  # the ledger entry of the pull


def pull(
    context: Context,
    ref: str,
    directory: Path,
    *,
    force: bool = False,
    purpose: str = "pull",
    observer: Observer | None = None,
) -> Pulled:
    """Verify a version and write it: every file, or none.

    ``force`` writes into a directory that has content: verified files replace those of the same names,
    one by one, and files of other names stay. The bundle is written as ``model.sig``. ``purpose`` is a
    name recorded in the pull act. Raises AlreadyExists, and what ``checkout`` raises.
    """
    directory = directory.absolute()
    _check_target(directory, force)
    with _staging(directory) as staging:
        ritual = Ritual(observer)
        released = release(context, ref, purpose, ritual)
        with told(context, released):
            _write(context, released, staging, ritual)
        _publish(staging, directory, force)
    body = released.judged.body
    paths = tuple(file.path for file in body.files)
    size = sum(file.size for file in body.files)
    return Pulled(released.judged.ref, body.digest, directory, paths, size, released.pull)


def _check_target(directory: Path, force: bool) -> None:
    with disk.translated(directory):
        if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
            raise AlreadyExists("the target is not a directory", on=str(directory), hint="choose another -o")
        if not force and directory.exists() and any(directory.iterdir()):
            raise AlreadyExists(
                "the directory is not empty", on=str(directory), hint="choose another -o, or add --force"
            )


@contextmanager
def _staging(directory: Path) -> Iterator[Path]:
    """A directory beside the target, locked, emptied of what a killed pull left, and removed at the end."""
    staging = directory.with_name(f".{directory.name}.hallmark-partial")
    with disk.translated(staging):
        missing = [parent for parent in directory.parents if not parent.exists()]
    try:
        lock = _claim(staging, directory)
    except Unavailable:
        _remove([staging, *missing])
        raise
    try:
        _empty(staging)
        yield staging
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        _remove(missing)
        raise
    finally:
        os.close(lock)


def _claim(staging: Path, directory: Path) -> int:
    """The lock on the staging directory, made or taken over. Nothing in it is touched without the lock."""
    with disk.translated(staging):
        staging.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held the lock before may have renamed the directory into place, or removed it.
            if not os.path.samestat(os.fstat(lock), os.stat(staging)):
                raise BlockingIOError
        except OSError as error:
            os.close(lock)
            if not isinstance(error, (BlockingIOError, FileNotFoundError)):
                raise
            raise Conflict("another pull is writing there", on=str(directory), hint="wait for it") from error
    return lock


def _empty(staging: Path) -> None:
    with disk.translated(staging):
        for left in staging.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def _remove(directories: list[Path]) -> None:
    for directory in directories:
        with suppress(OSError):
            directory.rmdir()


def _write(context: Context, released: Released, staging: Path, ritual: Ritual) -> None:
    @contextmanager
    def place(path: str, size: int) -> Iterator[int]:
        target = staging / path
        with disk.translated(path):
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            yield descriptor
            with disk.translated(path):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    open_files(context, released, place, ritual)
    check_content(released.judged, _Mapped(staging, released.judged), ritual)
    disk.create(staging / SIGNATURE_FILE, released.judged.body.bundle, 0o644)


class _Mapped(Mapping[str, memoryview]):
    """The staged files, each mapped when it is first asked for."""

    def __init__(self, staging: Path, judged: Judged) -> None:
        self._staging = staging
        self._sizes = {file.path: file.size for file in judged.body.files}
        self._views: dict[str, memoryview] = {}

    def __getitem__(self, path: str) -> memoryview:
        if path not in self._views:
            self._views[path] = self._map(path, self._sizes[path])
        return self._views[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)

    def _map(self, path: str, size: int) -> memoryview:
        if not size:
            return memoryview(b"")
        with disk.translated(path), (self._staging / path).open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))


def _publish(staging: Path, directory: Path, force: bool) -> None:
    """Rename the whole directory into place, or each file where ``force`` writes beside what is there."""
    with disk.translated(directory):
        for folder in staging.rglob("*"):
            if folder.is_dir():
                disk.sync_directory(folder)
        staging.chmod(0o777 & ~_umask())
        if force and directory.exists():
            _merge(staging, directory)
        else:
            _rename(staging, directory)


def _rename(staging: Path, directory: Path) -> None:
    existed = directory.exists()
    try:
        staging.rename(directory)  # POSIX: over an empty directory too, never over one with content
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise AlreadyExists("the directory is no longer empty", on=str(directory)) from error
    try:
        disk.sync_directory(directory.parent)
    except OSError:
        directory.rename(staging)  # what may not last is taken back: a failed pull leaves nothing behind
        if existed:
            directory.mkdir()
        raise


def _check_merge(staging: Path, directory: Path) -> None:
    """Before anything moves: a file over a file, below real directories. Links are not followed."""
    for place in staging.rglob("*"):
        target = directory / place.relative_to(staging)
        real = target.is_dir() and not target.is_symlink()
        if real != place.is_dir() and (real or os.path.lexists(target)) and (real or place.is_dir()):
            raise AlreadyExists(
                "something else is in the way", on=str(target), hint="move it away, or choose another -o"
            )


def _merge(staging: Path, directory: Path) -> None:
    _check_merge(staging, directory)
    for place in sorted(staging.rglob("*")):
        target = directory / place.relative_to(staging)
        if place.is_dir():
            target.mkdir(exist_ok=True)
        else:
            place.replace(target)
    disk.sync_directory(directory)
    shutil.rmtree(staging)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
