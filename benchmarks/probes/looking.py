"""Looking at one model FILE, in process: ``ours FILE`` inspects and scans it, ``static FILE`` leaves out the
child, ``plain FILE`` is onnx.load and onnx.checker.

A small model is looked at before the clock starts, so all modules are imported, and the process that loads
models runs. ``children`` is the most memory that one of the processes has held which do the loading.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.probes.reading import forget_peak, peak


def main() -> None:
    verb, path = sys.argv[1], Path(sys.argv[2])
    deed = {"ours": _ours, "static": _static, "plain": _plain}[verb]
    _warm(deed)
    forget_peak()
    idle, began = peak(), time.perf_counter()
    kept = deed(path)
    took, most = time.perf_counter() - began, peak()
    children = _children() if verb == "ours" else 0
    print(json.dumps({"seconds": took, "idle": idle, "peak": most, "children": children}))
    del kept


def _warm(deed: Callable[[Path], object]) -> None:
    import onnx
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "warm", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with tempfile.TemporaryDirectory() as scratch:
        onnx.save(model, Path(scratch, "warm.onnx"))
        deed(Path(scratch, "warm.onnx"))


def _ours(path: Path) -> object:
    from registry.inspecting import inspect
    from registry.scanning import scan_path

    return inspect(None, path), scan_path(path)


def _static(path: Path) -> object:
    from registry.inspecting import inspect
    from registry.onnx.scan import scan
    from registry.opening import open_path

    with open_path(path) as opened:
        return inspect(None, path), scan(opened.files, opened.path)


def _plain(path: Path) -> object:
    import onnx

    return onnx.load(path), onnx.checker.check_model(path)


def _children() -> int:
    from registry.onnx.child import keeper

    keeper.discard()
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10


if __name__ == "__main__":
    main()
