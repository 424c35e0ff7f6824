"""Where the concurrency suite plays: a warm process to fork from, and a stage of worlds per backend."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.aftermath import Stage
from support.forks import Nursery
from support.worlds import Backend


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    warm = Nursery()
    yield warm
    warm.close()


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory where there is one: hundreds of worlds are made and nobody cuts the power."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    scratch = Path(tempfile.mkdtemp(prefix="hallmark-", dir=place))
    yield scratch.resolve()
    shutil.rmtree(scratch)


@pytest.fixture
def stage(memory: Path, backend: Backend) -> Iterator[Stage]:
    made = Stage(memory, backend)
    yield made
    made.close()
