"""Lineage of large models, beside onnx.load of the same two files: ``python -m benchmarks.lineage_speed``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import process, report
from benchmarks.measure import Entry, Limit, absolute, in_turns, ratio
from benchmarks.quiet import Quiet
from benchmarks.workplace import Workplace, workplace

_TREE = Path(__file__).resolve().parent.parent
sys.path.append(str(_TREE / "tests"))

TITLE = "Lineage"
_PER_MB = Limit(10.0)  # milliseconds for each megabyte of the parent
_TIMES = Limit(3.0)  # the parent's size
_BESIDE = "onnx.load of both"
_WIDE, _CHANNELS, _IMAGE = 1024, 512, 8
_MB = 1_000_000


def measure(place: Workplace) -> list[Entry]:
    """Time and memory of one proof in a process of its own; the files are in the page cache."""
    rows: list[Entry] = []
    for title, parent, child in _pairs(place.root):
        rows += _compared(place, title, parent, child)
        child.unlink()
    return rows


def _compared(place: Workplace, title: str, parent: Path, child: Path) -> list[Entry]:
    peaks: dict[str, list[float]] = {"prove": [], "plain": []}
    verbs = {verb: partial(_probe, verb, child, parent, peaks[verb]) for verb in peaks}
    found = in_turns(place.rounds, verbs, place.quiet)
    size = parent.stat().st_size / _MB
    each = {verb: [1000 * seconds / size for seconds in values] for verb, values in found.items()}
    whole = [size * _MB / (1 << 20)] * len(peaks["prove"])
    return [
        absolute(
            f"for each MB of the parent, {title}", _BESIDE, each["prove"], each["plain"], _PER_MB, unit="ms"
        ),
        ratio(f"memory, {title}", "the parent's size", peaks["prove"], whole, _TIMES, unit="MiB"),
    ]


def _probe(verb: str, child: Path, parent: Path, peaks: list[float]) -> float:
    took = process.probe("lineage", verb, child, parent)
    peaks.append((took["peak"] - took["idle"]) / (1 << 20))
    return float(took["seconds"])


def _pairs(root: Path) -> Iterator[tuple[str, Path, Path]]:
    """Parents of 50 MB and more, and a child of each kind."""
    from support.lineage.modes import BNB4, DYNAMIC, NBITS, STATIC, Mode
    from support.lineage.quantizers import quantize

    modes = {
        "static QDQ": Mode(STATIC, per_channel=True),
        "static QOperator": Mode(STATIC, qdq=False, weight="QUInt8"),
        "dynamic": Mode(DYNAMIC, per_channel=True),
        "4-bit blocks": Mode(NBITS, qdq=False),
        "NF4": Mode(BNB4, block_size=64),
    }
    for name, model, feed, kinds in _parents():
        data = model.SerializeToString()
        parent = root / f"{name}.onnx"
        parent.write_bytes(data)
        for kind, mode in modes.items():
            if kind in kinds:
                child = root / "child.onnx"
                child.write_bytes(quantize(data, mode, [feed] if mode.calibrated else ()))
                yield f"{name}, {len(data) // _MB} MB, {kind}", parent, child
        parent.unlink()


def _parents() -> Iterator[tuple[str, Any, Any, tuple[str, ...]]]:
    every = ("static QDQ", "static QOperator", "dynamic", "4-bit blocks", "NF4")
    for layers in (13, 50):
        yield "dense layers", *_dense(layers), every if layers == 13 else ("static QDQ", "dynamic")
    yield "convolutions", *_convolutions(6), ("static QDQ", "static QOperator", "dynamic")


def _dense(layers: int) -> tuple[Any, Any]:
    """Layers of 1024 x 1024 with biases."""
    import numpy as np
    from onnx import helper

    rng, weights, nodes, source = np.random.default_rng(1), {}, [], "x"
    for place in range(layers):
        weights[f"w{place}"] = rng.standard_normal((_WIDE, _WIDE), dtype=np.float32) / _WIDE**0.5
        weights[f"b{place}"] = rng.standard_normal(_WIDE, dtype=np.float32)
        nodes.append(helper.make_node("MatMul", [source, f"w{place}"], [f"m{place}"], f"fc{place}"))
        nodes.append(helper.make_node("Add", [f"m{place}", f"b{place}"], [f"a{place}"], f"bias{place}"))
        nodes.append(helper.make_node("Relu", [f"a{place}"], [f"r{place}"], f"relu{place}"))
        source = f"r{place}"
    return _model(nodes, weights, source, ["n", _WIDE]), {"x": rng.standard_normal((2, _WIDE), np.float32)}


def _convolutions(layers: int) -> tuple[Any, Any]:
    """Layers of 512 filters of 3 x 3."""
    import numpy as np
    from onnx import helper

    rng, weights, nodes, source = np.random.default_rng(2), {}, [], "x"
    for place in range(layers):
        weights[f"w{place}"] = rng.standard_normal((_CHANNELS, _CHANNELS, 3, 3), dtype=np.float32) / 68
        weights[f"b{place}"] = rng.standard_normal(_CHANNELS, dtype=np.float32)
        inputs = [source, f"w{place}", f"b{place}"]
        nodes.append(helper.make_node("Conv", inputs, [f"c{place}"], f"conv{place}", pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"c{place}"], [f"r{place}"], f"relu{place}"))
        source = f"r{place}"
    shape = [1, _CHANNELS, _IMAGE, _IMAGE]
    return _model(nodes, weights, source, shape), {"x": rng.standard_normal(shape, np.float32)}


def _model(nodes: list[Any], weights: dict[str, Any], output: str, shape: list[Any]) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", output)]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "large", values[:1], values[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lineage_speed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--directory", type=Path, default=_TREE / ".cache", help="default: %(default)s")
    parser.add_argument(
        "--patience", type=float, default=0, metavar="SECONDS", help="spent on waiting for quiet"
    )
    asked = parser.parse_args()
    asked.directory.mkdir(exist_ok=True)
    with workplace(asked.directory.absolute(), 1 << 30) as root:
        place = Workplace(root, rounds=asked.rounds, quiet=Quiet(asked.patience))
        print(report.text(report.Section(TITLE, measure(place))))


if __name__ == "__main__":
    main()
