"""Where the measuring is done: a directory of several GiB that is gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import process
from benchmarks.quiet import Quiet

DATA = "weights.bin"  # the external data of every generated model


@dataclass
class Workplace:
    """A scratch directory, the models made in it so far, and how thoroughly to measure.

    ``size`` is that of the big model in MiB; ``rounds`` is how often each contender is measured.
    """

    root: Path
    size: int = 1024
    rounds: int = 5
    large: bool = False
    quiet: Quiet = field(default_factory=lambda: Quiet(0))
    _counter: int = field(default=0, repr=False)

    def fresh(self, suffix: str = "") -> Path:
        """A path that nothing has yet."""
        self._counter += 1
        return self.root / f"{self._counter}{suffix}"

    def model(self, kind: str, mib: int) -> Path:
        """The ONNX file of a generated model; see ``benchmarks.probes.model`` for the kinds."""
        directory = self.root / f"{kind}-{mib}"
        if not directory.exists():
            process.probe("model", kind, mib, directory)
            subprocess.run(["sync", "-f", directory], check=True)
        return directory / "model.onnx"

    def home(self, store: str | None = None) -> Home:
        """A new registry."""
        return Home(self, self.fresh("-home"), store)

    def settle(self, like: Path) -> None:
        """Come to the same state before each measurement: nothing left to write, ``like`` in the page
        cache, and as much memory free as a copy of it takes. (In a virtual machine, memory that was not
        used for a while costs far more at first touch; it would fall on whoever comes first.)"""
        scratch = self.fresh(".settle")
        shutil.copyfile(like, scratch)
        scratch.unlink()
        subprocess.run(["sync", "-f", self.root], check=True)


class Home:
    """A registry that is measured."""

    def __init__(self, place: Workplace, path: Path, store: str | None) -> None:
        self._place = place
        self.path = path
        self.command = [*process.registry(), "--home", str(path)]
        self._models = 0
        process.seconds([*self.command, "init", *(["--store", store] if store else [])])

    def name(self) -> str:
        """A model that does not exist yet."""
        self._models += 1
        return f"bench/model-{self._models}"

    def push(self, model: Path) -> str:
        """Publish a model, unmeasured; returns its name."""
        name = self.name()
        process.seconds([*self.command, "push", str(model), name])
        return name

    def forget_blobs(self) -> None:
        """Remove what the directory store holds: models already published here cannot be pulled again."""
        shutil.rmtree(self.path / "blobs", ignore_errors=True)


@contextmanager
def workplace(directory: Path, needed: int) -> Iterator[Path]:
    """A scratch directory below ``directory``, removed at the end. Raises process.Failed where ``needed``
    bytes do not fit."""
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise process.Failed(
            f"{directory} has {free >> 20} MiB free; this needs {needed >> 20} MiB: see --directory"
        )
    with tempfile.TemporaryDirectory(prefix="bench-", dir=directory) as root:
        yield Path(root)


def forget(path: Path) -> None:
    """Drop a file from the page cache (clean pages only, so it is synced first)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
