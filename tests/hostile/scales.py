"""Flaws of scales and zero points."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from hostile.corpus import Files, case
from hostile.crafted import OPSETS, files, model_of, node, tensor, value


def dequantized(
    scale: Any, *, zero: Any = 0, kind: str = "i1", zeros: str = "i1", scales: str = "f4", axis: int = 0
) -> onnx.ModelProto:
    """Weights of 4 channels times 2, dequantized and added to x."""
    constants = [tensor("q", np.arange(8).reshape(4, 2), kind), tensor("s", scale, scales)]
    taken = "q s"
    if zero is not None:
        constants.append(tensor("z", zero, zeros))
        taken += " z"
    nodes = [node("DequantizeLinear", taken, "d", axis=axis), node("Add", "x d", "y")]
    kind = TensorProto.FLOAT16 if scales == "f2" else TensorProto.FLOAT
    return model_of(nodes, constants, inputs=[value("x", kind)], kind=kind)


def activation(scale: float) -> onnx.ModelProto:
    """x through a pair of QuantizeLinear and DequantizeLinear."""
    nodes = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "y")]
    return model_of(nodes, [tensor("s", scale), tensor("z", 0, "i1")], inputs=[value("x")])


@case("scale-not-finite")
def a_scale_that_is_not_a_number() -> Files:
    return files(dequantized(np.nan))


@case("scale-not-finite")
def an_infinite_scale() -> Files:
    return files(activation(np.inf))


@case("scale-not-finite")
def an_infinite_half_scale() -> Files:
    return files(dequantized(np.inf, scales="f2"))


@case("scale-zero")
def a_scale_of_zero() -> Files:
    return files(dequantized(0.0))


@case("scale-zero")
def one_channel_of_scale_zero() -> Files:
    return files(dequantized([0.1, 0.1, 0.0, 0.1], zero=[0, 0, 0, 0]))


@case("scale-zero")
def a_scale_of_minus_zero() -> Files:
    return files(activation(-0.0))


@case("scale-negative")
def a_negative_scale() -> Files:
    return files(dequantized(-0.5))


@case("scale-negative")
def a_negative_scale_of_an_activation() -> Files:
    return files(activation(-0.5))


@case("scale-subnormal")
def a_scale_that_is_flushed_to_zero() -> Files:
    return files(activation(1e-40))


@case("scale-zero")
def a_scale_of_zero_in_a_function() -> Files:
    body = [node("QuantizeLinear", "x s", "q"), node("DequantizeLinear", "q s", "z")]
    function = helper.make_function("own", "F", ["x", "s"], ["z"], body, [helper.make_opsetid("", 21)])
    call = helper.make_node("F", ["x", "scale"], ["y"], domain="own")
    opsets = [*OPSETS, helper.make_opsetid("own", 1)]
    made = model_of([call], [tensor("scale", 0.0)], inputs=[value("x")], functions=[function], opsets=opsets)
    return files(made)


@case("scale-zero")
def a_scale_of_zero_behind_an_identity() -> Files:
    made = activation(0.0)
    made.graph.node.insert(0, node("Identity", "s", "t"))
    made.graph.node[1].input[1] = "t"
    return files(made)


@case("scale-not-finite")
def a_scale_of_an_integer_operator() -> Files:
    taken = "x xs xz w ws wz ys yz"
    constants = [tensor("w", np.ones((4, 2)), "i1"), tensor("ws", np.nan), tensor("wz", 0, "i1")]
    constants += [tensor(name, 0.5) for name in ("xs", "ys")] + [
        tensor(name, 0, "i1") for name in ("xz", "yz")
    ]
    made = model_of([node("QLinearMatMul", taken, "y")], constants, inputs=[value("x", TensorProto.INT8)])
    made.graph.output[0].CopyFrom(value("y", TensorProto.INT8))
    return files(made)


@case("zero-point-type")
def a_zero_point_of_another_type() -> Files:
    return files(dequantized(0.5, kind="u1", zeros="i1"))


@case("zero-point-shape")
def more_zero_points_than_scales() -> Files:
    return files(dequantized(0.5, zero=[0, 0, 0, 0]))


@case("zero-point-missing")
def unsigned_weights_without_a_zero_point() -> Files:
    return files(dequantized(0.5, zero=None, kind="u1"))
