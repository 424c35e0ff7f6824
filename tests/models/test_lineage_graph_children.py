"""Honest children: everything is explained, and each quantized constant meets the parent's own numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from registry.onnx.lineage.leaves import Matching, QuantLeaf
from registry.onnx.lineage.match import match
from support import graphs, positions
from support.positions import read

MODELS = {**{name: graphs.FLOATS[name] for name in ("mlp", "cnn", "transformer")}, **positions.VARIED}


def _static(model: onnx.ModelProto, path: Path, *, qdq: bool = True, **options: Any) -> Path:
    from onnxruntime.quantization import QuantType

    kinds = {key: QuantType[value] for key, value in options.items() if key.endswith("_type")}
    return graphs.static(model, path, qdq=qdq, **{**options, **kinds})


def _extra(**extra: Any) -> Callable[[onnx.ModelProto, Path], Path]:
    return lambda model, path: _static(model, path, extra_options=extra)


MODES: dict[str, Callable[[onnx.ModelProto, Path], Path]] = {
    "dynamic": graphs.dynamic,
    "dynamic-per-channel-reduced": lambda m, p: graphs.dynamic(m, p, per_channel=True, reduce_range=True),
    "qdq": _static,
    "qdq-per-channel-uint8": lambda m, p: _static(m, p, per_channel=True, activation_type="QUInt8"),
    "qdq-int16": lambda m, p: _static(m, p, activation_type="QInt16", weight_type="QInt16"),
    "qdq-int4": lambda m, p: _static(m, p, weight_type="QInt4"),
    "qdq-symmetric": _extra(ActivationSymmetric=True),
    "qdq-weights-as-pairs": _extra(AddQDQPairToWeight=True),
    "qdq-dedicated": _extra(DedicatedQDQPair=True),
    "qdq-forced": _extra(ForceQuantizeNoInputCheck=True, QDQKeepRemovableActivations=True),
    "qdq-outputs-left-out": _extra(OpTypesToExcludeOutputQuantization=["MatMul", "Conv", "Gemm"]),
    "qdq-contrib": _extra(UseQDQContribOps=True),
    "qoperator": lambda m, p: _static(m, p, qdq=False),
    "qoperator-per-channel": lambda m, p: _static(m, p, qdq=False, per_channel=True),
    "qoperator-uint8": lambda m, p: _static(m, p, qdq=False, activation_type="QUInt8", weight_type="QUInt8"),
    "qoperator-forced": lambda m, p: _static(
        m, p, qdq=False, extra_options={"ForceQuantizeNoInputCheck": True}
    ),
    "nbits": lambda m, p: graphs.nbits(m, p, block_size=16, is_symmetric=False),
    "nbits-8": lambda m, p: graphs.nbits(m, p, bits=8, block_size=16),
    "nbits-qdq": lambda m, p: graphs.nbits(m, p, qdq=True, block_size=16),
    "nbits-channels": lambda m, p: graphs.nbits(
        m, p, qdq=True, block_size=16, channel_wised_quantize=True, is_symmetric=True
    ),
    "nbits-gather": lambda m, p: graphs.nbits(
        m,
        p,
        block_size=16,
        op_types_to_quantize=("MatMul", "Gather"),
        quant_axes=(("MatMul", 0), ("Gather", 1)),
    ),
    "nf4": graphs.bnb4,
}


def assert_explained(found: Matching) -> None:
    """Nothing is left over on either side."""
    assert not found.nodes
    assert not found.unused
    assert not found.missing
    assert not found.unpaired


def assert_near(leaf: QuantLeaf, parent: np.ndarray[Any, Any]) -> None:
    """Every number that does not saturate is within half a step of the parent's."""
    scale, zero = leaf.scale().astype(np.float64), leaf.zero_point()
    numbers = leaf.numbers().astype(np.float64)
    middle = (
        0.0 if zero is not None or leaf.layout not in ("nbits", "gather") else float(1 << (leaf.bits - 1))
    )
    step = spread(leaf, scale)
    offset = spread(leaf, np.asarray(middle if zero is None else zero, np.float64))
    ends = (numbers == numbers.min()) | (numbers == numbers.max())
    error = np.abs((numbers - offset) * step - parent)
    assert numbers.shape == parent.shape
    assert (ends | (error <= np.abs(step) * 0.501)).all()


def spread(leaf: QuantLeaf, held: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Scales or zero points, one for each element."""
    if held.ndim == 0 or leaf.axis is None:
        return held
    if leaf.block_size is None:
        return held.reshape([-1 if at == leaf.axis else 1 for at in range(len(leaf.shape))])
    wide = held.repeat(leaf.block_size, axis=leaf.axis)
    return wide.take(range(leaf.shape[leaf.axis]), axis=leaf.axis)


@pytest.mark.parametrize(("name", "mode"), [(name, mode) for name in MODELS for mode in MODES])
def test_a_quantizers_child_is_explained(name: str, mode: str, tmp_path: Path) -> None:
    model = MODELS[name]()
    child = MODES[mode](model, tmp_path / "child.onnx")
    found = match(read(model), read(onnx.load(child)))
    assert_explained(found)
    assert found.variant == "raw"
    for pair in found.pairs:
        if isinstance(pair.child, QuantLeaf) and pair.child.layout != "bnb4":
            assert_near(pair.child, pair.parent_value())
        else:
            assert (
                pair.parent_value().size
                == (pair.child.numbers() if isinstance(pair.child, QuantLeaf) else pair.child.value()).size
            )


def test_a_packed_weight_is_paired_with_its_transpose(tmp_path: Path) -> None:
    """MatMulNBits keeps rows of outputs: the parent's constant is turned to meet them."""
    model = graphs.mlp()
    found = match(read(model), read(onnx.load(graphs.nbits(model, tmp_path / "child.onnx", block_size=16))))
    pair = next(pair for pair in found.pairs if pair.parent.name == "w1")
    assert isinstance(pair.child, QuantLeaf)
    assert (pair.child.shape, pair.transform, pair.exact) == ((32, 16), ("Transpose(1, 0)",), True)
    assert not pair.parent_value().flags.owndata  # a view of the file, not a copy


def test_a_bias_knows_the_scales_that_it_comes_from(tmp_path: Path) -> None:
    model = graphs.cnn()
    for qdq in (True, False):
        child = graphs.static(model, tmp_path / f"{qdq}.onnx", qdq=qdq, per_channel=True)
        found = match(read(model), read(onnx.load(child)))
        bias = next(pair.child for pair in found.pairs if pair.parent.name == "conv1.b")
        assert isinstance(bias, QuantLeaf)
        both = bias.partners if qdq else bias.scales
        assert (bias.role, bias.kind, bias.axis, len(both)) == ("bias", "INT32", 0, 2)
        assert both[1].dims == (8,)


def test_activations_name_their_place_in_the_parent(tmp_path: Path) -> None:
    model = graphs.cnn()
    found = match(read(model), read(onnx.load(graphs.static(model, tmp_path / "c.onnx", qdq=False))))
    assert {one.parent for one in found.activations} >= {"image", "r1", "r2", "p", "y"}
    assert all(one.scale is not None and one.kind == "INT8" for one in found.activations)


def test_dynamic_activations_have_no_scale(tmp_path: Path) -> None:
    model = graphs.cnn()
    found = match(read(model), read(onnx.load(graphs.dynamic(model, tmp_path / "c.onnx"))))
    assert {(one.parent, one.dynamic, one.scale) for one in found.activations} == {
        (name, True, None) for name in ("image", "r1", "f")
    }


def test_values_meet_at_every_layer(tmp_path: Path) -> None:
    model = graphs.transformer()
    found = match(read(model), read(onnx.load(graphs.dynamic(model, tmp_path / "c.onnx"))))
    met = {parent for _, parent in found.values}
    assert met >= {output for node in model.graph.node for output in node.output}
