"""What a client remembers: the newest checkpoint it saw. The next one must extend it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from registry import disk
from registry.crypto import merkle
from registry.crypto.checkpoint import Checkpoint, open_checkpoint, origin_of
from registry.errors import BadCheckpoint, BadProof, InvalidInput, NotFound
from registry.law.law import Law

_LIMIT = 64 << 10  # bytes
_HINT = "restore the home from a backup; without its memory a rollback would pass"
_DIGITS = 18  # of a tree size


def load(path: Path) -> str:
    """The remembered note, "" where there is none."""
    # an empty file is a damaged note, not the absence of one
    try:
        return disk.read(path, _LIMIT).decode("utf-8", "replace") or "\n"
    except NotFound:
        return ""
    except InvalidInput as error:
        raise BadCheckpoint("the remembered checkpoint does not read", on=error.on, hint=_HINT) from error


def size_of(note: str) -> int:
    """The tree size that a remembered note speaks of, unverified; 0 for none."""
    lines = note.splitlines()
    size = lines[1] if len(lines) > 1 else ""
    return int(size) if size.isascii() and size.isdigit() and len(size) <= _DIGITS else 0


def accept(path: Path, law: Law, note: str, consistency: tuple[bytes, ...], remembered: str) -> Checkpoint:
    """The checkpoint in ``note``, if the ledger's key signed it and it extends the remembered one.

    ``remembered`` is the note that ``consistency`` was asked for. Raises BadCheckpoint.
    """
    new = open_checkpoint(note, origin_of(law.registry_id), law.ledger)
    if remembered:
        extends(open_checkpoint(remembered, new.origin, law.ledger), new, consistency)
    if new.size > size_of(remembered):
        _advance(path, note, new.size)
    return new


def extends(old: Checkpoint, new: Checkpoint, consistency: tuple[bytes, ...]) -> None:
    """Raise BadCheckpoint unless the proof shows that ``new`` goes on where ``old`` ended."""
    if new.size < old.size:
        raise BadCheckpoint(
            "the ledger is shorter than it was",
            on=f"{new.size} acts now, {old.size} seen before",
            hint="the database was rolled back or replaced: restore the newest backup",
        )
    try:
        merkle.verify_consistency(old.size, old.root, new.size, new.root, list(consistency))
    except BadProof as error:
        raise BadCheckpoint(
            "the ledger's history was rewritten: it does not extend the checkpoint seen before",
            on=f"{old.size} acts seen, {new.size} now",
            hint="keep this home and the database as they are, and compare them with a backup",
        ) from error


def _advance(path: Path, note: str, size: int) -> None:
    """Remember ``note`` unless another process has remembered a later one."""
    with disk.translated(path):
        name = path.with_name(".checkpoint.lock")
        lock = os.open(name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Whoever writes a temporary file holds the lock: what is there now, a killed process left.
            for scrap in set(path.parent.glob(f".{path.name}.*")) - {name}:
                scrap.unlink(missing_ok=True)
            if size_of(load(path)) < size:
                disk.replace(path, note.encode(), 0o600)
        finally:
            os.close(lock)
