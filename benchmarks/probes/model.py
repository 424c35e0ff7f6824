"""Writes a model with random weights: KIND MIB DIRECTORY.

Kinds: ``fp32``, one MatMul whose weights are ``weights.bin`` beside the model; ``int8``, the same with
DynamicQuantizeLinear and MatMulInteger; ``inline``, fp32 in one file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

_COLUMNS = 4096
_BLOCK = 1 << 20  # elements made at once


def main() -> None:
    kind, mib, directory = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    directory.mkdir()
    width = 1 if kind == "int8" else 4  # bytes of an element
    rows = (mib << 20) // width // _COLUMNS
    weights = _inline(rows) if kind == "inline" else _external(directory, kind, rows, width)
    onnx.save_model(_model(kind, rows, weights), directory / "model.onnx")
    print(json.dumps({"rows": rows}))


def _inline(rows: int) -> Any:
    values = np.random.default_rng(1).standard_normal((rows, _COLUMNS), dtype=np.float32)
    return onnx.numpy_helper.from_array(values, "w")


def _external(directory: Path, kind: str, rows: int, width: int) -> Any:
    generator, left = np.random.default_rng(1), rows * _COLUMNS
    with (directory / "weights.bin").open("wb") as file:
        while left:
            count = min(_BLOCK, left)
            file.write(
                generator.bytes(count) if kind == "int8" else generator.random(count, np.float32).tobytes()
            )
            left -= count
    kind_of_element = TensorProto.INT8 if kind == "int8" else TensorProto.FLOAT
    tensor = TensorProto(
        name="w", data_type=kind_of_element, dims=[rows, _COLUMNS], data_location=TensorProto.EXTERNAL
    )
    for key, value in {"location": "weights.bin", "offset": 0, "length": rows * _COLUMNS * width}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _model(kind: str, rows: int, weights: Any) -> Any:
    nodes, more = _integer() if kind == "int8" else ([helper.make_node("MatMul", ["x", "w"], ["y"])], [])
    graph = helper.make_graph(
        nodes,
        "bench",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, rows])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, _COLUMNS])],
        [weights, *more],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _integer() -> tuple[list[Any], list[Any]]:
    node = helper.make_node
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "x_scale", "x_zero"]),
        node("MatMulInteger", ["q", "w", "x_zero", "w_zero"], ["sums"]),
        node("Cast", ["sums"], ["floats"], to=TensorProto.FLOAT),
        node("Mul", ["x_scale", "w_scale"], ["scale"]),
        node("Mul", ["floats", "scale"], ["y"]),
    ]
    zero = helper.make_tensor("w_zero", TensorProto.INT8, [], [0])
    return nodes, [zero, helper.make_tensor("w_scale", TensorProto.FLOAT, [], [0.01])]


if __name__ == "__main__":
    main()
