"""Graphs as exporters write them: what the quantizers cannot take as it is, and get prepared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from registry.errors import InvalidInput, InvalidModel
from registry.onnx.facts import inspect
from registry.onnx.quantize import Recipe, calibration_of, quantize
from support import graphs, recipes

PATH = "model.onnx"
ALL = [
    pytest.param(Recipe(), id="static"),
    pytest.param(Recipe(format="QOperator"), id="qoperator"),
    pytest.param(Recipe(mode="dynamic"), id="dynamic"),
    pytest.param(Recipe(mode="weight-only", weight_type="INT8"), id="nbits"),
    pytest.param(Recipe(mode="weight-only", weight_type="NF4"), id="nf4"),
]
FLOAT = TensorProto.FLOAT


def weight(name: str, *shape: int) -> onnx.TensorProto:
    generator = np.random.default_rng(len(name))
    return numpy_helper.from_array(generator.standard_normal(shape).astype("f") * 0.2, name)


def model(
    nodes: list[onnx.NodeProto],
    weights: list[onnx.TensorProto],
    *,
    opset: int = 21,
    inputs: tuple[onnx.ValueInfoProto, ...] = (),
    functions: list[onnx.FunctionProto] | None = None,
    ir_version: int = 10,
) -> onnx.ModelProto:
    """A graph from x[n, 16] to y."""
    x = helper.make_tensor_value_info("x", FLOAT, ["n", 16])
    y = helper.make_tensor_value_info("y", FLOAT, ["n", None])
    graph = helper.make_graph(nodes, "g", [x, *inputs], [y], weights)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=imports, functions=functions or [], ir_version=ir_version)


def made(parent: onnx.ModelProto, recipe: Recipe, **inputs: Any) -> onnx.ModelProto:
    """The child, once it is known to answer as its parent does."""
    feeds = [
        {"x": np.random.default_rng(seed).standard_normal((4, 16)).astype("f"), **inputs}
        for seed in range(12)
    ]
    data = parent.SerializeToString()
    child = quantize({PATH: data}, PATH, recipe, calibration_of(feeds))
    least = 0.95 if recipe.bits == 4 else 0.995
    assert recipes.cosine(recipes.answers(data, feeds[0]), recipes.answers(child, feeds[0])) > least
    onnx.checker.check_model(child)
    return onnx.load_from_string(child)


def quantized_weights(child: onnx.ModelProto) -> int:
    return inspect({PATH: child.SerializeToString()}, PATH).quantized_weights


TWO = [
    helper.make_node("MatMul", ["x", "w1"], ["m"], "one"),
    helper.make_node("Relu", ["m"], ["r"], "relu"),
    helper.make_node("MatMul", ["r", "w2"], ["y"], "two"),
]
WEIGHTS = [weight("w1", 16, 32), weight("w2", 32, 8)]


@pytest.mark.parametrize("recipe", ALL)
def test_weights_in_constant_nodes_are_found(recipe: Recipe) -> None:
    constants = [helper.make_node("Constant", [], [one.name], value=one) for one in WEIGHTS]
    assert quantized_weights(made(model([*constants, *TWO], []), recipe)) == 2


@pytest.mark.parametrize("recipe", ALL)
def test_a_graph_out_of_order_is_sorted(recipe: Recipe) -> None:
    parent = model(TWO[::-1], WEIGHTS)
    data = parent.SerializeToString()
    child = quantize({PATH: data}, PATH, recipe, recipes.calibration(parent))
    ordered = quantize(
        {PATH: model(TWO, WEIGHTS).SerializeToString()}, PATH, recipe, recipes.calibration(parent)
    )
    assert child == ordered


@pytest.mark.parametrize("recipe", ALL)
def test_what_only_a_subgraph_reads_comes_before_it(recipe: Recipe) -> None:
    """ONNX Runtime's own sorting does not see it, and puts the If first."""
    branches = {
        name: helper.make_graph(
            [helper.make_node("MatMul", ["r", "w2"], [f"{name}.y"], f"{name}.fc")],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}.y", FLOAT, ["n", 8])],
        )
        for name in ("then_branch", "else_branch")
    }
    flag = helper.make_tensor_value_info("flag", TensorProto.BOOL, [])
    choose = helper.make_node("If", ["flag"], ["y"], "choose", **branches)
    parent = model([choose, *TWO[:2]], WEIGHTS, inputs=(flag,))
    shuffled = model([*TWO[:2], choose], WEIGHTS, inputs=(flag,))
    data = {"x": np.ones((2, 16), "f"), "flag": np.array(True)}
    child = quantize({PATH: parent.SerializeToString()}, PATH, recipe, calibration_of([data] * 3))
    onnx.checker.check_model(child)
    expected = recipes.answers(shuffled.SerializeToString(), data)
    assert recipes.cosine(expected, recipes.answers(child, data)) > 0.95


@pytest.mark.parametrize("recipe", ALL)
def test_a_weight_that_two_gemms_share_is_right_for_both(recipe: Recipe) -> None:
    """One reads it transposed, one does not: ONNX Runtime's rewriting transposes it in place."""
    nodes = [
        helper.make_node("Gemm", ["x", "w", ""], ["a"], "straight"),
        helper.make_node("Relu", ["a"], ["r"], "relu"),
        helper.make_node("Gemm", ["r", "w", "b"], ["y"], "turned", transB=1),
    ]
    child = made(model(nodes, [weight("w", 16, 16), weight("b", 16)]), recipe)
    names = [one.name for one in child.graph.initializer]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("shape", [(1, 8), (1,), (), (1, 1)], ids=str)
@pytest.mark.parametrize("recipe", ALL)
def test_a_bias_of_any_shape_is_added_to_every_row(recipe: Recipe, shape: tuple[int, ...]) -> None:
    """ONNX Runtime's quantizer takes element i of whatever is there for column i."""
    bias = numpy_helper.from_array(np.full(shape, 3.0, "f"), "b")
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"], "one", transB=1)]
    assert quantized_weights(made(model(nodes, [weight("w", 8, 16), bias]), recipe)) >= 1


@pytest.mark.parametrize("recipe", ALL)
def test_a_weight_that_two_matmuls_share_is_stored_once(recipe: Recipe) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "one"),
        helper.make_node("Tanh", ["a"], ["t"], "tanh"),
        helper.make_node("MatMul", ["t", "w"], ["y"], "two"),
    ]
    child = made(model(nodes, [weight("w", 16, 16)]), recipe)
    names = [one.name for one in child.graph.initializer]
    assert len(names) == len(set(names))
    assert quantized_weights(child) == 1


@pytest.mark.parametrize("recipe", ALL)
def test_initializers_that_are_inputs_too_become_constants(recipe: Recipe) -> None:
    listed = tuple(helper.make_tensor_value_info(one.name, FLOAT, one.dims) for one in WEIGHTS)
    child = made(model(TWO, WEIGHTS, inputs=listed, ir_version=3, opset=11), recipe)
    assert [one.name for one in child.graph.input] == ["x"]
    assert quantized_weights(child) == 2


@pytest.mark.parametrize("recipe", ALL)
def test_nodes_without_names_get_some(recipe: Recipe) -> None:
    nameless = [helper.make_node(node.op_type, node.input, node.output) for node in TWO]
    child = made(model(nameless, WEIGHTS), recipe)
    names = [node.name for node in child.graph.node if node.op_type != "Reshape"]
    assert quantized_weights(child) == 2
    assert made(model(nameless, WEIGHTS), Recipe.from_dict({**recipe.to_dict(), "exclude": ["y"]}))
    assert any("MatMul_0" in name for name in names)


@pytest.mark.parametrize("recipe", ALL)
def test_stale_shapes_are_inferred_again(recipe: Recipe) -> None:
    parent = model(TWO, WEIGHTS)
    parent.graph.value_info.append(helper.make_tensor_value_info("r", TensorProto.INT64, [99]))
    clean = model(TWO, WEIGHTS)
    data = recipes.calibration(clean)
    assert quantize({PATH: parent.SerializeToString()}, PATH, recipe, data) == quantize(
        {PATH: clean.SerializeToString()}, PATH, recipe, data
    )


@pytest.mark.parametrize("opset", [9, 11, 13])
@pytest.mark.parametrize(
    ("recipe", "least"), [(Recipe(), 13), (Recipe(weight_type="INT4"), 21), (Recipe(opset=17), 17)], ids=str
)
def test_the_operator_set_is_raised_as_far_as_needed(opset: int, recipe: Recipe, least: int) -> None:
    child = made(model(TWO, WEIGHTS, opset=opset, ir_version=7), recipe)
    assert max(one.version for one in child.opset_import if not one.domain) == max(least, opset)


@pytest.mark.parametrize("recipe", ALL)
def test_functions_are_inlined(recipe: Recipe) -> None:
    body = [
        helper.make_node("MatMul", ["a", "b"], ["p"], "inner"),
        helper.make_node("Relu", ["p"], ["c"], "act"),
    ]
    function = helper.make_function("own", "Layer", ["a", "b"], ["c"], body, [helper.make_opsetid("", 21)])
    nodes = [
        helper.make_node("Layer", ["x", "w1"], ["h"], "first", domain="own"),
        helper.make_node("Layer", ["h", "w2"], ["y"], "second", domain="own"),
    ]
    child = made(model(nodes, WEIGHTS, functions=[function]), recipe)
    assert quantized_weights(child) == 2
    assert not child.functions


def test_batch_norms_are_folded_where_the_recipe_optimizes() -> None:
    conv = helper.make_node("Conv", ["i", "w", "b"], ["c"], "conv", pads=[1] * 4)
    norm = helper.make_node("BatchNormalization", ["c", "g", "h", "m", "v"], ["y"], "norm")
    ones = [numpy_helper.from_array(np.full(8, value, "f"), name) for name, value in (("g", 2), ("v", 3))]
    weights = [weight("w", 8, 3, 3, 3), weight("b", 8), weight("h", 8), weight("m", 8), *ones]
    image = helper.make_tensor_value_info("i", FLOAT, ["n", 3, 8, 8])
    out = helper.make_tensor_value_info("y", FLOAT, ["n", 8, 8, 8])
    graph = helper.make_graph([conv, norm], "g", [image], [out], weights)
    parent = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = recipes.calibration(parent)
    files = {PATH: parent.SerializeToString()}
    plain = onnx.load_from_string(quantize(files, PATH, Recipe(), data))
    folded = onnx.load_from_string(quantize(files, PATH, Recipe(optimize=True), data))
    assert [
        sum(node.op_type == "BatchNormalization" for node in one.graph.node) for one in (plain, folded)
    ] == [1, 0]
    feeds = graphs.feeds(parent, seed=5)
    answers = recipes.answers(folded.SerializeToString(), feeds)
    assert recipes.cosine(recipes.answers(files[PATH], feeds), answers) > 0.999
    with pytest.raises(InvalidInput, match="no such node") as caught:
        quantize(files, PATH, Recipe(optimize=True, exclude=("norm",)), data)
    assert "--optimize" in str(caught.value.hint)


@pytest.mark.parametrize("recipe", ALL)
def test_external_data_is_brought_in(tmp_path: Path, recipe: Recipe) -> None:
    parent = graphs.mlp()
    inside = graphs.files_of(graphs.save(parent, tmp_path / PATH).parent)
    (tmp_path / "sub").mkdir()
    graphs.save(parent, tmp_path / "sub" / PATH, external="weights.bin")
    outside = {name: data for name, data in graphs.files_of(tmp_path).items() if name.startswith("sub/")}
    data = recipes.calibration(parent)
    assert len(outside) == 2
    assert quantize(outside, f"sub/{PATH}", recipe, data) == quantize(inside, PATH, recipe, data)


def test_integer_constants_are_left_alone() -> None:
    """Gather and MatMul take integers too; the block quantizers would take those for weights."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], "shape"),
        helper.make_node("Gather", ["numbers", "s"], ["picked"], "lookup"),
        helper.make_node("ReduceSum", ["picked"], ["total"], "total", keepdims=0),
        helper.make_node("Cast", ["total"], ["scale"], "cast", to=FLOAT),
        helper.make_node("MatMul", ["x", "w1"], ["m"], "one"),
        helper.make_node("Mul", ["m", "scale"], ["y"], "scaled"),
    ]
    numbers = numpy_helper.from_array(np.arange(64).reshape(32, 2), "numbers")
    child = made(
        model(nodes, [WEIGHTS[0], numbers]), Recipe(mode="weight-only", weight_type="INT4", embeddings=True)
    )
    assert {"Gather", "MatMulNBits"} <= {node.op_type for node in child.graph.node}


def test_an_activation_that_is_infinite_is_named() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["m"], "one"),
        helper.make_node("Div", ["m", "none"], ["endless"], "divide"),
        helper.make_node("Add", ["endless", "m"], ["y"], "sum"),
    ]
    parent = model(nodes, [WEIGHTS[0], numpy_helper.from_array(np.zeros(1, "f"), "none")])
    with pytest.raises(InvalidInput, match="infinite") as caught:
        quantize({PATH: parent.SerializeToString()}, PATH, Recipe(), recipes.calibration(parent))
    assert caught.value.on in ("endless", "y")
    assert "--exclude" in str(caught.value.hint)


def test_a_graph_with_a_cycle_is_refused() -> None:
    nodes = [
        helper.make_node("Add", ["x", "b"], ["a"], "one"),
        helper.make_node("MatMul", ["a", "w"], ["b"], "two"),
        helper.make_node("Relu", ["b"], ["y"], "three"),
    ]
    parent = model(nodes, [weight("w", 16, 16)])
    with pytest.raises(InvalidModel, match="cycle"):
        quantize({PATH: parent.SerializeToString()}, PATH, Recipe(mode="dynamic"))
