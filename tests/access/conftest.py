"""Where the worlds of these tests lie: in memory where the machine has such a directory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def quick() -> Iterator[Path]:
    """A directory on which syncing costs nothing, if there is one: thousands of acts are committed."""
    base = str(_MEMORY) if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="hallmark-", dir=base) as path:
        yield Path(path)
