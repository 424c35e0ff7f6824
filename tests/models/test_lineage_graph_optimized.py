"""Children of a parent that was optimized or raised to another operator set before it was quantized."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, version_converter

from registry.onnx.lineage.leaves import FloatLeaf
from registry.onnx.lineage.match import match
from registry.onnx.loaded import Loaded
from support import graphs, positions
from support.positions import copy, node, read

KINDS: dict[str, Callable[[onnx.ModelProto, Path], Path]] = {
    "dynamic": graphs.dynamic,
    "qdq": lambda model, path: graphs.static(model, path, qdq=True),
    "qoperator": lambda model, path: graphs.static(model, path, qdq=False),
    "nbits": lambda model, path: graphs.nbits(model, path, block_size=16),
}


def _optimized(model: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    """What ONNX Runtime's own preparation makes of a model."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(graphs.save(model, folder / "in.onnx"), folder / "out.onnx")
    return onnx.load(folder / "out.onnx")


@pytest.mark.parametrize("name", ["normalized", "varied", "attention"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_optimized_child_is_explained(name: str, kind: str, tmp_path: Path) -> None:
    model = positions.VARIED[name]()
    child = KINDS[kind](_optimized(model, tmp_path), tmp_path / "child.onnx")
    found = match(read(model), read(onnx.load(child)))
    assert not found.nodes
    assert not found.unused
    assert not found.missing
    assert not found.unpaired
    assert found.variant != "raw"


def test_folded_weights_are_met_to_the_bit(tmp_path: Path) -> None:
    """Batch norm in the convolutions: what the parent's constants give is what the runtime folded."""
    model = positions.normalized()
    found = match(read(model), read(_optimized(model, tmp_path)))
    folded = [pair for pair in found.pairs if not pair.exact]
    assert len(folded) == 6
    assert not found.nodes
    for pair in folded:
        assert isinstance(pair.child, FloatLeaf)
        assert np.array_equal(pair.parent_value(), pair.child.value())


def test_other_folded_weights_are_not_met(tmp_path: Path) -> None:
    model = positions.normalized()
    child = _optimized(model, tmp_path)
    weight = next(held for held in child.graph.initializer if len(held.dims) == 4)
    weight.raw_data = (np.frombuffer(weight.raw_data, np.float32) * np.float32(1.01)).tobytes()
    found = match(read(model), read(child))
    pairs = [pair for pair in found.pairs if pair.child.name == weight.name]
    assert [np.allclose(pair.parent_value(), numpy_helper.to_array(weight)) for pair in pairs] == [False]


@pytest.mark.parametrize("opset", [11, 12, 13])
@pytest.mark.parametrize("name", ["normalized", "varied"])
def test_raising_the_operator_set_is_explained(name: str, opset: int, tmp_path: Path) -> None:
    model = {"normalized": positions.normalized, "varied": positions.varied}[name](opset=opset)
    raised = version_converter.convert_version(model, 21)
    child = graphs.static(raised, tmp_path / "child.onnx", qdq=True, per_channel=True)
    found = match(read(model), read(onnx.load(child)))
    assert not found.nodes
    assert not found.unused


def test_softmax_over_more_than_the_last_axis_is_not_softmax_over_the_last() -> None:
    """Before operator set 13, axis 1 of three took the last two together."""
    old = positions.graph_model([_softmax(axis=1)], {}, ["n", 3, 4], opset=11)
    new = positions.graph_model([_softmax(axis=-1)], {}, ["n", 3, 4], opset=13)
    assert match(read(old), read(new)).nodes
    last = positions.graph_model([_softmax(axis=2)], {}, ["n", 3, 4], opset=11)
    assert not match(read(last), read(new)).nodes


def _softmax(*, axis: int) -> onnx.NodeProto:
    return onnx.helper.make_node("Softmax", ["x"], ["y"], "softmax", axis=axis)


def test_a_reshape_to_another_shape_is_listed(tmp_path: Path) -> None:
    """Constant where the parent computes it, but not the same."""
    model = positions.attention()
    child = _optimized(model, tmp_path)
    assert not match(read(model), read(child)).nodes
    held = {tensor.name: tensor for tensor in child.graph.initializer}
    shape = held[node(child, "heads").input[1]]
    shape.CopyFrom(numpy_helper.from_array(np.array([0, 0, 4, 4]), shape.name))
    assert [one.name for one in match(read(model), read(child)).nodes][:1] == ["heads"]


def test_a_weight_folded_twice_is_no_fold_of_the_parent(tmp_path: Path) -> None:
    """A Mul that the parent has not, taken into a float bias, changes the bias: numbers tell, not nodes."""
    model = positions.normalized()
    edited = copy(_optimized(model, tmp_path))
    bias = next(held for held in edited.graph.initializer if list(held.dims) == [8])
    bias.raw_data = (np.frombuffer(bias.raw_data, np.float32) * 2).tobytes()
    found = match(read(model), read(edited))
    pair = next(pair for pair in found.pairs if pair.child.name == bias.name)
    assert isinstance(pair.child, FloatLeaf)
    assert not np.allclose(pair.parent_value(), pair.child.value())


def _squeezed() -> onnx.ModelProto:
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["m"], "dense"),
        onnx.helper.make_node("HardSwish", ["m"], ["y"], "act"),
    ]
    return positions.graph_model(nodes, {"w": positions.weights(1, 16, 16)}, ["n", 3, 16])


def test_dimensions_of_one_in_front_of_a_packed_weight(tmp_path: Path) -> None:
    model = _squeezed()
    found = match(read(model), read(onnx.load(graphs.nbits(model, tmp_path / "c.onnx", block_size=16))))
    assert not found.nodes
    assert [pair.parent_value().shape for pair in found.pairs] == [(16, 16)]


def test_an_operator_that_the_runtime_wrote_out(tmp_path: Path) -> None:
    """There is no kernel for HardSwish."""
    model = _squeezed()
    child = graphs.static(_optimized(model, tmp_path), tmp_path / "c.onnx", qdq=True)
    found = match(read(model), read(onnx.load(child)))
    assert not found.nodes
    assert found.variant == "optimized"


def _turned() -> onnx.ModelProto:
    """Layouts changed back and forth: the runtime's optimizer moves the transpositions."""
    make = onnx.helper.make_node
    nodes = [
        make("Transpose", ["x"], ["t"], "to_nchw", perm=[0, 3, 1, 2]),
        make("Conv", ["t", "w1"], ["c"], "conv1", pads=[1] * 4),
        make("Transpose", ["c"], ["u"], "to_nhwc", perm=[0, 2, 3, 1]),
        make("Add", ["u", "b"], ["a"], "bias"),
        make("Transpose", ["a"], ["v"], "to_nchw2", perm=[0, 3, 1, 2]),
        make("Conv", ["v", "w2"], ["y"], "conv2"),
    ]
    held = {
        "w1": positions.weights(8, 4, 3, 3),
        "w2": positions.weights(8, 8, 3, 3),
        "b": positions.weights(8),
    }
    return positions.graph_model(nodes, held, ["n", 8, 8, 4])


def test_a_variant_of_the_parent_is_made_only_where_it_is_needed(tmp_path: Path) -> None:
    model = _turned()
    optimized = _optimized(model, tmp_path)
    made: list[str] = []

    def variants() -> dict[str, Callable[[], Loaded]]:
        return {name: lambda name=name: made.append(name) or read(optimized) for name in ("basic", "other")}

    plain = onnx.load(graphs.dynamic(model, tmp_path / "plain.onnx"))
    assert match(read(model), read(plain), variants=variants()).variant == "raw"
    assert not made
    child = onnx.load(graphs.static(optimized, tmp_path / "c.onnx", qdq=True))
    assert match(read(model), read(child)).nodes
    found = match(read(model), read(child), variants=variants())
    assert (found.nodes, found.variant, made) == ((), "basic", ["basic"])
