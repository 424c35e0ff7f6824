"""What a witness remembers: the newest checkpoint of each ledger that each of its keys has cosigned.

One file for each, named by the ledger and the key: the cosigned note. It is the witness's word to itself,
so it is verified when it is read.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from registry import disk
from registry.crypto import notes
from registry.crypto.checkpoint import Checkpoint, LedgerPublicKey, open_checkpoint, parse
from registry.crypto.cosignature import WitnessPublicKey
from registry.errors import BadCheckpoint, NotFound

_HINT = "restore it from a copy: a witness that has forgotten may cosign a second history"


@dataclass(frozen=True)
class Turn:
    """A witness's turn at one ledger: nobody else cosigns with this key meanwhile."""

    file: Path
    note: str  # cosigned last, "" for none
    origin: str
    witness: WitnessPublicKey

    @property
    def size(self) -> int:
        """Acts of the tree that was cosigned last, 0 for none."""
        return self._own().size if self.note else 0

    def tree(self, ledger: LedgerPublicKey) -> Checkpoint | None:
        """The tree that was cosigned last. Raises BadCheckpoint where the memory is not what was written."""
        if not self.note:
            return None
        self._own()
        return open_checkpoint(self.note, self.origin, ledger)

    def _own(self) -> Checkpoint:
        """The memory, if this witness cosigned it."""
        note = notes.parse(self.note, self.origin)
        signatures = note.of(self.witness.name, self.witness.key_id)
        if not signatures:
            raise BadCheckpoint("the witness's memory is not its own", on=str(self.file), hint=_HINT)
        for signature in signatures:
            self.witness.verify(signature, note.text)
        return parse(note.text, self.origin)

    def keep(self, note: str) -> None:
        """Remember what is cosigned now, durably."""
        disk.replace(self.file, note.encode(), 0o600)


@contextmanager
def turn(directory: Path, origin: str, witness: WitnessPublicKey) -> Iterator[Turn]:
    """Take the turn. Raises BadCheckpoint or DiskTrouble."""
    with disk.translated(directory):
        directory.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(directory / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        with disk.translated(directory):
            fcntl.flock(lock, fcntl.LOCK_EX)
        file = directory / f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}.{witness.key_id.hex()}"
        yield Turn(file, _read(file), origin, witness)
    finally:
        os.close(lock)


def _read(file: Path) -> str:
    try:
        return disk.read(file, notes.MAX_NOTE).decode("utf-8", "replace") or "\n"
    except NotFound:
        return ""
