"""One hand-written node for each quantized operator, with inputs where its schema has them."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import onnx
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from registry.errors import InvalidModel
from registry.onnx.facts import QuantizationFacts, inspect
from registry.onnx.operators import QUANTIZED, qualified

MS = "com.microsoft"

# Weights, scales and zero points that the nodes below take: NumPy's letter for the type, and the values.
CONSTANTS: dict[str, tuple[str, Any]] = {
    "s": ("f", 0.5),
    "s2": ("f", [0.5, 0.25]),
    "s4": ("f", [0.5] * 4),
    "s24": ("f", [[0.5] * 4] * 2),
    "zb": ("b", 0),
    "zB": ("B", 3),
    "zb4": ("b", [0, 1, 0, 0]),
    "w": ("b", np.ones((3, 4))),
    "w2": ("b", np.ones((2, 3, 4))),
    "conv": ("b", np.ones((4, 3, 1, 1))),
    "h": ("h", np.ones((3, 4))),
    "bias": ("i", [1, 2, 3, 4]),
    "bits": ("B", np.ones((4, 1, 8))),
    "bits2": ("B", np.ones((2, 4, 8))),
    "absmax": ("f", [1.0]),
    "eights": ("B", [0x88]),
    "oddeights": ("B", [0x88, 0x08] * 4),  # three numbers a row, then a padding nibble of 0
    "oddothers": ("B", [0x88, 0x07] * 4),
    "wide": ("B", np.ones((4, 3, 8))),
    "wide32": ("I", [1, 2]),
    "scales3": ("f", np.ones((4, 3))),
}

Q = ["x8", "s", "zB"]  # an activation with its scale and zero point
W = ["w", "s4", "zb4"]
OUT = ["s", "zB"]
STATIC = ("activation", "UINT8", False, "per-tensor", None, None)


def weight(kind: str = "INT8", symmetric: bool = False, axis: int | None = 1, **more: Any) -> tuple[Any, ...]:
    grain = "blockwise" if "block" in more else "per-tensor" if axis is None else "per-channel"
    return ("weight", kind, symmetric, grain, axis, more.get("block"))


NBITS = {"K": 16, "N": 4, "bits": 4, "block_size": 16}
CASES: list[tuple[str, str, list[str], dict[str, Any], str, list[tuple[Any, ...]]]] = [
    ("", "QLinearConv", [*Q, "conv", "s4", "zb4", *OUT, "bias"], {}, "static",
     [STATIC, weight(axis=0), STATIC, ("bias", "INT32", True, "per-channel", 0, None)]),
    (MS, "QLinearConv", [*Q, "conv", "s", "zb", *OUT], {}, "static",
     [STATIC, weight(symmetric=True, axis=None), STATIC]),
    ("", "QLinearMatMul", [*Q, *W, *OUT], {}, "static", [STATIC, weight(), STATIC]),
    ("", "ConvInteger", ["x8", "conv"], {}, "static", [STATIC, weight(symmetric=True, axis=None)]),
    ("", "MatMulInteger", ["x8", "w", "zB", "zb4"], {}, "static", [STATIC, weight()]),
    (MS, "MatMulInteger16", ["x8", "h"], {}, "static", [STATIC, weight("INT16", True, None)]),
    (MS, "MatMulIntegerToFloat", ["x8", "w", "s", "s4", "zB", "zb4"], {}, "static", [STATIC, weight()]),
    (MS, "QLinearAdd", [*Q, "y8", *OUT, *OUT], {}, "static", [STATIC, STATIC, STATIC]),
    (MS, "QLinearMul", [*Q, "w", "s", "zb", *OUT], {}, "static",
     [STATIC, weight(symmetric=True, axis=None), STATIC]),
    *((MS, name, [*Q, *OUT], {}, "static", [STATIC, STATIC]) for name in (
        "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "QLinearAveragePool",
        "QLinearGlobalAveragePool")),
    (MS, "QLinearConcat", [*OUT, *Q, "y8", *OUT], {}, "static", [STATIC, STATIC, STATIC]),
    (MS, "QLinearWhere", ["c", *Q, "y8", *OUT, *OUT], {}, "static", [STATIC, STATIC, STATIC]),
    (MS, "QGemm", [*Q, *W, "bias", *OUT], {}, "static",
     [STATIC, weight(), STATIC, ("bias", "INT32", True, "per-channel", 0, None)]),
    (MS, "QGemm", [*Q, *W, "", *OUT], {"transB": 1}, "static", [STATIC, weight(axis=0), STATIC]),
    (MS, "QGemm", [*Q, *W], {}, "static", [STATIC, weight()]),  # a float output
    (MS, "QAttention", ["x8", "w", "x", "s", "s4", "", "zB", "zb4"], {"num_heads": 1}, "static",
     [STATIC, weight()]),
    (MS, "QEmbedLayerNormalization",
     ["i", "i", *["w"], "h", "w2", "conv", "bits", "", *["s"] * 5, *["zb"] * 5], {}, "weight-only",
     [weight(kind, symmetric, None) for kind, symmetric in
      (("INT8", True), ("INT16", True), ("INT8", True), ("INT8", True), ("UINT8", False))]),
    (MS, "DynamicQuantizeMatMul", ["x", *W], {}, "dynamic", [weight()]),
    (MS, "DynamicQuantizeLSTM", ["x", "w2", "w2", *[""] * 5, "s2", "", "s2", ""], {}, "dynamic",
     [weight(symmetric=True, axis=0)]),
    (MS, "DynamicQuantizeLSTM", ["x", "w2", "w2", *[""] * 5, "s24", "", "s24", ""], {}, "dynamic",
     [weight(symmetric=True, axis=2)]),
    (MS, "MatMulNBits", ["x", "bits", "s4"], NBITS, "weight-only", [weight("UINT4", True, 0, block=16)]),
    (MS, "MatMulNBits", ["x", "wide", "scales3", "oddeights"], {**NBITS, "K": 48}, "weight-only",
     [weight("UINT4", True, 0, block=16)]),
    (MS, "MatMulNBits", ["x", "wide", "scales3", "oddothers"], {**NBITS, "K": 48}, "weight-only",
     [weight("UINT4", False, 0, block=16)]),
    (MS, "MatMulBnb4", ["x", "bits", "absmax"], {"K": 16, "N": 4, "block_size": 64, "quant_type": 0},
     "weight-only", [weight("FP4", True, None, block=64)]),
    (MS, "GatherBlockQuantized", ["bits", "i", "s4", "eights"], {"block_size": 16, "quantize_axis": -1},
     "weight-only", [weight("UINT4", True, 2, block=16)]),
    (MS, "QMoE", ["x", "r", "bits2", "s24", "", "bits2", "s24"], {"expert_weight_bits": 4}, "weight-only",
     [weight("UINT4", True, 1)]),
    (MS, "QMoE", ["x", "r", "bits2", "s24", "", "wide", "s24"],
     {"expert_weight_bits": 4, "fc2_expert_weight_bits": 8, "block_size": 16}, "weight-only",
     [weight("UINT4", True, 2, block=16), weight("UINT8", True, 2, block=16)]),
]  # fmt: skip


def _facts(
    domain: str, op: str, inputs: list[str], attributes: dict[str, Any], *more: TensorProto
) -> QuantizationFacts:
    node = helper.make_node(op, inputs, ["out"], domain=domain, **attributes)
    weights = [numpy_helper.from_array(np.asarray(v, k), n) for n, (k, v) in CONSTANTS.items() if n in inputs]
    given = [("x8", TensorProto.UINT8), ("y8", TensorProto.UINT8), ("x", TensorProto.FLOAT)]
    values = [helper.make_tensor_value_info(name, kind, None) for name, kind in given]
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)]
    graph = helper.make_graph([node], "g", values, [], [*weights, *more])
    return inspect({"m": helper.make_model(graph, opset_imports=opsets).SerializeToString()}, "m")


@pytest.mark.parametrize(
    ("domain", "op", "inputs", "attributes", "mode", "expected"),
    CASES,
    ids=[f"{at}-{case[1]}" for at, case in enumerate(CASES)],
)
def test_reads(
    domain: str, op: str, inputs: list[str], attributes: dict[str, Any], mode: str, expected: list[Any]
) -> None:
    facts = _facts(domain, op, inputs, attributes)
    found = [
        (one.role, one.type, one.symmetric, one.granularity, one.axis, one.block_size)
        for one in facts.tensors
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert (facts.mode, facts.format) == (mode, "QOperator")
    assert facts.operators == ((qualified((domain, op)), 1),)
    assert facts.float_weights == 0  # scales are none
    assert {one.operator for one in facts.tensors} == {qualified((domain, op))}


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "shapes"),
    [
        ("MatMulNBits", ["x", "bits", "s4"], NBITS, [(16, 4)]),
        ("GatherBlockQuantized", ["bits", "i", "s4"], {"bits": 4}, [(4, 1, 16)]),
        ("GatherBlockQuantized", ["bits", "i", "s4"], {"bits": 8}, [(4, 1, 8)]),
        ("GatherBlockQuantized", ["w", "i", "s4"], {}, [(3, 4)]),
        (
            "QMoE",
            ["x", "r", "bits2", "s24", "", "wide", "s24"],
            {"expert_weight_bits": 2},
            [(2, 4, 32), (4, 3, 32)],
        ),
        ("QMoE", ["x", "r", "bits2", "s24"], {"quant_type": "fp8"}, [(2, 4, 8)]),
    ],
)
def test_packed_weights_have_their_logical_shape(
    op: str, inputs: list[str], attributes: dict[str, Any], shapes: list[tuple[int, ...]]
) -> None:
    facts = _facts(MS, op, inputs, attributes)
    assert [one.shape for one in facts.tensors] == shapes
    assert facts.quantized_elements == sum(map(math.prod, shapes))


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16])
@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
@pytest.mark.parametrize("value", [8.0, 7.0])
def test_zero_points_may_be_floats(kind: int, raw: bool, value: float) -> None:
    zero = helper.make_tensor("z", kind, [4, 1], [value] * 4)
    if raw:
        zero = numpy_helper.from_array(numpy_helper.to_array(zero), "z")
    (found,) = _facts(MS, "MatMulNBits", ["x", "bits", "s4", "z"], NBITS, zero).tensors
    assert found.symmetric == (value == 8)


def test_no_float_is_the_middle_of_32_bits() -> None:
    zero = helper.make_tensor("z", TensorProto.FLOAT16, [], [0.0])
    (found,) = _facts("", "DequantizeLinear", ["wide32", "s", "z"], {}, zero).tensors
    assert (found.type, found.symmetric) == ("UINT32", False)


def test_every_quantized_operator_of_the_runtime_is_known_and_tested() -> None:
    """Against ONNX Runtime's own list of kernels on the CPU."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kernels = {
        (one.domain, one.op_name)
        for one in state.get_all_opkernel_def()
        if one.provider == "CPUExecutionProvider"
    }
    marks = ("Quantize", "QLinear", "Integer", "NBits", "Bnb4", "QGemm", "QAttention", "QEmbed", "QMoE")
    there = {
        (domain.replace("ai.onnx", ""), name) for domain, name in kernels if any(m in name for m in marks)
    }
    assert there <= QUANTIZED
    by_hand = {(case[0], case[1]) for case in CASES}
    linear = {(domain, f"{kind}Linear") for domain in ("", MS) for kind in ("Quantize", "Dequantize")}
    assert by_hand | linear | {("", "DynamicQuantizeLinear")} == QUANTIZED


@pytest.mark.parametrize(
    "attributes", [{"bits": 3}, {"bits": 0}, {"K": 0}, {"N": -1}, {"block_size": 0}, {"K": 1 << 40}]
)
def test_attributes_that_make_no_sense(attributes: dict[str, int]) -> None:
    with pytest.raises(InvalidModel):
        _facts(MS, "MatMulNBits", ["x", "bits", "s4", "eights"], {**NBITS, **attributes})


def test_scales_of_a_negative_shape() -> None:
    scale = TensorProto(name="r1", data_type=TensorProto.FLOAT, dims=[4, -1])
    with pytest.raises(InvalidModel, match="impossible dimension"):
        _facts(MS, "GatherBlockQuantized", ["bits", "i", "r1", "eights"], {}, scale)


@pytest.mark.parametrize("changed", [{"dims": [5]}, {"raw_data": b"\0"}])
def test_zero_points_that_do_not_fill_their_shape(changed: dict[str, Any]) -> None:
    zero = TensorProto(
        name="z", data_type=TensorProto.INT8, **{"dims": [4], "raw_data": b"\0" * 4, **changed}
    )
    node = helper.make_node("DequantizeLinear", ["w", "s", "z"], ["y"])
    weights = [
        numpy_helper.from_array(np.ones((3, 4), "b"), "w"),
        numpy_helper.from_array(np.ones(4, "f"), "s"),
    ]
    graph = helper.make_graph([node], "g", [], [], [*weights, zero])
    with pytest.raises(InvalidModel, match="a constant holds"):
        inspect({"m": onnx.helper.make_model(graph).SerializeToString()}, "m")


@st.composite
def quantized_nodes(draw: st.DrawFn) -> tuple[str, str, list[str], dict[str, int]]:
    domain, op = draw(st.sampled_from(sorted(QUANTIZED)))
    inputs = draw(st.lists(st.sampled_from(["", "x", "x8", "nowhere", *CONSTANTS]), max_size=18))
    names = ("axis", "block_size", "bits", "K", "N", "quantize_axis", "transB", "output_dtype")
    numbers = st.sampled_from((-(1 << 63), -1, 0, 1, 2, 3, 4, 8, 16, 1 << 31))
    return domain, op, inputs, draw(st.dictionaries(st.sampled_from(names), numbers))


@settings(max_examples=300, deadline=2000)  # milliseconds
@given(quantized_nodes())
def test_any_inputs_and_attributes_are_described_or_refused(
    node: tuple[str, str, list[str], dict[str, int]],
) -> None:
    """What comes out can be signed and read back; what does not make sense is an InvalidModel."""
    try:
        facts = _facts(*node)
    except InvalidModel:
        return
    signed = rfc8785.dumps(facts.to_dict())  # type: ignore[arg-type]
    assert QuantizationFacts.from_dict(json.loads(signed)) == facts
