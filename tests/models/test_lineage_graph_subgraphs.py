"""Branches, loops and functions; constants in Constant nodes; graphs that are not sorted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, inliner, numpy_helper

from registry.onnx.lineage.match import match
from support import graphs
from support.positions import copy, graph_model, read, shuffled, weights


def test_weights_in_both_branches_are_paired(tmp_path: Path) -> None:
    model = graphs.branching()
    child = onnx.load(graphs.dynamic(model, tmp_path / "c.onnx", extra_options={"EnableSubgraph": True}))
    found = match(read(model), read(child))
    assert not found.nodes
    assert {pair.parent.name for pair in found.pairs} == {"up", "down"}
    assert {pair.child.scope for pair in found.pairs} <= {"", "choose.then_branch", "choose.else_branch"}


def test_branches_that_change_places_are_told_by_their_weights(tmp_path: Path) -> None:
    model = graphs.branching()
    edited = onnx.load(graphs.nbits(model, tmp_path / "c.onnx", block_size=16))
    first, second = edited.graph.node[0].attribute
    first.name, second.name = second.name, first.name
    found = match(read(model), read(edited))
    assert {(pair.child.name.split("_")[0], pair.parent.name) for pair in found.pairs} == {
        ("up", "down"),
        ("down", "up"),
    }


def _loop(weight: np.ndarray[Any, Any], *, op: str = "Add") -> onnx.ModelProto:
    """y is x, ten times multiplied by a weight and added to itself."""
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "w"], ["m"], "inside"),
            helper.make_node(op, ["m", "state"], ["next"], "sum"),
            helper.make_node("Identity", ["going"], ["on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
        [numpy_helper.from_array(weight, "w")],
    )
    nodes = [helper.make_node("Loop", ["times", "true", "x"], ["y"], "loop", body=body)]
    return graph_model(nodes, {"times": np.array(10), "true": np.array(True)}, ["n", 16])


def test_a_loops_body_is_matched_and_an_edit_in_it_is_listed(tmp_path: Path) -> None:
    model = _loop(weights(16, 16))
    child = onnx.load(graphs.nbits(model, tmp_path / "c.onnx", block_size=16))
    found = match(read(model), read(child))
    assert not found.nodes
    assert [(pair.parent.name, pair.parent.scope) for pair in found.pairs] == [("w", "loop.body")]
    edited = onnx.load(graphs.nbits(_loop(weights(16, 16), op="Sub"), tmp_path / "d.onnx", block_size=16))
    assert {one.name for one in match(read(model), read(edited)).nodes} >= {"sum"}


def _called(*, twice: bool = False, extra: bool = False) -> onnx.ModelProto:
    """A function with a MatMul, called with its weight."""
    opset = [helper.make_opsetid("", 17)]
    body = [helper.make_node("MatMul", ["a", "b"], ["c"], "dense"), helper.make_node("Relu", ["c"], ["d"])]
    functions = [helper.make_function("own", "dense", ["a", "b"], ["d"], body, opset)]
    if extra:
        functions.append(helper.make_function("own", "payload", ["a"], ["d"], [body[1]], opset))
    nodes = [helper.make_node("dense", ["x", "w"], ["y"], "call", domain="own")]
    if twice:
        nodes = [
            helper.make_node("dense", ["x", "w"], ["h"], "call", domain="own"),
            helper.make_node("dense", ["h", "w"], ["y"], "again", domain="own"),
        ]
    model = graph_model(nodes, {"w": weights(16, 16)}, ["n", 16], functions=functions[:1])
    model.functions.extend(functions[1:])
    return model


@pytest.mark.parametrize("twice", [False, True])
def test_functions_count_as_what_they_compute(twice: bool, tmp_path: Path) -> None:
    model = _called(twice=twice)
    inlined = inliner.inline_local_functions(model)
    child = onnx.load(graphs.static(inlined, tmp_path / "c.onnx", qdq=True))
    found = match(read(model), read(child))
    assert not found.nodes
    assert {pair.parent.name for pair in found.pairs} == {"w"}


def test_a_function_that_nothing_calls_is_listed() -> None:
    found = match(read(_called()), read(_called(extra=True)))
    assert [(one.name, one.operator) for one in found.nodes] == [("own.payload", "function")]


def test_constants_in_nodes_are_constants(tmp_path: Path) -> None:
    """Exporters keep weights in Constant nodes; they are lifted before quantizing."""
    model = graphs.cnn()
    child = onnx.load(graphs.static(model, tmp_path / "c.onnx", qdq=True))
    parent = copy(model)
    for held in parent.graph.initializer:
        parent.graph.node.append(helper.make_node("Constant", [], [held.name], value=held))
    del parent.graph.initializer[:]
    found = match(read(shuffled(parent, 1)), read(child))
    assert not found.nodes
    assert len(found.pairs) == 6


def test_weights_that_stay_in_nodes_are_quantized_as_the_model_runs(tmp_path: Path) -> None:
    """Q and DQ around a float constant: the constant is compared, and known to be a weight."""
    model = graphs.cnn()
    options = {"AddQDQPairToWeight": True}
    child = onnx.load(graphs.static(model, tmp_path / "c.onnx", qdq=True, extra_options=options))
    found = match(read(model), read(child))
    held = {one.weight.name: one for one in found.activations if one.weight is not None}
    assert held.keys() >= {"conv1.w", "conv2.w", "fc.w"}
    assert all(one.scale is not None for one in held.values())


def test_data_in_another_file_changes_nothing(tmp_path: Path) -> None:
    from registry.onnx.loaded import load

    model = graphs.transformer()
    child = onnx.load(graphs.static(model, tmp_path / "c.onnx", qdq=True))
    graphs.save(child, (tmp_path / "out.onnx"), external="data.bin")
    files = {name: data for name, data in graphs.files_of(tmp_path).items() if name != "c.onnx"}
    found = match(read(model), load(files, "out.onnx"))
    assert not found.nodes
    assert len(found.pairs) == 12


def test_a_function_with_an_operators_name_is_listed() -> None:
    """The runtime has a kernel for Tanh: it need not look at what the file says Tanh is."""
    parent = graph_model([helper.make_node("Relu", ["x"], ["y"], "act")], {}, ["n", 4])
    child = graph_model([helper.make_node("Tanh", ["x"], ["y"], "act")], {}, ["n", 4])
    body = [helper.make_node("Relu", ["a"], ["b"])]
    child.functions.append(
        helper.make_function("", "Tanh", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    )
    assert [one.name for one in match(read(parent), read(child)).nodes] == ["ai.onnx.Tanh"]


def test_a_sparse_constant_is_compared() -> None:
    models = []
    for number in (1.0, 2.0):
        model = graph_model([helper.make_node("Add", ["x", "s"], ["y"], "use")], {}, ["n", 4])
        values = helper.make_tensor("s", TensorProto.FLOAT, [1], [number])
        places = helper.make_tensor("s.at", TensorProto.INT64, [1], [2])
        model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4]))
        models.append(read(model))
    assert not match(models[0], models[0]).nodes
    assert match(models[0], models[1]).nodes
