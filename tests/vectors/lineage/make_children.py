"""Quantize small parents with an older ONNX Runtime, in two steps.

1. Where this project's tests run, ``PYTHONPATH=tests:. python make_children.py parents FOLDER`` writes the
   parents and their calibration data.
2. In an environment that has only numpy, onnx and an older onnxruntime, ``PYTHONPATH=tests python
   make_children.py children FOLDER`` writes the children, an archive of them, their digests, and what was
   refused and why. README.md beside this file names the releases used.

Archives are written without times and owners, sorted by name: the same files give the same archive.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

NAMES = (
    *("mlp", "cnn", "transformer", "bn-cnn", "residual", "lstm", "encoder"),
    *("torch-old-mlp", "torch-old-bncnn", "torch-old-encoder", "torch-new-mlp", "torch-new-bncnn"),
)


def make_parents(folder: Path) -> None:
    import onnx

    from support.lineage import generated, parents

    for name in NAMES:
        parent = parents.by_name(name)
        model = onnx.load_from_string(parent.model())
        if model.opset_import[0].version > generated.OPSET + 1:
            model = generated.at_opset(model)
        model.ir_version = generated.IR_VERSION
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
        feeds = parent.calibration()
        np.savez(folder / f"{name}.npz", **{key: np.stack([feed[key] for feed in feeds]) for key in feeds[0]})
    archive(
        folder / "parents.tar.xz", {path.name: path.read_bytes() for path in sorted(folder.glob("*.[on]*"))}
    )


def make_children(folder: Path) -> None:
    import onnxruntime

    from support.lineage.modes import older_modes
    from support.lineage.quantizers import Unsuited, quantize

    release = f"onnxruntime-{onnxruntime.__version__}"
    made: dict[str, bytes] = {}
    refused: list[str] = []
    for name in NAMES:
        model, feeds = (folder / f"{name}.onnx").read_bytes(), read_feeds(folder / f"{name}.npz")
        for mode in older_modes():
            try:
                child = quantize(model, mode, feeds)
            except Unsuited as error:
                refused.append(f"# {name}/{mode.name}: {error}")
                continue
            made[f"{name}/{mode.name}.onnx"] = child
    archive(folder / f"{release}.tar.xz", made)
    lines = [f"{hashlib.sha256(data).hexdigest()}  {path}" for path, data in sorted(made.items())]
    (folder / f"{release}.sha256").write_text("\n".join([*lines, *refused]) + "\n")
    print(release, len(made), "children,", sum(map(len, made.values())), "bytes")


def read_feeds(path: Path) -> list[dict[str, np.ndarray]]:
    with np.load(path) as stored:
        count = len(stored[stored.files[0]])
        return [{name: stored[name][place] for name in stored.files} for place in range(count)]


def archive(path: Path, files: Mapping[str, bytes]) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as packed:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            packed.addfile(entry, io.BytesIO(data))
    path.write_bytes(lzma.compress(raw.getvalue(), preset=9 | lzma.PRESET_EXTREME))
    print(path.name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    step = {"parents": make_parents, "children": make_children}[sys.argv[1]]
    step(Path(sys.argv[2]))
