"""Looking at one model FILE, in process: ``ours FILE`` inspects and scans it, ``static FILE`` leaves out the
child, ``plain FILE`` is onnx.load and onnx.checker.

All modules are imported, and the process that loads models is started, before the clock starts. ``children``
is the most memory that one of the processes has held which do the loading.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.probes.reading import forget_peak, peak


def main() -> None:
    verb, path = sys.argv[1], Path(sys.argv[2])
    deed = {"ours": _ours, "static": _static, "plain": _plain}[verb](path)
    forget_peak()
    idle, began = peak(), time.perf_counter()
    kept = deed()
    took, most = time.perf_counter() - began, peak()
    children = _children() if verb == "ours" else 0
    print(json.dumps({"seconds": took, "idle": idle, "peak": most, "children": children}))
    del kept


def _ours(path: Path) -> Callable[[], object]:
    from registry.inspecting import inspect
    from registry.onnx.child import examine
    from registry.scanning import scan_path

    examine({"none.onnx": b""}, "none.onnx")  # answered once the process is there
    return lambda: (inspect(None, path), scan_path(path))


def _static(path: Path) -> Callable[[], object]:
    from registry.inspecting import inspect
    from registry.onnx.scan import scan
    from registry.opening import open_path

    def look() -> object:
        with open_path(path) as opened:
            return inspect(None, path), scan(opened.files, opened.path)

    return look


def _plain(path: Path) -> Callable[[], object]:
    import onnx

    return lambda: (onnx.load(path), onnx.checker.check_model(path))


def _children() -> int:
    from registry.onnx.child import keeper

    keeper.discard()
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10


if __name__ == "__main__":
    main()
