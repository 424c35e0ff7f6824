"""Equal fingerprints mean equal content, names apart; whatever is added or changed shows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from registry.errors import InvalidModel
from support import graphs
from support.contents import copied, every_graph, of

MODELS = ("mlp", "cnn", "transformer", "branching")
Edit = Callable[[onnx.ModelProto], None]


def _renamed(model: onnx.ModelProto) -> None:
    """New names for everything but the interface, in another order; talk and metadata."""
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    for at, graph in enumerate(every_graph(model.graph)):
        graph.name = f"renamed {at}"
        for tensor in graph.initializer:
            tensor.name = f"constant of {tensor.name}"
            tensor.doc_string = "a constant"
            kept.add(tensor.name)
        constants = {name.removeprefix("constant of "): name for name in kept}
        for value in graph.output if at else ():
            value.name = f"value {value.name}"
        for node in graph.node:
            node.name, node.doc_string = f"node {node.name}", "a node"
            for names in (node.input, node.output):
                names[:] = [constants.get(name, name if name in kept else f"value {name}") for name in names]
        nodes = list(graph.node)
        del graph.node[:]
        graph.node.extend(reversed(nodes))
    model.producer_name, model.doc_string = "somebody", "something"
    model.metadata_props.add(key="key", value="value")


@pytest.mark.parametrize("name", MODELS)
def test_names_talk_and_order_do_not_count(name: str) -> None:
    model = graphs.FLOATS[name]()
    other = copied(model)
    _renamed(other)
    assert other.SerializeToString() != model.SerializeToString()
    assert of(other) == of(model)


def test_constants_may_lie_anywhere_and_be_stored_in_any_way() -> None:
    model, other = graphs.mlp(), graphs.mlp()
    tensor = other.graph.initializer[0]
    values = numpy_helper.to_array(tensor)
    tensor.CopyFrom(helper.make_tensor(tensor.name, TensorProto.FLOAT, values.shape, values.reshape(-1)))
    held = copied(model)
    for one in held.graph.initializer:
        held.graph.node.append(helper.make_node("Constant", [], [one.name], value=one))
    del held.graph.initializer[:]
    assert of(other) == of(held) == of(model)
    scalar = helper.make_node("Constant", [], ["c"], value_float=0.5)
    plain = numpy_helper.from_array(np.float32(0.5), "c")
    made = [copied(model), copied(model)]
    made[0].graph.node.append(scalar)
    made[1].graph.initializer.append(plain)
    assert of(made[0]) == of(made[1]) != of(model)


def test_large_weights_may_be_stored_as_typed_numbers() -> None:
    """Old exporters write float_data, whatever the size."""
    values = np.arange((1 << 20) + 8, dtype=np.float32)
    made = []
    for raw in (True, False):
        tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=values.shape)
        if raw:
            tensor.raw_data = values.tobytes()
        else:
            tensor.float_data.extend(values)
        model = graphs.mlp()
        model.graph.initializer.append(tensor)
        made.append(of(model))
    assert made[0] == made[1]


def _weight(model: onnx.ModelProto) -> None:
    tensor = every_graph(model.graph)[-1].initializer[0]
    values = numpy_helper.to_array(tensor).copy()
    values.reshape(-1)[0] = np.nextafter(values.reshape(-1)[0], np.float32(9))
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _idle_constant(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(3, np.float32), "idle"))


def _idle_node(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Neg", [model.graph.output[0].name], ["idle"]))


def _node_without_outputs(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Neg", [model.graph.output[0].name], []))


def _idle_function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Neg", ["a"], ["b"])
    opset = helper.make_opsetid("", 17)
    model.functions.append(helper.make_function("own", "f", ["a"], ["b"], [node], [opset]))


def _attribute(model: onnx.ModelProto) -> None:
    every_graph(model.graph)[-1].node[0].attribute.append(helper.make_attribute("odd", 1))


def _operator(model: onnx.ModelProto) -> None:
    every_graph(model.graph)[-1].node[0].op_type = "Other"


def _domain(model: onnx.ModelProto) -> None:
    every_graph(model.graph)[-1].node[0].domain = "other"


def _opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version += 1


def _input_name(model: onnx.ModelProto) -> None:
    old = model.graph.input[0].name
    for graph in every_graph(model.graph):
        for node in graph.node:
            node.input[:] = ["other" if name == old else name for name in node.input]
    model.graph.input[0].name = "other"


def _input_shape(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3


def _extra_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(copied(model).graph.output[0])


def _swapped(model: onnx.ModelProto) -> None:
    node = next(
        node for graph in reversed(every_graph(model.graph)) for node in graph.node if len(node.input) > 1
    )
    node.input[0], node.input[1] = node.input[1], node.input[0]


EDITS: tuple[Edit, ...] = (
    _weight,
    _idle_constant,
    _idle_node,
    _node_without_outputs,
    _idle_function,
    _attribute,
    _operator,
    _domain,
    _opset,
    _input_name,
    _input_shape,
    _extra_output,
    _swapped,
)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__.strip("_"))
def test_attack_any_change_of_content_shows(name: str, edit: Edit) -> None:
    model = graphs.FLOATS[name]()
    changed = copied(model)
    edit(changed)
    assert of(changed) != of(model)
    twice = copied(changed)
    if edit in (_idle_constant, _idle_node):
        edit(twice)
        for at, tensor in enumerate(twice.graph.initializer):
            tensor.name = f"{tensor.name}{at}" if tensor.name == "idle" else tensor.name
        twice.graph.node[-1].output[0] += "again" if edit is _idle_node else ""
        assert of(twice) != of(changed)


def test_attack_the_branches_of_an_if_exchanged() -> None:
    model, other = graphs.branching(), graphs.branching()
    node = other.graph.node[0]
    node.attribute[0].name, node.attribute[1].name = node.attribute[1].name, node.attribute[0].name
    assert of(model) != of(other)


def test_attack_which_of_two_values_a_subgraph_takes_from_outside() -> None:
    made = []
    for taken in ("a", "b"):
        inner = helper.make_graph(
            [helper.make_node("Neg", [taken], ["n"])],
            "inner",
            [],
            [helper.make_tensor_value_info("n", TensorProto.FLOAT, [2])],
        )
        nodes = [
            helper.make_node("Relu", ["x"], ["a"]),
            helper.make_node("Abs", ["x"], ["b"]),
            helper.make_node("If", ["flag"], ["y"], then_branch=inner, else_branch=inner),
            helper.make_node("Add", ["a", "b"], ["s"]),
        ]
        inputs = [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info("flag", TensorProto.BOOL, []),
        ]
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("s", "y")]
        graph = helper.make_graph(nodes, "g", inputs, outputs)
        made.append(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))
    assert of(made[0]) != of(made[1])


def test_attack_a_cycle_is_refused() -> None:
    model = graphs.mlp()
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]
    with pytest.raises(InvalidModel, match="cycle"):
        of(model)


def test_deep_graphs_are_written_down_without_recursion() -> None:
    nodes = [helper.make_node("Relu", [f"v{at}"], [f"v{at + 1}"]) for at in range(5000)]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("v0", "v5000")]
    graph = helper.make_graph(nodes, "deep", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    assert len(of(model)) == 32
