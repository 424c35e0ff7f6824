"""What a home remembers of its verifications: how far the one under way has come, or the last one that ended.

The tree's root tells whether the entries are, byte for byte, those that were verified. So a verification that
was interrupted goes on where it was: it hashes again what came before, and asks for no signature of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from registry import disk
from registry.acts.parts import Hex32, Size, Time
from registry.audit.verify.finding import Finding
from registry.audit.verify.tree import Tree
from registry.errors import InvalidInput, NotFound

_FILE: Final = "verified"
_LIMIT: Final = 4096  # bytes
_OFTEN: Final = 2.0  # seconds between two writes
_OTHERS: Final = "these are not the entries that were verified"


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first ``size`` entries, whole chunks of this root, were verified by ``time``.

    ``acts`` is how many there were in all, where the verification is ``done``.
    """

    registry_id: Hex32
    size: Size
    root: Hex32
    time: Time
    done: bool
    acts: Size


def path_in(home: Path) -> Path:
    """Where a home keeps the record."""
    return home / _FILE


def load(home: Path, registry_id: str, level: int) -> Record | None:
    """The home's record; None where there is none, or none that reads: then everything is verified.

    Nor one that ends within a chunk of 2^``level`` entries: where chunks end is where roots are known.
    """
    with suppress(NotFound, InvalidInput, msgspec.DecodeError, UnicodeDecodeError):
        record = msgspec.json.decode(disk.read(path_in(home), _LIMIT), type=Record)
        if record.registry_id == registry_id and not record.size % (1 << level):
            return record
    return None


@dataclass
class Memory:
    """Watches one verification, holds it against the record of an earlier one, and writes its own.

    ``keeps`` is False where not all signatures are asked for: then there is nothing to remember.
    """

    home: Path
    registry_id: str
    level: int
    time: str
    known: Record | None
    keeps: bool = True
    _due: float = 0.0
    _size: int = 0
    _root: str = ""

    def watch(self, tree: Tree) -> Iterator[Finding]:
        """Another chunk holds."""
        if tree.size % (1 << self.level):
            return
        self._size, self._root = tree.size, tree.root().hex()
        if self.known is not None and tree.size == self.known.size and self._root != self.known.root:
            yield Finding("root-differs", f"{tree.size} acts", f"{_OTHERS}: see {path_in(self.home)}")
        elif self.keeps and time.monotonic() >= self._due and tree.size > self._before:
            self._write(tree.size, done=False)

    def finish(self, tree: Tree) -> Iterator[Finding]:
        """Everything was looked at."""
        if self.known is not None and tree.size < self.known.size:
            yield Finding("size-differs", f"{tree.size} acts", f"{self.known.size} were verified earlier")
        elif self.keeps:
            self._write(tree.size, done=True)

    @property
    def _before(self) -> int:
        return self.known.size if self.known is not None and not self.known.done else 0

    def _write(self, size: int, *, done: bool) -> None:
        root = self._root or Tree(0).root().hex()
        record = Record(self.registry_id, self._size, root, self.time, done, size)
        disk.replace(path_in(self.home), msgspec.json.encode(record) + b"\n", 0o600)
        self._due = time.monotonic() + _OFTEN
