"""Activations that the static quantizer drops: explained only where the integers cannot say anything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from registry.onnx.lineage.leaves import Matching
from registry.onnx.lineage.match import match
from support import graphs, positions
from support.positions import copy, read


def _child(model: onnx.ModelProto, path: Path, *, qdq: bool, symmetric: bool = False) -> onnx.ModelProto:
    options = {"ActivationSymmetric": symmetric}
    return onnx.load(graphs.static(model, path, qdq=qdq, extra_options=options))


def _replaced(model: onnx.ModelProto, name: str, number: np.generic) -> onnx.ModelProto:
    edited = copy(model)
    held = next(tensor for tensor in edited.graph.initializer if tensor.name == name)
    held.CopyFrom(numpy_helper.from_array(np.asarray(number), name))
    return edited


def _match(model: onnx.ModelProto, child: onnx.ModelProto) -> Matching:
    return match(read(model), read(child))


@pytest.mark.parametrize("qdq", [True, False])
def test_a_relu_is_implied_by_the_lowest_zero_point(qdq: bool, tmp_path: Path) -> None:
    model = graphs.cnn()
    child = _child(model, tmp_path / "c.onnx", qdq=qdq)
    assert not any(node.op_type == "Relu" for node in child.graph.node)
    assert not _match(model, child).nodes


@pytest.mark.parametrize("qdq", [True, False])
def test_a_relu_is_missed_where_integers_stand_for_negative_numbers(qdq: bool, tmp_path: Path) -> None:
    """The attack: without a Relu in the graph, one zero point lets negative numbers through."""
    model = graphs.cnn()
    child = _child(model, tmp_path / "c.onnx", qdq=qdq)
    zeros = {node.input[2] for node in child.graph.node if node.op_type == "QuantizeLinear"}
    zeros |= {node.input[7] for node in child.graph.node if node.op_type == "QLinearConv"}
    relus = [name for name in zeros if name in ("r1_zero_point", "c1_zero_point")]
    for name in relus:
        found = _match(model, _replaced(child, name, np.int8(-120)))
        assert {one.operator for one in found.nodes} >= {"ai.onnx.Relu"}
    assert relus


def test_a_kept_relu_is_matched(tmp_path: Path) -> None:
    model = graphs.cnn()
    child = _child(model, tmp_path / "c.onnx", qdq=True, symmetric=True)
    assert any(node.op_type == "Relu" for node in child.graph.node)
    assert not _match(model, child).nodes


def test_a_clip_is_implied_by_its_range(tmp_path: Path) -> None:
    model = positions.normalized()
    child = _child(model, tmp_path / "c.onnx", qdq=True)
    assert not any(node.op_type == "Clip" for node in child.graph.node)
    assert not _match(model, child).nodes
    scale = next(node.input[1] for node in child.graph.node if node.name == "r2_QuantizeLinear")
    wide = _replaced(child, scale, np.float32(1.0))  # integers up to 255: past the Clip's 6
    assert {one.operator for one in _match(model, wide).nodes} >= {"ai.onnx.Clip"}


def test_a_relu_missing_without_quantization_is_listed() -> None:
    model = graphs.mlp()
    edited = copy(model)
    relu = edited.graph.node.pop(2)
    edited.graph.node[2].input[0] = relu.input[0]
    assert [one.name for one in _match(model, edited).nodes] == ["relu1"]
