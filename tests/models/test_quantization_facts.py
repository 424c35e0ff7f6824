"""Facts of children made by ONNX Runtime's quantizers: what the recipe asked for is what the graph says.

The expectations come from the recipes and the parents' definitions, not from the code under test.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnxruntime.quantization import QuantType

from registry.onnx.facts import QuantizationFacts, inspect
from registry.onnx.quantization import QuantizedTensor
from support import graphs

TYPES = {
    "INT4": QuantType.QInt4,
    "INT8": QuantType.QInt8,
    "UINT8": QuantType.QUInt8,
    "INT16": QuantType.QInt16,
}
MATMULS = {"mlp": {"w1": (16, 32), "w2": (32, 8)}}  # weights of matrix products, by parent
CONVS = {"conv1.w": (8, 3, 3, 3), "conv2.w": (16, 8, 3, 3)}


def _facts(path: Path) -> QuantizationFacts:
    return inspect({"m.onnx": path.read_bytes()}, "m.onnx")


def _weights(facts: QuantizationFacts) -> dict[str, QuantizedTensor]:
    """Quantized weights by their parent's name, whatever a quantizer appended to it."""
    found = {}
    for one in facts.tensors:
        if one.role == "weight":
            name = one.name
            for ending in ("_quantized", "_DQ_Q4", "_Q4", "_Q8", "_Q2", "_Bnb4"):
                name = name.removesuffix(ending)
            found[name] = one
    return found


def _grain(found: QuantizedTensor) -> tuple[str, int | None]:
    return found.granularity, found.axis


def _activations(facts: QuantizationFacts) -> list[QuantizedTensor]:
    return [one for one in facts.tensors if one.role == "activation"]


@pytest.mark.parametrize("name", sorted(graphs.FLOATS))
def test_a_float_model_has_no_quantization(name: str, tmp_path: Path) -> None:
    model = graphs.FLOATS[name]()
    facts = _facts(graphs.save(model, tmp_path / "m.onnx"))
    assert (facts.mode, facts.format, facts.tensors, facts.operators) == ("float", "none", (), ())
    assert facts.opsets == (("ai.onnx", graphs.OPSET),)
    sizes = {"mlp": (4, 808), "cnn": (6, 1460), "transformer": (11, 10368), "branching": (2, 2048)}
    assert (facts.float_weights, facts.float_elements) == sizes[name]


@pytest.mark.parametrize("activation", ["INT8", "UINT8"])
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("per_channel", [True, False], ids=["per-channel", "per-tensor"])
@pytest.mark.parametrize("qdq", [True, False], ids=["QDQ", "QOperator"])
def test_static_convolutions(
    qdq: bool, per_channel: bool, symmetric: bool, activation: str, tmp_path: Path
) -> None:
    options = {"ActivationSymmetric": symmetric, "WeightSymmetric": symmetric}
    path = graphs.static(
        graphs.cnn(),
        tmp_path / "m.onnx",
        qdq=qdq,
        per_channel=per_channel,
        activation_type=TYPES[activation],
        weight_type=QuantType.QInt8,
        extra_options=options,
    )
    facts = _facts(path)
    assert (facts.mode, facts.format) == ("static", "QDQ" if qdq else "QOperator")
    weights = _weights(facts)
    assert set(weights) == {*CONVS, "fc.w"}
    for name, shape in CONVS.items():
        found = weights[name]
        assert (found.type, found.bits, found.shape, found.stored) == ("INT8", 8, shape, True)
        assert (found.granularity, found.axis) == (
            ("per-channel", 0) if per_channel else ("per-tensor", None)
        )
        if symmetric:
            assert found.symmetric
        elif not per_channel:  # ONNX Runtime quantizes channels symmetrically whatever it is told
            assert not found.symmetric
    for found in _activations(facts):
        assert (found.type, found.granularity, found.shape) == (activation, "per-tensor", None)
        assert found.symmetric == symmetric
    assert (facts.quantized_weights, facts.quantized_elements) == (3, 216 + 1152 + 64)
    assert facts.float_weights == 0
    biases = [one for one in facts.tensors if one.role == "bias"]
    assert {(one.type, one.bits, one.symmetric) for one in biases} == {("INT32", 32, True)}
    assert len(biases) == 3


@pytest.mark.parametrize("qdq", [True, False], ids=["QDQ", "QOperator"])
def test_static_matrix_products_per_column(qdq: bool, tmp_path: Path) -> None:
    path = graphs.static(
        graphs.mlp(),
        tmp_path / "m.onnx",
        qdq=qdq,
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul"],
    )
    facts = _facts(path)
    for name, shape in MATMULS["mlp"].items():
        found = _weights(facts)[name]
        assert (found.granularity, found.axis, found.shape) == ("per-channel", 1, shape)
    assert (facts.float_weights, facts.float_elements) == (2, 40)  # the biases, which stay float


@pytest.mark.parametrize(("activation", "weight"), [("INT16", "INT8"), ("INT16", "INT16"), ("INT8", "INT4")])
def test_static_types_beyond_eight_bits(activation: str, weight: str, tmp_path: Path) -> None:
    path = graphs.static(
        graphs.mlp(),
        tmp_path / "m.onnx",
        qdq=True,
        activation_type=TYPES[activation],
        weight_type=TYPES[weight],
        op_types_to_quantize=["MatMul"],
    )
    facts = _facts(path)
    bits = {"INT4": 4, "INT8": 8, "INT16": 16}
    assert {(w.type, w.bits) for w in _weights(facts).values()} == {(weight, bits[weight])}
    assert {(a.type, a.bits) for a in _activations(facts)} == {(activation, bits[activation])}
    assert facts.quantized_elements == 16 * 32 + 32 * 8


def test_the_domain_of_microsoft_is_qdq_too(tmp_path: Path) -> None:
    options = {"UseQDQContribOps": True}
    path = graphs.static(graphs.cnn(), tmp_path / "m.onnx", qdq=True, per_channel=True, extra_options=options)
    facts = _facts(path)
    assert (facts.mode, facts.format) == ("static", "QDQ")
    assert {name for name, _ in facts.operators} == {
        "com.microsoft.QuantizeLinear",
        "com.microsoft.DequantizeLinear",
    }
    assert dict(facts.opsets) == {"ai.onnx": graphs.OPSET, "com.microsoft": 1}
    assert {name: _weights(facts)[name].granularity for name in CONVS} == dict.fromkeys(CONVS, "per-channel")


@pytest.mark.parametrize("weight", ["INT8", "UINT8"])
@pytest.mark.parametrize("per_channel", [True, False], ids=["per-channel", "per-tensor"])
def test_dynamic(per_channel: bool, weight: str, tmp_path: Path) -> None:
    facts = _facts(
        graphs.dynamic(graphs.mlp(), tmp_path / "m.onnx", per_channel=per_channel, weight_type=TYPES[weight])
    )
    assert (facts.mode, facts.format) == ("dynamic", "QOperator")
    for name, shape in MATMULS["mlp"].items():
        found = _weights(facts)[name]
        assert (found.type, found.shape, found.symmetric) == (weight, shape, weight == "INT8")
        assert (found.granularity, found.axis) == (
            ("per-channel", 1) if per_channel else ("per-tensor", None)
        )
    assert {(a.type, a.symmetric, a.operator) for a in _activations(facts)} == {
        ("UINT8", False, "ai.onnx.DynamicQuantizeLinear")
    }


def test_dynamic_convolutions_stay_per_tensor(tmp_path: Path) -> None:
    """quantize_dynamic ignores ``per_channel`` for ConvInteger: facts say what is there."""
    facts = _facts(graphs.dynamic(graphs.cnn(), tmp_path / "m.onnx", per_channel=True))
    assert {name: _weights(facts)[name].granularity for name in CONVS} == dict.fromkeys(CONVS, "per-tensor")


def test_dynamic_embedding_and_branches(tmp_path: Path) -> None:
    facts = _facts(graphs.dynamic(graphs.transformer(), tmp_path / "m.onnx"))
    assert (facts.mode, facts.format) == ("dynamic", "QOperator")
    assert (facts.quantized_weights, facts.quantized_elements) == (7, 4 * 1024 + 2 * 2048 + 2048)
    assert _weights(facts)["embedding"].shape == (64, 32)
    path = graphs.dynamic(graphs.branching(), tmp_path / "b.onnx", extra_options={"EnableSubgraph": True})
    assert _facts(path).quantized_elements == 2048


@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("parent", ["mlp", "branching"])
def test_weight_only(parent: str, bits: int, symmetric: bool, tmp_path: Path) -> None:
    """32 rows in blocks of 16 make two blocks to a column; the mlp's 16 rows one, with a padding nibble."""
    model = graphs.FLOATS[parent]()
    path = graphs.nbits(model, tmp_path / "m.onnx", bits=bits, block_size=16, is_symmetric=symmetric)
    facts = _facts(path)
    assert (facts.mode, facts.format) == ("weight-only", "QOperator")
    shapes = MATMULS["mlp"] if parent == "mlp" else {"up": (32, 32), "down": (32, 32)}
    for name, shape in shapes.items():
        found = _weights(facts)[name]
        assert (found.type, found.bits, found.symmetric) == (f"UINT{bits}", bits, symmetric)
        assert (found.granularity, found.axis, found.block_size) == ("blockwise", 0, 16)
        assert found.shape == shape
        assert found.scope == (
            "" if parent == "mlp" else f"choose.{'then' if name == 'up' else 'else'}_branch"
        )
    assert facts.quantized_elements == sum(rows * columns for rows, columns in shapes.values())
    assert facts.float_elements == (40 if parent == "mlp" else 0)


@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
def test_weight_only_as_qdq(symmetric: bool, tmp_path: Path) -> None:
    path = graphs.nbits(graphs.mlp(), tmp_path / "m.onnx", qdq=True, block_size=16, is_symmetric=symmetric)
    facts = _facts(path)
    assert (facts.mode, facts.format) == ("weight-only", "QDQ")
    for name, shape in MATMULS["mlp"].items():
        found = _weights(facts)[name]
        assert (found.type, found.symmetric) == ("INT4" if symmetric else "UINT4", symmetric)
        assert (found.granularity, found.axis, found.block_size) == ("blockwise", 0, 16)
        assert (found.shape, found.bits) == (shape, 4)


@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
def test_weight_only_embedding(symmetric: bool, tmp_path: Path) -> None:
    options: dict[str, Any] = {"op_types_to_quantize": ("MatMul", "Gather"), "block_size": 16}
    path = graphs.nbits(graphs.transformer(), tmp_path / "m.onnx", is_symmetric=symmetric, **options)
    facts = _facts(path)
    found = _weights(facts)["embedding"]
    assert found.operator == "com.microsoft.GatherBlockQuantized"
    assert (found.type, found.symmetric) == ("INT4" if symmetric else "UINT4", symmetric)
    assert (found.axis, found.block_size, found.shape) == (1, 16, (64, 32))
    assert facts.quantized_weights == 7


@pytest.mark.parametrize("kind", ["NF4", "FP4"])
def test_non_uniform_four_bits(kind: str, tmp_path: Path) -> None:
    facts = _facts(graphs.bnb4(graphs.mlp(), tmp_path / "m.onnx", nf4=kind == "NF4"))
    assert (facts.mode, facts.format) == ("weight-only", "QOperator")
    for name, shape in MATMULS["mlp"].items():
        found = _weights(facts)[name]
        assert (found.type, found.bits, found.shape) == (kind, 4, shape)
        assert (found.granularity, found.axis, found.block_size) == ("blockwise", None, 32)
