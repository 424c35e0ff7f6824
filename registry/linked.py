"""Model files as they lie on a disk, taken without raising: what is wrong with a place is a finding."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from registry import disk
from registry.errors import InvalidModel, NotFound, UnsafePath
from registry.manifest import check_path
from registry.onnx import external
from registry.onnx.findings import Finding, Rule
from registry.onnx.graph import read_model
from registry.source import SourceFile, mapped, places, stamp_of

SYMLINK: Final = Rule(
    "symbolic-link",
    "critical",
    "a symbolic link among the model's files",
    "What it points to is not the model's own, and can change without the model changing.",
)
HARD_LINK: Final = Rule(
    "hard-link",
    "high",
    "a file that has other names elsewhere",
    "External data that is a hard link makes the runtime read a file that is not the model's own, and whoever"
    " holds another name can change it.",
)
SPECIAL: Final = Rule(
    "special-file",
    "critical",
    "a pipe, socket or device among the model's files",
    "Reading it may block for ever, or do something.",
)
NAME: Final = Rule(
    "unsafe-file-name",
    "high",
    "a file name that cannot be part of a version",
    "It is not Unicode or too long: other systems would store it under another name.",
)
RULES: Final = (SYMLINK, HARD_LINK, SPECIAL, NAME)
_ONNX = ".onnx"


class Gathered:
    """The regular files at a path, and what was found about the others."""

    def __init__(self, path: Path) -> None:
        """Raises NotFound, InvalidModel for a path without an ONNX file, InvalidInput, DiskTrouble."""
        self.files: list[SourceFile] = []
        self.findings: list[Finding] = []
        with disk.translated(path):
            found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            for place, name in places(path):
                self._take(place, name)
        else:
            self._single(path)
        if not self.findings and not any(file.path.endswith(_ONNX) for file in self.files):
            raise InvalidModel(
                "there is no .onnx file", on=str(path), hint="name an ONNX file or its directory"
            )

    def _single(self, path: Path) -> None:
        if path.suffix != _ONNX:
            raise InvalidModel(
                "the file is not named .onnx", on=str(path), hint="name an ONNX file or its directory"
            )
        self._take(path, path.name)
        for name in [one for file in self.files for one in _needed(file)]:
            parts = name.split("/")
            steps = ("/".join(parts[:count]) for count in range(1, len(parts)))
            link = next((step for step in steps if (path.parent / step).is_symlink()), None)
            if link is not None:
                self._found(SYMLINK, link, "a directory on the way to external data")
            elif os.path.lexists(path.parent / name):  # what is missing, the scan tells
                self._take(path.parent / name, name)

    def _take(self, place: Path, path: str) -> None:
        try:
            check_path(path)
        except UnsafePath as error:
            self._found(NAME, ascii(path), error.message)
            return
        with disk.translated(place):
            found = place.lstat()
        if stat.S_ISLNK(found.st_mode):
            self._found(SYMLINK, path, f"it points to {os.readlink(place)!r}")
        elif not stat.S_ISREG(found.st_mode):
            self._found(SPECIAL, path, stat.filemode(found.st_mode))
        else:
            self._count(path, found.st_nlink)
            self.files.append(SourceFile(path, place, found.st_size, stamp_of(found)))

    def _count(self, path: str, links: int) -> None:
        if links > 1:
            self.findings.append(_linked(path, links))

    def _found(self, rule: Rule, path: str, message: str) -> None:
        self.findings.append(Finding(rule.code, rule.severity, path, "", message))


def hard_links(files: list[SourceFile]) -> Iterator[Finding]:
    """Those of the files that have other names. Raises NotFound for one that is gone."""
    for file in files:
        with disk.translated(file.place):
            links = file.place.lstat().st_nlink
        if links > 1:
            yield _linked(file.path, links)


def _linked(path: str, links: int) -> Finding:
    """Installers and caches link model files; data that a model reads must be its own."""
    severity = "low" if path.endswith(_ONNX) else HARD_LINK.severity
    return Finding(HARD_LINK.code, severity, path, "", f"it has {links} names")


def _needed(file: SourceFile) -> tuple[str, ...]:
    """The external data of an ONNX file; nothing where it cannot be read or climbs out: the scan tells."""
    try:
        return external.external_files(read_model(mapped(file)), file.path)
    except (InvalidModel, UnsafePath, NotFound):
        return ()
