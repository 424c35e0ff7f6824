"""What older releases of ONNX Runtime made, as committed: see tests/vectors/lineage/README.md."""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
from collections.abc import Iterator, Mapping
from functools import cache, partial

import numpy as np

from support.lineage.children import Child
from support.lineage.modes import Mode, older_modes
from support.lineage.parents import VECTORS, Feeds, Parent, by_name

RELEASES = ("1.17.3", "1.20.1")
_MODES: Mapping[str, Mode] = {mode.name: mode for mode in older_modes()}


class WrongVector(AssertionError):
    """An archive does not hold what its list of digests says."""


def children(release: str) -> Iterator[Child]:
    """What that release of ONNX Runtime made; digests are compared with the list beside the archive."""
    files = _archive(f"onnxruntime-{release}")
    if _digests(release) != {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}:
        raise WrongVector(release)
    for name, data in files.items():
        parent, mode = name.removesuffix(".onnx").split("/")
        yield Child(parents()[parent], f"onnxruntime {release}", _MODES[mode], data)


@cache
def parents() -> dict[str, Parent]:
    """Their parents by name: of the same half as the parent that they were taken from."""
    files = _archive("parents")
    return {
        name: Parent(
            name, by_name(name).origin, by_name(name).half, partial(_file, name), partial(_feeds, name)
        )
        for name in (path.removesuffix(".onnx") for path in files if path.endswith(".onnx"))
    }


def _file(name: str) -> bytes:
    return _archive("parents")[f"{name}.onnx"]


def _feeds(name: str, seed: int) -> Feeds:
    """Feed ``seed`` (from 1) of those that the children were calibrated with."""
    with np.load(io.BytesIO(_archive("parents")[f"{name}.npz"])) as stored:
        return {key: stored[key][seed - 1] for key in stored.files}


@cache
def _archive(name: str) -> dict[str, bytes]:
    raw = lzma.decompress((VECTORS / f"{name}.tar.xz").read_bytes())
    with tarfile.open(fileobj=io.BytesIO(raw)) as packed:
        entries = [(entry.name, packed.extractfile(entry)) for entry in packed]
        return {name: stream.read() for name, stream in entries if stream}


def _digests(release: str) -> dict[str, str]:
    lines = (VECTORS / f"onnxruntime-{release}.sha256").read_text(encoding="utf-8").splitlines()
    return {line[66:]: line[:64] for line in lines if not line.startswith("#")}
