"""A quantized file laid open: where weights, scales and activation parameters are, and how to change them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import GraphProto, NodeProto, TensorProto, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as state

Array = np.ndarray[Any, Any]


class NotApplicable(ValueError):
    """This file has nothing that the tampering could be done to."""


@dataclass
class Weight:
    """One quantized constant; ``bits`` 4 where two numbers share a byte of a uint8 tensor (``packed``)."""

    node: NodeProto
    integers: TensorProto
    scale: TensorProto | None
    zero: TensorProto | None
    packed: bool

    @property
    def bias(self) -> bool:
        return self.integers.data_type == TensorProto.INT32


# Operator -> where the constant, its scale and its zero point are among the inputs; None: no such input.
Place = tuple[int, int | None, int | None]
_WEIGHTS: Mapping[str, tuple[Place, ...]] = {
    "DequantizeLinear": ((0, 1, 2),),
    "QLinearConv": ((3, 4, 5), (8, None, None)),
    "QLinearMatMul": ((3, 4, 5),),
    "QGemm": ((3, 4, 5), (6, None, None)),
    "MatMulInteger": ((1, None, 3),),
    "ConvInteger": ((1, None, 3),),
    "DynamicQuantizeMatMul": ((1, 2, 3),),
    "MatMulIntegerToFloat": ((1, 3, 5),),
    "DynamicQuantizeLSTM": ((1, 8, 9), (2, 10, 11)),
    "MatMulNBits": ((1, 2, 3),),
    "MatMulBnb4": ((1, 2, None),),
    "GatherBlockQuantized": ((0, 2, 3),),
}
_PACKED = {"MatMulNBits", "MatMulBnb4", "GatherBlockQuantized"}

# Operator -> scale and zero point of each activation.
_ACTIVATIONS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "QuantizeLinear": ((1, 2),),
    "DequantizeLinear": ((1, 2),),
    "QLinearConv": ((1, 2), (6, 7)),
    "QLinearMatMul": ((1, 2), (6, 7)),
    "QGemm": ((1, 2), (7, 8)),
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), ((1, 2), (4, 5), (6, 7))),
    **dict.fromkeys(
        ("QLinearSigmoid", "QLinearLeakyRelu", "QLinearGlobalAveragePool", "QLinearAveragePool"),
        ((1, 2), (3, 4)),
    ),
}


class Surgery:
    """A parsed copy of ``data``; change ``model`` and take ``done()``."""

    def __init__(self, data: bytes) -> None:
        self.model = onnx.load_from_string(data)
        self.graphs = list(_graphs(self.model.graph))
        self.constants = {tensor.name: tensor for graph in self.graphs for tensor in graph.initializer}

    @property
    def graph(self) -> GraphProto:
        return self.model.graph

    def done(self) -> bytes:
        return self.model.SerializeToString(deterministic=True)

    def nodes(self) -> Iterator[NodeProto]:
        for graph in self.graphs:
            yield from graph.node

    def constant(self, node: NodeProto, place: int | None) -> TensorProto | None:
        if place is None or place >= len(node.input):
            return None
        return self.constants.get(node.input[place])

    def weights(self, *, biases: bool = False) -> list[Weight]:
        """Every quantized weight, or every quantized bias, once."""
        found: dict[str, Weight] = {}
        for node in self.nodes():
            for where, scale, zero in _WEIGHTS.get(node.op_type, ()):
                integers = self.constant(node, where)
                if integers is not None and integers.dims:
                    given = self.constant(node, scale) or self._beside(integers.name)
                    packed = node.op_type in _PACKED and _bits(node) == 4 and _bytes(integers)
                    weight = Weight(node, integers, given, self.constant(node, zero), packed)
                    found.setdefault(integers.name, weight)
        return [weight for weight in found.values() if weight.bias == biases]

    def activations(self) -> list[tuple[TensorProto, TensorProto | None]]:
        """Scale and zero point of every activation that has constant ones, once."""
        found: dict[str, tuple[TensorProto, TensorProto | None]] = {}
        for node in self.nodes():
            if node.op_type == "DequantizeLinear" and node.input[0] in self.constants:
                continue
            for scale, zero in _ACTIVATIONS.get(node.op_type, ()):
                tensor = self.constant(node, scale)
                if tensor is not None:
                    found.setdefault(tensor.name, (tensor, self.constant(node, zero)))
        return list(found.values())

    def floats(self) -> list[TensorProto]:
        """Float constants that are no scales: biases and what else was left as it was."""
        scales = {weight.scale.name for weight in self.weights() + self.weights(biases=True) if weight.scale}
        scales |= {scale.name for scale, _ in self.activations()}
        used = {name for node in self.nodes() for name in node.input}
        floats = [tensor for tensor in self.constants.values() if tensor.data_type == TensorProto.FLOAT]
        return [
            tensor for tensor in floats if tensor.name not in scales and tensor.name in used and tensor.dims
        ]

    def _beside(self, name: str) -> TensorProto | None:
        """MatMulInteger and ConvInteger have no scale of their own: a Mul after them applies it. ONNX
        Runtime's quantizers name it after the weight."""
        return self.constants.get(name.removesuffix("_quantized") + "_scale")


def numbers(weight: Weight) -> Array:
    """The integers, one to an element: int64, the tensor's shape, unpacked along the last axis if packed."""
    values = numpy_helper.to_array(weight.integers)
    if weight.packed:
        values = np.stack([values & 15, values >> 4], axis=-1).reshape(*values.shape[:-1], -1)
    return values.astype(np.int64)


def put_numbers(weight: Weight, values: Array) -> None:
    """The reverse of ``numbers``; values outside the type's range are an error of the caller."""
    tensor = weight.integers
    if weight.packed:
        pairs = values.astype(np.uint8).reshape(*values.shape[:-1], -1, 2)
        stored = pairs[..., 0] | (pairs[..., 1] << 4)
    else:
        stored = values.astype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    put(tensor, stored)


def span(weight: Weight) -> tuple[int, int]:
    """Lowest and highest integer of the type."""
    kind = TensorProto.DataType.Name(weight.integers.data_type)
    bits = 4 if weight.packed or kind.endswith("INT4") else int(kind.removeprefix("U").removeprefix("INT"))
    return (0, (1 << bits) - 1) if kind.startswith("U") else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def put(tensor: TensorProto, values: Array) -> None:
    """Replace the values; type, shape and name stay."""
    shape = tuple(tensor.dims)
    made = numpy_helper.from_array(np.ascontiguousarray(values).reshape(shape), tensor.name)
    assert made.data_type == tensor.data_type, (tensor.name, made.data_type, tensor.data_type)
    tensor.CopyFrom(made)


def loads(data: bytes) -> bool:
    """Whether ONNX Runtime takes it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    try:
        onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.NotImplemented,
        state.RuntimeException,
    ):
        return False
    return True


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _bits(node: NodeProto) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "bits"), 4)


def _bytes(tensor: TensorProto) -> bool:
    return bool(tensor.data_type == TensorProto.UINT8)
