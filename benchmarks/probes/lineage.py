"""Two models looked at together, CHILD and PARENT: ``prove`` judges the lineage, from mapped files; ``plain``
is onnx.load of both. All modules are imported before the clock starts."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.probes.reading import report


def main() -> None:
    verb, child, parent = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    report({"prove": _prove, "plain": _plain}[verb](child, parent))


def _prove(child: Path, parent: Path) -> Callable[[], object]:
    import ml_dtypes  # noqa: F401 (the others are loaded with the first proof)
    import numpy  # noqa: F401

    from registry.onnx.lineage.prove import prove
    from registry.onnx.loaded import Loaded, load

    def opened(path: Path) -> Loaded:
        with path.open("rb") as file:
            return load({path.name: mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)}, path.name)

    def proved() -> object:
        found = prove(opened(child), opened(parent))
        assert found.verdict == "derived", (found.verdict, found.reasons)
        return found

    return proved


def _plain(child: Path, parent: Path) -> Callable[[], object]:
    import onnx

    return lambda: (onnx.load(child), onnx.load(parent))


if __name__ == "__main__":
    main()
