"""Levels, saturation and their ends: against numbers written down, and against NumPy on random ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from registry.errors import InvalidModel
from registry.onnx.loaded import load
from registry.onnx.profile.profiling import profile
from registry.onnx.profile.values import Levels, TensorProfile

MS = "com.microsoft"
RANGES = {
    "INT8": (-128, 127),
    "UINT8": (0, 255),
    "INT16": (-32768, 32767),
    "UINT16": (0, 65535),
    "INT4": (-8, 7),
    "UINT4": (0, 15),
    "INT2": (-2, 1),
    "UINT2": (0, 3),
}


def _profile(op: str, inputs: list[str], constants: list[TensorProto], **attributes: Any) -> TensorProfile:
    """The weight of a model with one node."""
    domain = MS if op.startswith("MatMul") else ""
    node = helper.make_node(op, inputs, ["out"], domain=domain, **attributes)
    opsets = [helper.make_opsetid("", 25), helper.make_opsetid(MS, 1)]
    graph = helper.make_graph([node], "g", [], [], constants)
    data = helper.make_model(graph, opset_imports=opsets).SerializeToString()
    (found,) = profile(load({"m": data}, "m")).tensors
    return found


def _levels(found: TensorProfile) -> Levels:
    assert found.levels is not None
    return found.levels


def _stored(kind: str, numbers: np.ndarray[Any, Any], raw: bool) -> TensorProto:
    """Made by onnx itself, packed as its specification says."""
    made = helper.make_tensor("w", TensorProto.DataType.Value(kind), numbers.shape, numbers.ravel().tolist())
    if raw:
        made = numpy_helper.from_array(numpy_helper.to_array(made), "w")
    return made


def _dequantized(
    kind: str, numbers: np.ndarray[Any, Any], *, raw: bool = True, zero: int = 0
) -> TensorProfile:
    constants = [
        _stored(kind, numbers, raw),
        numpy_helper.from_array(np.float32(0.5), "s"),
        helper.make_tensor("z", TensorProto.DataType.Value(kind), [], [zero]),
    ]
    return _profile("DequantizeLinear", ["w", "s", "z"], constants)


@st.composite
def stored(draw: st.DrawFn) -> tuple[str, np.ndarray[Any, Any], int, bool]:
    kind = draw(st.sampled_from(sorted(RANGES)))
    low, high = RANGES[kind]
    ends = st.sampled_from((low, low + 1, high))
    numbers = draw(st.lists(st.integers(low, high) | ends, min_size=1, max_size=40))
    middle = 0 if low < 0 else (high + 1) // 2
    return kind, np.array(numbers), draw(st.sampled_from((middle, low, high))), draw(st.booleans())


@settings(max_examples=150, deadline=None)
@given(stored())
def test_levels_are_those_that_numpy_counts(case: tuple[str, np.ndarray[Any, Any], int, bool]) -> None:
    kind, numbers, zero, raw = case
    low, high = RANGES[kind]
    found = _levels(_dequantized(kind, numbers, zero=zero, raw=raw))
    symmetric = zero == (0 if low < 0 else (high + 1) // 2)
    ends = [low, low + 1, high] if symmetric else [low, high]
    assert (found.used, found.possible) == (len(set(numbers.tolist())), high - low + 1)
    assert (found.minimum, found.maximum) == (numbers.min(), numbers.max())
    assert [(end.value, end.count) for end in found.ends] == [(at, (numbers == at).sum()) for at in ends]
    assert found.saturation == pytest.approx(np.isin(numbers, ends).mean())
    assert found.counts is not None
    assert found.values is not None
    assert found.counts.sum() == len(numbers)
    assert len(found.counts) == len(found.values) == min(256, high - low + 1)


def test_the_lowest_level_of_symmetric_int8_is_told_from_its_mirror_image() -> None:
    numbers = np.array([-128, -127, -127, 127, 0, 1, 2, 3], np.int8)
    found = _levels(_dequantized("INT8", numbers))
    assert [(end.value, end.count) for end in found.ends] == [(-128, 1), (-127, 2), (127, 1)]
    assert found.saturation == 4 / 8


def test_asymmetric_int8_has_two_ends() -> None:
    numbers = np.array([-128, -127, -127, 127, 0, 1, 2, 3], np.int8)
    found = _levels(_dequantized("INT8", numbers, zero=3))
    assert [(end.value, end.count) for end in found.ends] == [(-128, 1), (127, 1)]
    assert found.saturation == 2 / 8


@pytest.mark.parametrize("size", [1 << 18, (1 << 21) + 1, 3_000_001])
def test_large_tensors_are_counted_in_chunks(size: int) -> None:
    """Two bytes at a time, in chunks of a million, with an odd byte at the end."""
    numbers = np.random.default_rng(size).normal(0, 25, size).round().clip(-128, 127).astype(np.int8)
    found = _levels(_dequantized("INT8", numbers))
    values, counts = np.unique(numbers, return_counts=True)
    assert found.counts is not None
    assert found.counts[values.astype(int) + 128].tolist() == counts.tolist()
    assert found.counts.sum() == size
    assert found.used == len(values)


def test_int32_has_ends_but_no_levels() -> None:
    numbers = np.array([-(1 << 31), 5, (1 << 31) - 1, (1 << 31) - 1], np.int32)
    found = _levels(_dequantized("INT32", numbers))
    assert (found.used, found.minimum, found.maximum, found.saturation) == (
        None,
        -(1 << 31),
        (1 << 31) - 1,
        0.75,
    )
    assert [(end.value, end.count) for end in found.ends] == [(-(1 << 31), 1), ((1 << 31) - 1, 2)]


@pytest.mark.parametrize(
    ("kind", "numbers", "ends", "used"),
    [
        ("FLOAT8E4M3FN", [448, -448, 448, 1.5, 0], [(-448, 1), (448, 2)], 4),
        ("FLOAT8E5M2", [57344, 1, 1, -2], [(-57344, 0), (57344, 1)], 3),
        ("FLOAT4E2M1", [6, -6, 0.5, 1, 6], [(-6, 1), (6, 2)], 4),
    ],
)
def test_small_floats(kind: str, numbers: list[float], ends: list[Any], used: int) -> None:
    weight = helper.make_tensor("w", TensorProto.DataType.Value(kind), [len(numbers)], numbers)
    constants = [weight, numpy_helper.from_array(np.float32(1), "s")]
    found = _levels(_profile("DequantizeLinear", ["w", "s"], constants))
    assert [(end.value, end.count) for end in found.ends] == ends
    assert found.used == used


@st.composite
def blocks(draw: st.DrawFn) -> tuple[int, int, int, np.ndarray[Any, Any], int]:
    """Bits, K, block size; numbers [N, blocks * block_size] of which the first K of each row are weights."""
    bits = draw(st.sampled_from((2, 4, 8)))
    block = draw(st.sampled_from((16, 32)))
    rows, columns = draw(st.integers(1, 70)), draw(st.integers(1, 3))
    seed = draw(st.integers(0, 2**32 - 1))
    width = -(-rows // block) * block
    numbers = np.random.default_rng(seed).integers(0, 1 << bits, (columns, width), np.uint8)
    return bits, rows, block, numbers, columns


def _packed(numbers: np.ndarray[Any, Any], bits: int) -> np.ndarray[Any, Any]:
    """First number in the low bits."""
    each = 8 // bits
    lanes = numbers.reshape(*numbers.shape[:-1], -1, each).astype(np.uint16) << (np.arange(each) * bits)
    return lanes.sum(-1).astype(np.uint8)


@settings(max_examples=150, deadline=None)
@given(blocks())
def test_what_fills_up_the_last_block_is_no_weight(
    case: tuple[int, int, int, np.ndarray[Any, Any], int],
) -> None:
    bits, rows, block, numbers, columns = case
    count = numbers.shape[1] // block
    weight = _packed(numbers, bits).reshape(columns, count, block * bits // 8)
    constants = [
        numpy_helper.from_array(weight, "w"),
        numpy_helper.from_array(np.ones(columns * count, "f"), "s"),
    ]
    sizes = {"K": rows, "N": columns, "bits": bits, "block_size": block}
    found = _levels(_profile("MatMulNBits", ["x", "w", "s"], constants, **sizes))
    inside = numbers[:, :rows]
    assert found.counts is not None
    assert found.counts.tolist() == np.bincount(inside.ravel(), minlength=1 << bits).tolist()
    assert found.saturation == pytest.approx(np.isin(inside, (0, 1, (1 << bits) - 1)).mean())


@pytest.mark.parametrize(("kind", "best"), [(1, (0, 15)), (0, (11, 3))], ids=["NF4", "FP4"])
def test_non_uniform_levels(kind: int, best: tuple[int, int]) -> None:
    """Five weights in three bytes: the first number of a pair lies in the high bits; the last is padding."""
    low, high = best
    numbers = [low, high, high, 7, low, high]
    weight = np.array(
        [first << 4 | second for first, second in zip(numbers[::2], numbers[1::2], strict=True)]
    )
    constants = [
        numpy_helper.from_array(weight.astype(np.uint8), "w"),
        numpy_helper.from_array(np.ones(1, "f"), "s"),
    ]
    sizes = {"K": 5, "N": 1, "block_size": 16, "quant_type": kind}
    found = _levels(_profile("MatMulBnb4", ["x", "w", "s"], constants, **sizes))
    assert [(end.value, end.count) for end in found.ends] == [(-1, 2), (1, 2)]
    assert (found.used, found.possible, found.saturation) == (3, 16, 0.8)


@pytest.mark.parametrize("op", ["MatMulNBits", "MatMulBnb4"])
@pytest.mark.parametrize("size", [0, 31, 33])
def test_packed_weights_of_another_size_than_their_shape(op: str, size: int) -> None:
    constants = [
        numpy_helper.from_array(np.zeros(size, np.uint8), "w"),
        numpy_helper.from_array(np.ones(4, "f"), "s"),
    ]
    with pytest.raises(InvalidModel, match="packed weights"):
        _profile(op, ["x", "w", "s"], constants, K=16, N=4, block_size=16)


def test_a_constant_that_is_shorter_than_its_shape() -> None:
    weight = TensorProto(name="w", data_type=TensorProto.INT8, dims=[8], raw_data=bytes(7))
    with pytest.raises(InvalidModel, match="a constant holds 7 bytes") as caught:
        _profile("DequantizeLinear", ["w", "s"], [weight, numpy_helper.from_array(np.float32(1), "s")])
    assert caught.value.on == "m: w"


def test_empty_weights_have_no_levels() -> None:
    found = _levels(_dequantized("INT8", np.zeros((0, 3), np.int8)))
    assert (found.used, found.minimum, found.maximum, found.saturation) == (0, None, None, 0)


@pytest.mark.parametrize("kind", ["FLOAT", "FLOAT16", "BOOL"])
def test_what_is_no_quantized_type_has_no_levels(kind: str) -> None:
    weight = helper.make_tensor("w", TensorProto.DataType.Value(kind), [4], [0, 1, 0, 1])
    found = _profile("DequantizeLinear", ["w", "s"], [weight, numpy_helper.from_array(np.float32(1), "s")])
    assert found.levels is None
