"""What is about to be pushed: the files below a path, and what their graphs say.

Only regular files are taken, and links are refused: what a link points to can change without the
directory changing. Every file's identity is noted when it is found and compared when it is read, so
that what changed in between is noticed.
"""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from registry import disk
from registry.acts import FILE_LIMIT
from registry.errors import InvalidInput, InvalidModel, NotFound, RegistryError, SourceChanged, UnsafePath
from registry.manifest import check_path
from registry.onnx import external
from registry.onnx.facts import QuantizationFacts, inspect
from registry.onnx.graph import read_model

_ONNX = ".onnx"
SIGNATURE_FILE = "model.sig"  # the bundle beside a pulled model; never part of a version


@dataclass(frozen=True)
class SourceFile:
    """One file: its path inside the version, where it lies, its size, and what tells it from another."""

    path: str
    place: Path
    size: int  # bytes
    stamp: tuple[int, ...]

    def open(self) -> int:
        """A descriptor for reading. Raises SourceChanged when it is not the file that was found."""
        with disk.translated(self.place):
            descriptor = os.open(self.place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self.check(descriptor)
        except RegistryError:
            os.close(descriptor)
            raise
        return descriptor

    def check(self, descriptor: int) -> None:
        """Raise SourceChanged unless the open file is as it was found."""
        with disk.translated(self.place):
            found = os.fstat(descriptor)
        if stamp_of(found) != self.stamp:
            raise SourceChanged("the file changed while it was read", on=str(self.place), hint="push again")


@dataclass(frozen=True)
class MadeFile(SourceFile):
    """A file that a push adds by itself: it lies in memory only."""

    content: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, path: str, content: bytes) -> MadeFile:
        return cls(check_path(path), Path(path), len(content), (), content)

    def open(self) -> int:
        descriptor = os.memfd_create("registry", os.MFD_CLOEXEC)
        with disk.translated(self.place), os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(self.content)
        return descriptor

    def check(self, descriptor: int) -> None:
        """Nobody else can change it."""


def collect(path: Path) -> tuple[SourceFile, ...]:
    """Every regular file of a model directory, or an ONNX file with its external data.

    Raises NotFound, UnsafePath, InvalidModel or InvalidInput.
    """
    with disk.translated(path):
        found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        files = tuple(sorted((_file(*found) for found in places(path)), key=lambda file: file.path))
    else:
        files = tuple(_single(path))
    if not any(file.path.endswith(_ONNX) for file in files):
        raise InvalidModel(
            "there is no .onnx file to push", on=str(path), hint="name an ONNX file or its directory"
        )
    if len(files) > FILE_LIMIT:
        raise InvalidInput(f"a version holds at most {FILE_LIMIT} files", on=f"{path}: {len(files)}")
    return files


def inspect_source(files: tuple[SourceFile, ...]) -> list[tuple[str, QuantizationFacts]]:
    """The quantization facts of every ONNX file, by path; external data is checked on the way.

    Raises InvalidModel, UnsafePath or SourceChanged.
    """
    by_path = {file.path: file for file in files}
    return [(path, _facts(path, by_path)) for path in sorted(by_path) if path.endswith(_ONNX)]


def _facts(path: str, files: dict[str, SourceFile]) -> QuantizationFacts:
    buffers = {path: mapped(files[path])}
    model = read_model(buffers[path], name=path)
    for needed in external.external_files(model, path):
        if needed not in files:
            raise _missing(f"{path}: {needed}")
        buffers[needed] = mapped(files[needed])
    external.check_external(model, path, {file.path: file.size for file in files.values()})
    return inspect(buffers, path)


def mapped(file: SourceFile) -> memoryview:
    """The file's bytes, mapped read-only until the last view of them is gone. Raises SourceChanged."""
    descriptor = file.open()
    try:
        if not file.size:
            return memoryview(b"")
        with disk.translated(file.place):
            return memoryview(mmap.mmap(descriptor, file.size, access=mmap.ACCESS_READ))
    finally:
        os.close(descriptor)


class Mapped(Mapping[str, memoryview]):
    """Files by path, each mapped when it is first asked for: a version may have more than can be mapped."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self._files = {file.path: file for file in files}
        self._views: dict[str, memoryview] = {}

    def __getitem__(self, path: str) -> memoryview:
        if path not in self._views:
            self._views[path] = mapped(self._files[path])
        return self._views[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def places(root: Path) -> Iterator[tuple[Path, str]]:
    """Everything below a directory but directories, with its path in it; ``model.sig`` at the top left out.

    Links are not followed. Raises NotFound, DiskTrouble.
    """
    return _places(root, root)


def _places(root: Path, directory: Path) -> Iterator[tuple[Path, str]]:
    with disk.translated(directory):
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        folders = {entry.path for entry in entries if entry.is_dir(follow_symlinks=False)}
    for entry in entries:
        place = Path(entry.path)
        if entry.path in folders:
            yield from _places(root, place)
        elif place != root / SIGNATURE_FILE:
            yield place, place.relative_to(root).as_posix()


def _single(path: Path) -> Iterator[SourceFile]:
    if path.suffix != _ONNX:
        raise InvalidModel(
            "the file is not named .onnx", on=str(path), hint="name an ONNX file or its directory"
        )
    first = _file(path, path.name)
    yield first
    needed = external.external_files(read_model(mapped(first), name=path.name), path.name)
    for name in needed:
        try:
            yield _file(path.parent / name, name)
        except NotFound as error:
            raise _missing(f"{path}: {name}") from error


def _missing(on: str) -> InvalidModel:
    return InvalidModel(
        "the model's external data is missing", on=on, hint="put the file there, or export the model again"
    )


def _file(place: Path, path: str) -> SourceFile:
    check_path(path)
    _no_links(place, path)
    with disk.translated(place):
        found = place.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise UnsafePath(
            "only regular files are pushed", on=str(place), hint="remove it, or replace it by a copy"
        )
    return SourceFile(path, place, found.st_size, stamp_of(found))


def _no_links(place: Path, path: str) -> None:
    depth = path.count("/") + 1
    for ancestor in [place, *place.parents][:depth]:
        with disk.translated(ancestor):
            linked = ancestor.is_symlink()
        if linked:
            raise UnsafePath(
                "symbolic links are not followed", on=str(ancestor), hint="replace the link by a copy"
            )


def stamp_of(found: os.stat_result) -> tuple[int, ...]:
    """What tells a file from another, and from itself before it was changed."""
    # ctime cannot be set back by whoever may write the file, so a rewrite with the old mtime shows too.
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
