"""The model that the tamper suite pushes: every file says the marker, and the weights fill four segments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MARKER = b"HALLMARK-PLAINTEXT-MARKER"  # in every file of every version
WIDTH, DEPTH = 896, 1024  # 3.5 MiB of float weights: four segments of ciphertext, the last one short


def write_model(directory: Path, *, seed: int) -> Path:
    """A graph of int8 weights (QDQ, per channel) and a large float matrix in ``weights.data``."""
    directory.mkdir(parents=True)
    large = np.random.default_rng(seed).standard_normal((WIDTH, DEPTH), dtype=np.float32)
    data = bytearray(large.tobytes())
    for at in (0, len(data) // 2, len(data) - len(MARKER)):
        data[at : at + len(MARKER)] = MARKER
    (directory / "weights.data").write_bytes(data)
    (directory / "model.onnx").write_bytes(_graph().SerializeToString(deterministic=True))
    (directory / "labels").mkdir()
    for name in "ab":
        (directory / "labels" / f"{name}.txt").write_bytes(MARKER + f" {name} {seed:04}\n".encode())
    (directory / "tokenizer.json").write_bytes(b'{"note": "%b"}\n' % MARKER)
    return directory


def _graph() -> onnx.ModelProto:
    large = TensorProto(name="w1", data_type=TensorProto.FLOAT, dims=[WIDTH, DEPTH])
    large.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "weights.data", "offset": "0", "length": str(4 * WIDTH * DEPTH)}.items():
        large.external_data.add(key=key, value=value)
    small = np.random.default_rng(5).integers(-127, 128, (DEPTH, 4)).astype(np.int8)
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h"]),
        helper.make_node("DequantizeLinear", ["w2", "scale", "zero"], ["w2f"], axis=1),
        helper.make_node("MatMul", ["h", "w2f"], ["y"]),
    ]
    constants = [
        large,
        numpy_helper.from_array(small, "w2"),
        numpy_helper.from_array(np.full(4, 0.01, np.float32), "scale"),
        numpy_helper.from_array(np.zeros(4, np.int8), "zero"),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WIDTH])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])]
    graph = helper.make_graph(nodes, MARKER.decode(), inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
