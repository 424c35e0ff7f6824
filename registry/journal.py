"""What an interrupted push has stored already, so that the same push resumes.

The journal holds no secret: blob keys lie in it sealed to the model's vault, as they will in the act.
Lines are appended as blobs are committed; a line cut short by a crash ends the journal.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from registry import disk
from registry.acts import Blob
from registry.acts.parts import Model, Nonce


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line: the push, its model, and the public half that the blob keys are sealed to."""

    push: Nonce
    model: Model
    public: bytes


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A committed blob, and its sealed key, which travels beside the act."""

    blob: Blob
    key: bytes


class Journal:
    """One push's journal, locked while it is open. ``file`` is None where another push holds it."""

    def __init__(self, file: IO[bytes] | None, path: Path) -> None:
        self._file = file
        self._path = path
        self.push = secrets.token_hex(16)
        self.opening: Opening | None = None
        self.blobs: dict[str, Stored] = {}  # by plaintext SHA-256
        self._read()

    def begin(self, opening: Opening) -> None:
        """Start the journal anew."""
        self.opening = opening
        self.blobs.clear()
        if self._file:
            with disk.translated(self._path):
                self._file.seek(0)
                self._file.truncate()
            self._append(opening)

    def add(self, stored: Stored) -> None:
        """Note a committed blob."""
        self.blobs[stored.blob.content] = stored
        self._append(stored)

    def close(self, *, done: bool) -> None:
        """Unlock; forget everything when the push is done. A journal only saves work: this never raises."""
        if self._file:
            with suppress(OSError):
                if done:
                    self._path.unlink(missing_ok=True)
            with suppress(OSError):  # what could not be written before is tried again here
                self._file.close()
            self._file = None

    def _append(self, line: msgspec.Struct) -> None:
        if self._file:
            with disk.translated(self._path):
                self._file.write(msgspec.json.encode(line) + b"\n")
                self._file.flush()

    def _read(self) -> None:
        lines = self._file.read().splitlines() if self._file else []
        try:
            if lines:
                self.opening = msgspec.json.decode(lines[0], type=Opening)
                self.push = self.opening.push
            for line in lines[1:]:
                stored = msgspec.json.decode(line, type=Stored)
                self.blobs[stored.blob.content] = stored
        except (msgspec.DecodeError, UnicodeDecodeError):
            return


def open_journal(directory: Path, model: str, source: Path) -> Journal:
    """The journal of pushes from ``source`` to ``model``."""
    key = hashlib.sha256(f"{model}\0{source.absolute()}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
    path = directory / f"{key}.jsonl"
    with disk.translated(path):
        directory.mkdir(mode=0o700, exist_ok=True)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return Journal(file, path)
        except BlockingIOError:
            file.close()
            return Journal(None, path)
        except OSError:
            file.close()
            raise
