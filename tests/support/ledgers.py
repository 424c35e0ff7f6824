"""Generated ledgers for tests: a company's long history, made once, and copied for whoever changes it."""

from __future__ import annotations

import atexit
import importlib
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

_TREE = Path(__file__).resolve().parent.parent.parent
if str(_TREE) not in sys.path:
    sys.path.append(str(_TREE))  # the benchmarks are no installed package

SMALL = 300  # acts: a founding, and a little of everything else


def benchmark(name: str) -> Any:
    """A module of the benchmarks."""
    return importlib.import_module(f"benchmarks.{name}")


def module(name: str) -> Any:
    """A module of ``benchmarks.ledgers``."""
    return benchmark(f"ledgers.{name}")


def make(home: Path, acts: int = SMALL, seed: int = 1, **options: Any) -> str:
    """Make ``home``, signed in this process; return the registry id."""
    made: str = module("making").make(home, acts, seed, processes=0, **options)
    return made


@cache
def shared(acts: int = SMALL, seed: int = 1) -> Path:
    """A home to read from: the same one for every test of this process."""
    directory = Path(tempfile.mkdtemp(prefix="hallmark-ledgers-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    make(directory / "home", acts, seed)
    return directory / "home"


def copied(directory: Path, acts: int = SMALL, seed: int = 1) -> Path:
    """A home of one's own, as the shared one is."""
    return Path(shutil.copytree(shared(acts, seed), directory / "generated"))
