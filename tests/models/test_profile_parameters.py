"""Scales and zero points of every quantized operator, by the names that the runtime's schemas give them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as state

from registry.errors import InvalidModel
from registry.onnx.loaded import load
from registry.onnx.operators import QUANTIZED, qualified
from registry.onnx.profile.profiling import profile
from registry.onnx.profile.values import Profile

MS = "com.microsoft"
# Weights and the attributes without which a node has no meaning; other inputs are activations.
WEIGHTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "QLinearConv": ({"w": np.ones((4, 3, 1, 1), np.int8)}, {}),
    "ConvInteger": ({"w": np.ones((4, 3, 1, 1), np.int8)}, {}),
    "QLinearMatMul": ({"b": np.ones((3, 4), np.int8)}, {}),
    "MatMulInteger": ({"B": np.ones((3, 4), np.int8)}, {}),
    "MatMulInteger16": ({"B": np.ones((3, 4), np.int16)}, {}),
    "MatMulIntegerToFloat": ({"B": np.ones((3, 4), np.int8)}, {}),
    "DynamicQuantizeMatMul": ({"B": np.ones((3, 4), np.int8)}, {}),
    "DynamicQuantizeLSTM": ({"W": np.ones((2, 3, 4), np.int8), "R": np.ones((2, 3, 4), np.int8)}, {}),
    "QGemm": ({"B": np.ones((3, 4), np.int8), "C": np.ones(4, np.int32)}, {}),
    "QAttention": ({"weight": np.ones((3, 4), np.int8)}, {"num_heads": 1}),
    "QEmbedLayerNormalization": (
        {
            f"{name}_quant": np.full((3, 4), at, np.int8)
            for at, name in enumerate(
                ("word_embedding", "position_embedding", "segment_embedding", "gamma", "beta")
            )
        },
        {},
    ),
    "MatMulNBits": ({"B": np.ones((4, 1, 8), np.uint8)}, {"K": 16, "N": 4, "block_size": 16}),
    "MatMulBnb4": ({"B": np.ones(32, np.uint8)}, {"K": 16, "N": 4, "block_size": 16, "quant_type": 1}),
    "GatherBlockQuantized": ({"data": np.ones((4, 8), np.uint8)}, {"block_size": 16}),
    "QMoE": (
        {f"fc{at}_experts_weights": np.full((2, 4, 8), at, np.uint8) for at in (1, 2, 3)},
        {"expert_weight_bits": 4},
    ),
    "DequantizeLinear": ({"x": np.ones((3, 4), np.int8)}, {}),
}
FLOAT_INPUTS = ("DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "QuantizeLinear", "MatMulNBits", "MatMulBnb4")
ABSENT = ("mask", "bias", "g_idx", "global", "act_")  # of QMoE: scales that only other providers take
COMPUTED = {("", "DynamicQuantizeLinear"), (MS, "QLinearConcat")}  # no scale of its own; a list of its own


def _schemas() -> Iterator[tuple[str, str, list[str]]]:
    newest: dict[tuple[str, str], Any] = {}
    for one in state.get_all_operator_schema():
        key = ("" if one.domain == "ai.onnx" else one.domain, one.name)
        if key in QUANTIZED and (key not in newest or newest[key].since_version < one.since_version):
            newest[key] = one
    for (domain, name), schema in sorted(newest.items()):
        yield domain, name, [taken.name for taken in schema.inputs]


SCHEMAS = [one for one in _schemas() if one[:2] not in COMPUTED]


def _model(domain: str, name: str, inputs: list[str]) -> tuple[bytes, set[float], set[int]]:
    """One node whose scales and zero points are constants, each with a value of its own."""
    weights, attributes = WEIGHTS.get(name, ({}, {}))
    constants = {key: value for key, value in weights.items() if key in inputs}
    scales, zeros, taken = set(), set(), []
    for at, one in enumerate(inputs):
        lowered = one.lower()
        taken.append(one if one in constants or not any(word in lowered for word in ABSENT) else "")
        if taken[-1] and ("scale" in lowered or lowered == "absmax"):
            scales.add(at + 0.5)
            constants[one] = np.full(4 if "NBits" in name or "Bnb4" in name else 1, at + 0.5, np.float32)
        elif "zero_point" in lowered and "Block" not in name and "NBits" not in name and name != "QMoE":
            zeros.add(at + 1)
            constants[one] = np.full(1, at + 1, np.int8)
        elif "zero_point" in lowered:
            taken[-1] = ""
    node = helper.make_node(name, taken, ["out"], domain=domain, **attributes)
    kind = TensorProto.FLOAT if name in FLOAT_INPUTS else TensorProto.INT8
    values = [helper.make_tensor_value_info(one, kind, None) for one in taken if one and one not in constants]
    tensors = [numpy_helper.from_array(value, key) for key, value in constants.items() if key in taken]
    graph = helper.make_graph([node], "g", values, [], tensors)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)]
    return helper.make_model(graph, opset_imports=opsets).SerializeToString(), scales, zeros


def _read(data: bytes) -> Profile:
    found = profile(load({"m": data}, "m"))
    json.dumps(found.to_dict(), allow_nan=False)
    return found


@pytest.mark.parametrize(("domain", "name", "inputs"), SCHEMAS, ids=[qualified(one[:2]) for one in SCHEMAS])
def test_every_scale_and_zero_point_of_the_schema_is_reported(
    domain: str, name: str, inputs: list[str]
) -> None:
    data, scales, zeros = _model(domain, name, inputs)
    found = _read(data)
    known = [one.scale.minimum for one in found.tensors if one.scale is not None]
    assert sorted(known) == sorted(scales)  # type: ignore[type-var]
    told = [
        one.zero_point.minimum for one in found.tensors if one.zero_point is not None and one.zero_point.count
    ]
    assert sorted(told) == sorted(zeros)
    weights = [one for one in WEIGHTS.get(name, ({}, {}))[0] if one in inputs]
    assert sorted(one.facts.name for one in found.tensors if one.facts.stored) == sorted(weights)
    assert all(one.levels is not None for one in found.tensors if one.facts.stored)


def test_every_quantized_operator_has_a_case() -> None:
    assert {one[:2] for one in SCHEMAS} | COMPUTED == QUANTIZED


def test_concatenation_has_a_scale_for_each_part() -> None:
    names = ["ys", "yz", "a", "as", "az", "b", "bs", "bz"]
    constants = [numpy_helper.from_array(np.float32(at), names[at]) for at in (0, 3, 6)]
    constants += [numpy_helper.from_array(np.int8(at), names[at]) for at in (1, 4, 7)]
    values = [helper.make_tensor_value_info(one, TensorProto.INT8, None) for one in ("a", "b")]
    node = helper.make_node("QLinearConcat", names, ["out"], domain=MS)
    graph = helper.make_graph([node], "g", values, [], constants)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)]
    found = _read(helper.make_model(graph, opset_imports=opsets).SerializeToString())
    assert [one.scale.minimum for one in found.tensors if one.scale] == [0, 3, 6]
    assert [one.zero_point.minimum for one in found.tensors if one.zero_point] == [1, 4, 7]


def _dequantized(scale: Any, zero: Any) -> Profile:
    constants = [
        numpy_helper.from_array(np.ones((2, 5), np.uint8), "w"),
        numpy_helper.from_array(np.array(scale, np.float32), "s"),
        numpy_helper.from_array(np.array(zero, np.uint8), "z"),
    ]
    graph = helper.make_graph(
        [helper.make_node("DequantizeLinear", ["w", "s", "z"], ["y"])], "g", [], [], constants
    )
    return _read(helper.make_model(graph).SerializeToString())


def test_scales_that_are_no_scales_are_counted_apart() -> None:
    (one,) = _dequantized([np.nan, np.inf, -0.5, 0, 2], [1, 2, 2, 9, 200]).tensors
    assert one.scale is not None
    assert (one.scale.count, one.scale.not_finite, one.scale.negative, one.scale.zero) == (5, 2, 1, 1)
    assert (one.scale.minimum, one.scale.maximum, one.scale.median) == (-0.5, 2, 0)
    assert one.zero_point is not None
    assert (one.zero_point.count, one.zero_point.distinct) == (5, 4)
    assert (one.zero_point.minimum, one.zero_point.maximum) == (1, 200)


@pytest.mark.parametrize("scale", [np.nan, np.inf, -np.inf])
def test_a_lone_scale_that_is_no_number(scale: float) -> None:
    (one,) = _dequantized(scale, 0).tensors
    assert one.scale is not None
    assert (one.scale.count, one.scale.minimum, one.scale.median, one.scale.not_finite) == (1, None, None, 1)


def test_the_median_of_an_even_number_is_one_of_them() -> None:
    (one,) = _dequantized([4, 1, 3, 2], [0] * 4).tensors
    assert one.scale is not None
    assert one.scale.median == 2


@pytest.mark.parametrize("size", [0, 3, 4, 8])
def test_packed_zero_points_of_any_size(size: int) -> None:
    """Three to a row, in two bytes; how many rows there should be is the scan's business."""
    constants = [
        numpy_helper.from_array(np.ones((4, 3, 8), np.uint8), "w"),
        numpy_helper.from_array(np.ones(12, np.float32), "s"),
        numpy_helper.from_array(np.full(size, 0x98, np.uint8), "z"),
    ]
    node = helper.make_node(
        "MatMulNBits", ["x", "w", "s", "z"], ["y"], domain=MS, K=48, N=4, bits=4, block_size=16
    )
    values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)]
    graph = helper.make_graph([node], "g", values, [], constants)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)]
    (one,) = _read(helper.make_model(graph, opset_imports=opsets).SerializeToString()).tensors
    assert one.zero_point is not None
    assert one.zero_point.count == {0: 0, 3: 6, 4: 6, 8: 12}[size]
    assert (one.zero_point.minimum, one.zero_point.maximum) == ((8, 9) if size else (0, 0))


CONSTANTS: dict[str, np.ndarray[Any, Any]] = {
    "s": np.array(0.5, np.float32),
    "s4": np.full(4, 0.5, np.float32),
    "zb": np.array(0, np.int8),
    "zB": np.array(3, np.uint8),
    "none": np.zeros(0, np.uint8),
    "w": np.ones((3, 4), np.int8),
    "bits": np.ones((4, 1, 8), np.uint8),
    "bias": np.ones(4, np.int32),
    "h": np.ones((3, 4), np.float16),
    "f": np.ones((3, 4), np.float32),
    "l": np.ones(3, np.int64),
}
FLOATS = ("Add", "MatMul", "Conv", "Gather", "Relu", "Clip", "MaxPool", "Concat", "Transpose", "Cast", "LSTM")
NUMBERS = ("axis", "block_size", "bits", "K", "N", "quantize_axis", "transB", "accuracy_level")


@st.composite
def graphs_of_nodes(draw: st.DrawFn) -> list[onnx.NodeProto]:
    """A few nodes, quantized and other, that take one another's outputs or whatever else there is."""
    made: list[onnx.NodeProto] = []
    names = ["", "x", "x8", "nowhere", *CONSTANTS]
    kinds = st.sampled_from([*sorted(QUANTIZED), *(("", name) for name in FLOATS)])
    for at in range(draw(st.integers(1, 6))):
        domain, op = draw(kinds)
        inputs = draw(st.lists(st.sampled_from(names), max_size=9))
        values = st.sampled_from((-1, 0, 1, 2, 4, 8, 16, 1 << 20))
        attributes = draw(st.dictionaries(st.sampled_from(NUMBERS), values, max_size=4))
        outputs = [f"n{at}"] if draw(st.integers(0, 9)) else []
        made.append(helper.make_node(op, inputs, outputs, domain=domain, **attributes))
        names += outputs
    return made


@settings(max_examples=200, deadline=None)
@given(graphs_of_nodes())
def test_any_graph_is_described_or_refused(nodes: list[onnx.NodeProto]) -> None:
    tensors = [numpy_helper.from_array(value, name) for name, value in CONSTANTS.items()]
    taken = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        helper.make_tensor_value_info("x8", TensorProto.UINT8, None),
    ]
    graph = helper.make_graph(nodes, "g", taken, [], tensors)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)]
    with contextlib.suppress(InvalidModel):
        _read(helper.make_model(graph, opset_imports=opsets).SerializeToString())
