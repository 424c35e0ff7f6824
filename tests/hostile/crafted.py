"""Small models to spoil, and protobuf written by hand where the onnx package writes none of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hostile.corpus import MODEL, Files
from support import graphs

OPSETS = (helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1))
UNKNOWN = b"\xf2\x7f\x04evil"  # field 2046, four bytes


def files(model: onnx.ModelProto | bytes, **others: bytes) -> Files:
    """The model as a version of one file, or of several."""
    data = model if isinstance(model, bytes) else model.SerializeToString()
    return {MODEL: data, **others}


def mlp() -> onnx.ModelProto:
    """A fresh copy of the plain float model."""
    return graphs.mlp()


def model_of(
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[TensorProto] = (),
    *,
    inputs: Sequence[onnx.ValueInfoProto] = (),
    outputs: Sequence[str] = ("y",),
    functions: Sequence[onnx.FunctionProto] = (),
    opsets: Sequence[onnx.OperatorSetIdProto] = OPSETS,
    kind: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model with outputs of unknown shape."""
    graph = helper.make_graph(
        list(nodes), "g", list(inputs), [value(name, kind) for name in outputs], list(constants)
    )
    return helper.make_model(graph, opset_imports=list(opsets), ir_version=10, functions=list(functions))


def value(name: str, kind: int = TensorProto.FLOAT, shape: Any = None) -> onnx.ValueInfoProto:
    """An input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """A node; names separated by blanks, "_" for an absent one."""
    taken = ["" if name == "_" else name for name in inputs.split()]
    return helper.make_node(operator, taken, outputs.split(), **attributes)


def tensor(name: str, numbers: Any, kind: str = "f4") -> TensorProto:
    """A constant of numpy's type ``kind``."""
    return numpy_helper.from_array(np.asarray(numbers, kind), name)


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def field(number: int, payload: bytes | int) -> bytes:
    """A field: of bytes, or a number."""
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def with_graph_bytes(model: onnx.ModelProto, extra: bytes) -> bytes:
    """The model with raw bytes appended to its graph."""
    graph = model.graph.SerializeToString() + extra
    model.ClearField("graph")
    return model.SerializeToString() + field(7, graph)


def with_tensor_bytes(model: onnx.ModelProto, extra: bytes) -> bytes:
    """The model with raw bytes appended to its first initializer."""
    first = model.graph.initializer[0].SerializeToString() + extra
    del model.graph.initializer[0]
    return with_graph_bytes(model, field(5, first))


def with_node_bytes(model: onnx.ModelProto, extra: bytes) -> bytes:
    """The model with raw bytes appended to its last node."""
    last = model.graph.node[-1].SerializeToString() + extra
    del model.graph.node[-1]
    return with_graph_bytes(model, field(1, last))
