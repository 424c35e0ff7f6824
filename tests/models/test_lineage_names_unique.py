"""A name that stands for two values: readers differ on which one counts, so the file says nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from registry.errors import InvalidModel
from support import graphs
from support.contents import copied, every_graph, of

Edit = Callable[[onnx.ModelProto], None]


def _doubled(model: onnx.ModelProto) -> None:
    """A second initializer before the honest one: ONNX Runtime takes the first, others the last."""
    tensor = every_graph(model.graph)[-1].initializer[0]
    values = numpy_helper.to_array(tensor)[::-1].copy()
    every_graph(model.graph)[-1].initializer.insert(0, numpy_helper.from_array(values, tensor.name))


def _sparse_twin(model: onnx.ModelProto) -> None:
    twin = onnx.SparseTensorProto(dims=[4])
    twin.values.CopyFrom(numpy_helper.from_array(np.ones(1, np.float32), model.graph.initializer[0].name))
    twin.indices.CopyFrom(numpy_helper.from_array(np.zeros(1, np.int64), ""))
    model.graph.sparse_initializer.append(twin)


def _sparse_default(model: onnx.ModelProto) -> None:
    _sparse_twin(model)
    model.graph.sparse_initializer[0].values.name = model.graph.input[0].name


def _named_as_an_output(model: onnx.ModelProto) -> None:
    name = model.graph.node[0].output[0]
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(3, np.float32), name))


def _output_named_as_an_input(model: onnx.ModelProto) -> None:
    node = helper.make_node("Neg", [model.graph.input[0].name], [model.graph.input[0].name])
    model.graph.node.insert(0, node)


def _named_as_around_it(model: onnx.ModelProto) -> None:
    inner = helper.make_graph(
        [helper.make_node("Neg", ["own"], ["n"])],
        "inner",
        [],
        [helper.make_tensor_value_info("n", TensorProto.FLOAT, [3])],
        [numpy_helper.from_array(np.zeros(3, np.float32), "own")],
    )
    flag = numpy_helper.from_array(np.array(True), "flag")
    model.graph.initializer.append(flag)
    model.graph.node.append(helper.make_node("If", ["flag"], ["o"], then_branch=inner, else_branch=inner))
    of(model)  # the names of the two branches do not touch
    for one in model.graph.node[-1].attribute:
        one.g.node[0].input[0] = one.g.initializer[0].name = model.graph.initializer[0].name


def _function_twice(model: onnx.ModelProto) -> None:
    node = helper.make_node("Neg", ["a"], ["b"])
    opset = helper.make_opsetid("", 17)
    for _ in range(2):
        of(model)
        model.functions.append(helper.make_function("own", "f", ["a"], ["b"], [node], [opset]))


@pytest.mark.parametrize(
    "edit",
    [
        _doubled,
        _sparse_twin,
        _sparse_default,
        _named_as_an_output,
        _output_named_as_an_input,
        _named_as_around_it,
        _function_twice,
    ],
    ids=lambda edit: edit.__name__.strip("_"),
)
@pytest.mark.parametrize("name", ["mlp", "branching"])
def test_attack_a_name_that_stands_for_two_values_is_refused(name: str, edit: Edit) -> None:
    model = graphs.FLOATS[name]()
    if not model.graph.initializer:
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(3, np.float32), "idle"))
    of(model)
    edit(model)
    with pytest.raises(InvalidModel, match="two values have one name"):
        of(model)


@pytest.mark.parametrize("name", ["mlp", "branching"])
def test_attack_a_weight_that_callers_may_replace_shows(name: str) -> None:
    """An initializer that is an input, too, is only the default of it."""
    model = graphs.FLOATS[name]()
    changed = copied(model)
    graph = next(one for one in every_graph(changed.graph) if one.initializer)
    tensor = graph.initializer[0]
    graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    assert of(changed) != of(model)
    default = copied(changed)
    tensor = next(one for one in every_graph(default.graph) if one.initializer).initializer[0]
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + 1, tensor.name))
    assert of(default) != of(changed)
