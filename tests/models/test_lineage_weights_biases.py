"""Int32 biases and floats that stayed: exact to the last bit, and the room that biases ask for in scales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from registry.onnx.lineage.biases import judge_bias
from registry.onnx.lineage.floats import furthest, judge_float
from registry.onnx.lineage.leaves import QuantLeaf
from registry.onnx.lineage.prove import prove
from registry.onnx.loaded import Loaded, load
from support import graphs, leafmaking

Array = np.ndarray[Any, Any]
BIAS = np.random.default_rng(3).standard_normal(16).astype(np.float32)
WEIGHT_SCALE = np.linspace(0.001, 0.004, 16, dtype=np.float32)
INPUT_SCALE = np.float32(0.0173)


def made(single: bool = False) -> QuantLeaf:
    scale = INPUT_SCALE * WEIGHT_SCALE
    kind = np.float32 if single else np.float64
    return leafmaking.bias(np.rint(BIAS.astype(kind) / scale.astype(kind)), scale, INPUT_SCALE, WEIGHT_SCALE)


@pytest.mark.parametrize("single", [True, False])
def test_biases_are_recomputed(single: bool) -> None:
    assert judge_bias(made(single), BIAS).verdict == "recomputed"


@pytest.mark.parametrize("step", [1, -1, 1000])
def test_attack_a_bias_changed(step: int) -> None:
    leaf = made()
    integers = leaf.numbers().copy()
    integers[7] += step
    changed = leafmaking.bias(integers, leaf.scale(), INPUT_SCALE, WEIGHT_SCALE)
    assert judge_bias(changed, BIAS).verdict in ("non-nearest", "unexplained")


def test_attack_an_activation_scale_changed_shows_in_the_bias() -> None:
    leaf = made()
    other = np.nextafter(INPUT_SCALE, np.float32(1))
    changed = leafmaking.bias(leaf.numbers(), leaf.scale(), other, WEIGHT_SCALE)
    assert judge_bias(changed, BIAS).verdict == "unexplained"


def test_a_bias_beyond_int32_is_cut_off_and_counted() -> None:
    bias = BIAS.copy()
    bias[3] = 1e6
    scale = INPUT_SCALE * WEIGHT_SCALE
    integers = np.clip(np.rint(bias / scale.astype("f8")), -(1 << 31), (1 << 31) - 1)
    found = judge_bias(leafmaking.bias(integers, scale, INPUT_SCALE, WEIGHT_SCALE), bias)
    assert (found.verdict, found.saturated) == ("recomputed", 1)


def loaded(model: onnx.ModelProto) -> Loaded:
    return load({"m.onnx": model.SerializeToString()}, "m.onnx")


@pytest.mark.parametrize("per_channel", [True, False])
def test_scales_that_onnx_runtime_widens_for_biases_are_recomputed(tmp_path: Path, per_channel: bool) -> None:
    """A bias too large for int32 under the plain scale makes it enlarge the weight's."""
    parent = graphs.cnn()
    for tensor in parent.graph.initializer:
        if tensor.name == "conv2.b":
            enlarged = numpy_helper.to_array(tensor) * np.float32(3e6)
            tensor.CopyFrom(numpy_helper.from_array(enlarged, tensor.name))
    path = graphs.static(parent, tmp_path / "child.onnx", qdq=True, per_channel=per_channel)
    found = prove(loaded(onnx.load(path)), loaded(parent))
    assert found.verdict == "derived", found.reasons
    assert any("widened" in one.reason for one in found.tensors)


def test_floats_are_identical_to_the_bit_or_not() -> None:
    values = np.array([1.0, -0.0, 3e-40, np.inf, np.nan], np.float32)
    assert judge_float(leafmaking.plain(values), values, exact=True).verdict == "identical"
    for changed in (np.nextafter(values, np.float32(9)), values * np.float32(-1)):
        assert judge_float(leafmaking.plain(values), changed, exact=True).verdict == "unexplained"
    assert judge_float(leafmaking.plain(values), values[:4], exact=True).verdict == "unexplained"


def test_folded_floats_may_differ_by_sixteen_units_in_the_last_place() -> None:
    values = np.array([1.0, 2.0, 1e-3], np.float32)
    near = values + np.float32(16 * 2.0**-22) * np.array([0, 1, 0], np.float32)
    far = values + np.float32(20 * 2.0**-22) * np.array([0, 1, 0], np.float32)
    assert furthest(near, values) == 16
    assert judge_float(leafmaking.plain(near), values, exact=False).verdict == "folded"
    assert judge_float(leafmaking.plain(near), values, exact=True).verdict == "unexplained"
    assert judge_float(leafmaking.plain(far), values, exact=False).verdict == "unexplained"
    cancelled = values + np.array([0, 0, 2.0**-22], np.float32)  # an error of the largest value's size
    assert judge_float(leafmaking.plain(cancelled), values, exact=False).verdict == "folded"


def test_attack_nan_where_the_parent_has_a_number() -> None:
    values = np.array([1.0, 2.0], np.float32)
    changed = np.array([1.0, np.nan], np.float32)
    assert judge_float(leafmaking.plain(changed), values, exact=False).verdict == "unexplained"
