"""A model to look at: a file or directory of one's own, or a version checked out of the registry."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from registry import disk, source
from registry.errors import InvalidInput
from registry.manifest import Manifest
from registry.onnx.chosen import main_model
from registry.refs import Reference
from registry.transfer import hash_plain

if TYPE_CHECKING:
    from registry.context import Context


@dataclass(frozen=True)
class Opened:
    """A version's files in memory, or a directory's mapped into it.

    ``path`` is the ONNX file that is meant; ``digest`` the OMS root digest of all files, hexadecimal; for a
    path of one's own it is that of the manifest that a push of it to ``name`` would sign.
    """

    files: Mapping[str, memoryview]
    path: str
    name: str
    ref: Reference | None
    digest: str

    def __str__(self) -> str:
        return str(self.ref) if self.ref else self.name


def is_path(text: str) -> bool:
    """Whether a command's ``PATH|REF`` is a path: what lies on the disk, or is spelt like a file."""
    return text.startswith((".", "/", "~")) or text.endswith(".onnx") or os.path.lexists(text)


@contextmanager
def open_path(path: Path, model: str | None = None) -> Iterator[Opened]:
    """The files at ``path`` (an ONNX file or a directory), mapped read-only.

    ``model`` names the ONNX file where there are several. Raises NotFound, UnsafePath or InvalidInput.
    """
    found = source.collect(path)
    files = source.Mapped(found)
    digests = {file.path: _digest(file) for file in found}
    chosen = main_model({name: None for name in sorted(files) if name.endswith(".onnx")}, model)
    yield Opened(files, chosen, str(path), None, Manifest.of(str(path), digests).digest)


@contextmanager
def open_version(context: Context, ref: str, purpose: str, model: str | None = None) -> Iterator[Opened]:
    """A version of the registry, verified into memory and recorded as a pull. Raises what checkout raises."""
    # A file of one's own needs no registry, nor the time to import one.
    from registry.checkout import checkout

    verified = checkout(context, ref, purpose=purpose)
    yield Opened(
        verified.files, main_model(verified.facts, model), str(verified.ref), verified.ref, verified.digest
    )


def _digest(file: source.SourceFile) -> str:
    descriptor = file.open()
    try:
        with disk.translated(file.place):
            return hash_plain(descriptor, file.size)
    finally:
        os.close(descriptor)


@contextmanager
def open_model(
    context: Context | None, source: str, purpose: str, model: str | None = None
) -> Iterator[Opened]:
    """What a person means by ``PATH|REF``. ``context`` may be None for a path. Raises as the two above."""
    if is_path(source):
        with open_path(Path(source).expanduser(), model) as opened:
            yield opened
        return
    if context is None:
        raise InvalidInput("a version needs a registry to come from", on=source, hint="registry init")
    with open_version(context, source, purpose, model) as opened:
        yield opened
