"""A private directory for what ONNX Runtime's quantizers write: in memory where there is room."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from registry.errors import DiskTrouble

PREFIX = "hallmark-quantize-"
_MEMORY = Path("/dev/shm")
_TIMES = 4  # of the model's bytes: prepared, with more outputs, inferred, and what a quantizer keeps
_SLACK = 64 << 20  # bytes


@contextmanager
def scratch(size: int) -> Iterator[Path]:
    """A new directory of mode 0700, gone with all it holds when the block ends; ``size``: the model's bytes.

    Raises DiskTrouble where none can be made.
    """
    try:
        made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_place(size * _TIMES + _SLACK)))
    except OSError as error:
        raise DiskTrouble(f"no temporary directory: {error.strerror}", hint="set TMPDIR") from error
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _place(needed: int) -> Path | None:
    """Memory, or None for the system's own temporary directory."""
    if not (_MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)):
        return None
    room = os.statvfs(_MEMORY)
    return _MEMORY if room.f_bavail * room.f_frsize > needed else None
