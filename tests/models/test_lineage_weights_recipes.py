"""Every known recipe against the quantizer that has it: recomputed; and with one number changed: not."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnxruntime.quantization import QuantFormat, quant_utils
from onnxruntime.quantization.matmul_bnb4_quantizer import MatMulBnb4Quantizer
from onnxruntime.quantization.matmul_nbits_quantizer import (
    DefaultWeightOnlyQuantConfig,
    DefaultWeightOnlyQuantizer,
)

from registry.onnx.lineage.explain import explain
from registry.onnx.lineage.judgement import Judgement
from registry.onnx.lineage.leaves import QuantLeaf
from registry.onnx.lineage.scalings import levels
from registry.onnx.lineage.tables import judge_table
from registry.onnx.lineage.weights import judge_weight
from support import leafmaking

Array = np.ndarray[Any, Any]
KINDS = ("INT8", "UINT8", "INT16", "UINT16", "INT4", "UINT4")


def drawn(*shape: int, seed: int = 0, mean: float = 0.02) -> Array:
    generator = np.random.default_rng(seed)
    return (generator.standard_normal(shape) * 0.1 + mean).astype(np.float32)


def by_ort(weights: Array, kind: str, symmetric: bool, reduced: bool) -> tuple[Array, Array, Array]:
    """Integers, scale and zero point as ONNX Runtime's quantizer makes them."""
    number = getattr(TensorProto, kind)
    zero, scale, made = quant_utils.quantize_data(weights.ravel(), number, symmetric, reduced)
    return np.asarray(made).astype(np.int32).reshape(weights.shape), scale, zero.astype(np.int32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("reduced", [True, False])
def test_onnx_runtimes_weights_per_tensor_are_recomputed(kind: str, symmetric: bool, reduced: bool) -> None:
    weights = drawn(24, 18)
    made, scale, zero = by_ort(weights, kind, symmetric, reduced)
    found = judge_weight(leafmaking.quantized(made, scale, zero, kind), weights)
    assert found.verdict == "recomputed", found.reason
    assert found.scalings[0].way == ("symmetric" if symmetric else "asymmetric")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_onnx_runtimes_weights_per_channel_are_recomputed(kind: str, symmetric: bool, axis: int) -> None:
    weights = drawn(6, 5, 7)
    weights[2] = 0  # a dead channel: scale 1, zero point 0
    parts = [by_ort(weights.take(at, axis), kind, symmetric, False) for at in range(weights.shape[axis])]
    made = np.stack([part[0] for part in parts], axis)
    scale, zero = np.array([part[1] for part in parts]), np.array([part[2] for part in parts])
    found = judge_weight(leafmaking.quantized(made, scale, zero, kind, axis=axis), weights)
    assert found.verdict == "recomputed", found.reason


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("kind", ["INT4", "UINT4", "INT8"])
def test_onnx_runtimes_blocks_of_operator_set_21_are_recomputed(kind: str, symmetric: bool) -> None:
    weights, number = drawn(50, 12), getattr(TensorProto, kind)
    zero, scale = quant_utils.compute_scale_zp_blocked(weights, number, 0, 16, symmetric)
    low, high = levels(kind)
    spread, offset = (np.repeat(one, 16, axis=0)[:50] for one in (scale, zero.astype(np.int32)))
    made = np.clip(np.round(weights / spread) + offset, low, high)
    leaf = leafmaking.quantized(made, scale, zero.astype(np.int32), kind, axis=0, block=16)
    assert judge_weight(leaf, weights).verdict == "recomputed"


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("rows", [64, 100])
def test_packed_blocks_are_recomputed_even_with_negative_scales(
    bits: int, symmetric: bool, rows: int
) -> None:
    weights = drawn(rows, 37)
    leaf = by_kernel(weights, bits, symmetric)
    found = judge_weight(leaf, weights.T)
    assert found.verdict == "recomputed", found.reason
    assert not symmetric or (leaf.scale() < 0).any()


def by_kernel(weights: Array, bits: int, symmetric: bool) -> QuantLeaf:
    config = DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=symmetric, bits=bits)
    made, scale, zero = DefaultWeightOnlyQuantizer(config).qbits_block_quant(weights)
    shape = (weights.shape[1], weights.shape[0])
    return leafmaking.packed(made, scale, None if symmetric else zero, shape, bits, 32)


def test_a_fused_product_and_sum_rounds_some_weights_otherwise() -> None:
    """What ``quantize_matmul_8bits`` does where the compiler fuses; computed here with whole numbers."""
    scale = np.float32(0.1)
    inverse = np.float32(1) / scale
    zero = 117
    whole = np.arange(-100, 100)
    tries = [np.nextafter(np.float32((one + 0.5) * 0.1), np.float32(way)) for one in whole for way in (-9, 9)]
    several = np.array([*tries, -11.7, 13.8], np.float32)  # the last two make this the scale
    exact = [float(Fraction(float(one)) * Fraction(float(inverse)) + zero) for one in several]
    fused = np.floor(np.array(exact, np.float32) + np.float32(0.5))
    plain = np.floor((several * inverse + np.float32(zero)) + np.float32(0.5))
    assert (fused != plain).any()
    for made in (fused, plain):
        integers = np.clip(made, 0, 255).astype(np.uint8).reshape(1, -1)
        leaf = leafmaking.packed(
            integers, np.array([[scale]]), np.array([[zero]], "u1"), integers.shape, 8, 1024
        )
        found = judge_weight(leaf, several.reshape(1, -1))
        assert ("fused" in found.rounding) == (made is fused), found


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("columns", [38, 37])
def test_four_bit_qdq_is_recomputed(symmetric: bool, columns: int) -> None:
    weights = drawn(100, columns)
    config = DefaultWeightOnlyQuantConfig(
        block_size=32, is_symmetric=symmetric, bits=4, quant_format=QuantFormat.QDQ
    )
    made, scale, zero = DefaultWeightOnlyQuantizer(config).qbits_block_quant(weights)
    kind = "INT4" if symmetric else "UINT4"
    offset = None if symmetric else nibbles(zero, scale.size, kind).reshape(scale.shape)
    integers = nibbles(made, weights.size, kind).reshape(weights.shape)
    leaf = leafmaking.quantized(integers, scale, offset, kind, axis=0, block=32)
    assert judge_weight(leaf, weights).verdict == "recomputed"


@pytest.mark.parametrize("symmetric", [True, False])
def test_four_bit_embedding_tables_are_recomputed(symmetric: bool) -> None:
    weights = drawn(40, 48)
    made, scale, zero = DefaultWeightOnlyQuantizer.quantize_ndarray(weights, 1, 16, symmetric)
    kind = "INT4" if symmetric else "UINT4"
    offset = None if zero is None else nibbles(zero, scale.size, kind).reshape(scale.shape)
    integers = nibbles(made, weights.size, kind).reshape(weights.shape)
    leaf = leafmaking.quantized(integers, scale, offset, kind, axis=1, block=16)
    assert judge_weight(leaf, weights).verdict == "recomputed"


def nibbles(data: Array, count: int, kind: str) -> Array:
    flat = np.stack([data & 15, data >> 4], -1).reshape(-1)[:count].astype(np.int8)
    return np.where(flat > 7, flat - 16, flat) if kind == "INT4" else flat


@pytest.mark.parametrize("kind", ["NF4", "FP4"])
@pytest.mark.parametrize("shape", [(40, 24), (33, 7)])
def test_tables_are_recomputed(kind: str, shape: tuple[int, int]) -> None:
    weights = drawn(*shape)
    weights[0, 0] = 0
    quantizer = MatMulBnb4Quantizer.__new__(MatMulBnb4Quantizer)
    quantizer.block_size = 32
    quantizer.quant_type = MatMulBnb4Quantizer.NF4 if kind == "NF4" else MatMulBnb4Quantizer.FP4
    codes, absmax = quantizer.bnb4_block_quant(weights)
    leaf = leafmaking.table(codes, absmax, (shape[1], shape[0]), kind, 32)
    assert judge_table(leaf, weights.T).verdict == "recomputed"
    changed = codes.copy()
    changed[3] ^= 1
    leaf = leafmaking.table(changed, absmax, (shape[1], shape[0]), kind, 32)
    assert judge_table(leaf, weights.T).verdict in ("non-nearest", "unexplained")
    nudged = np.nextafter(absmax, np.float32(9))
    leaf = leafmaking.table(codes, nudged, (shape[1], shape[0]), kind, 32)
    assert judge_table(leaf, weights.T).verdict == "unexplained"


def test_older_arithmetic_is_a_recipe_of_its_own() -> None:
    weights = drawn(40, 30, seed=4)
    low, high = weights.min(), weights.max()
    scale = np.float32(np.float64(high - low) / 255)  # ONNX Runtime 1.17 subtracts in float32
    assert scale != np.float32((np.float64(high) - np.float64(low)) / 255)
    zero = np.round(-np.float64(low) / (np.float64(high - low) / 255))
    made = np.clip(np.round(weights / scale) + zero, 0, 255)
    found = judge_weight(leafmaking.quantized(made, scale, zero, "UINT8"), weights)
    assert found.verdict == "recomputed"
    assert "double" not in {one.arithmetic for one in found.scalings}


def test_float16_weights_are_recomputed() -> None:
    weights = drawn(20, 30).astype(np.float16)
    zero, scale, made = quant_utils.quantize_data(weights.ravel(), TensorProto.INT8, True)
    leaf = leafmaking.quantized(made.reshape(weights.shape), scale, zero, "INT8")
    shelf = leafmaking.Shelf()
    scales = (shelf.put("s", np.asarray(scale, np.float16)),)
    integers = shelf.put("w", made.reshape(weights.shape))
    half = QuantLeaf(**vars(leaf) | {"scales": scales, "integers": integers, "zero": None,
                                     "contents": shelf.contents()})  # fmt: skip
    assert judge_weight(half, weights).verdict == "recomputed"


def test_halves_are_rounded_as_each_quantizer_rounds_them() -> None:
    """Weights on exact halves of a step, under a zero point that is one itself."""
    weights = ((np.arange(64, dtype=np.float32) % 16) - 2.5).reshape(64, 1) / 2
    config = DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=False, bits=4)
    made, scale, zero = DefaultWeightOnlyQuantizer(config).qbits_block_quant(weights)
    leaf = leafmaking.packed(made, scale, zero, (1, 64), 4, 32)
    assert (scale == 0.5).all()
    assert (leaf.zero_point() == 3).all()  # 2.5, away from zero
    assert judge_weight(leaf, weights.T).verdict == "recomputed"
    weights = np.ldexp(np.arange(-127, 128, dtype=np.float32), -1)  # whole steps and halves
    weights[0] = -127
    whole, scale, zero8 = by_ort(weights, "INT8", True, False)
    assert judge_weight(leafmaking.quantized(whole, scale, zero8, "INT8"), weights).verdict == "recomputed"


def judged(leaf: QuantLeaf, weights: Array) -> Judgement:
    return explain([leafmaking.pair(leaf, weights)])[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("symmetric", [True, False])
def test_attack_one_integer_changed_by_one_is_never_bounded(kind: str, symmetric: bool) -> None:
    weights = drawn(24, 18)
    made, scale, zero = by_ort(weights, kind, symmetric, False)
    low, high = levels(kind)
    for at in range(0, made.size, 7):
        for step in (1, -1):
            changed = made.copy()
            changed.flat[at] += step
            if low <= changed.flat[at] <= high:
                found = judged(leafmaking.quantized(changed, scale, zero, kind), weights)
                assert found.verdict in ("non-nearest", "unexplained"), (at, step, found)


@pytest.mark.parametrize("byte", [0, 5, 15, 700])
def test_attack_one_packed_number_changed_is_never_bounded(byte: int) -> None:
    weights = drawn(100, 37)
    for symmetric in (True, False):
        config = DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=symmetric, bits=4)
        made, scale, zero = DefaultWeightOnlyQuantizer(config).qbits_block_quant(weights)
        made.reshape(-1)[byte] ^= 1
        leaf = leafmaking.packed(made, scale, None if symmetric else zero, (37, 100), 4, 32)
        assert judged(leaf, weights.T).verdict in ("non-nearest", "unexplained")


def test_attack_numbers_hidden_in_the_padding_of_blocks() -> None:
    weights = drawn(100, 37)
    config = DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=False, bits=4)
    made, scale, zero = DefaultWeightOnlyQuantizer(config).qbits_block_quant(weights)
    honest = leafmaking.packed(made, scale, zero, (37, 100), 4, 32)
    assert judged(honest, weights.T).verdict == "recomputed"
    hidden = made.copy()
    hidden[4, -1, -1] ^= 0x30  # row 4, behind its 100th number
    found = judged(leafmaking.packed(hidden, scale, zero, (37, 100), 4, 32), weights.T)
    assert (found.verdict, found.reason) == ("unexplained", "a last block is filled up with numbers")


def test_attack_numbers_hidden_behind_zero_points() -> None:
    weights = drawn(96, 8)  # three blocks: one zero point alone in its byte
    config = DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=False, bits=4)
    made, scale, zero = DefaultWeightOnlyQuantizer(config).qbits_block_quant(weights)
    assert judged(leafmaking.packed(made, scale, zero, (8, 96), 4, 32), weights.T).verdict == "recomputed"
    zero = zero.copy()
    zero.reshape(-1)[-1] ^= 0x10
    found = judged(leafmaking.packed(made, scale, zero, (8, 96), 4, 32), weights.T)
    assert found.verdict == "unexplained"
