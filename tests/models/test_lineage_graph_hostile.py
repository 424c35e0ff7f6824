"""Files made to hurt whoever compares them: bounded work, and an answer or InvalidModel."""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from registry.errors import InvalidModel
from registry.onnx.lineage.leaves import Matching, QuantLeaf
from registry.onnx.lineage.match import match
from support import graphs
from support.positions import copy, graph_model, read, weights

_MANY = 10_000  # nodes in a row


def _match(parent: onnx.ModelProto, child: onnx.ModelProto) -> Matching:
    return match(read(parent), read(child))


def _chain(length: int, *, odd: str = "Relu", end: str = "y") -> onnx.ModelProto:
    names = ["x", *(f"v{at}" for at in range(1, length)), end]
    nodes = [
        helper.make_node(odd if at % 2 else "Sigmoid", [names[at]], [names[at + 1]], f"n{at}")
        for at in range(length)
    ]
    return graph_model(nodes, {}, ["n", 4])


@pytest.mark.parametrize("odd", ["Transpose", "Cast"])
def test_a_very_deep_graph(odd: str) -> None:
    model = _chain(_MANY, odd=odd)
    for node in model.graph.node:
        if node.op_type == "Cast":
            node.attribute.append(helper.make_attribute("to", 1))
    assert not _match(model, model).nodes


def test_one_edit_in_a_very_deep_graph_is_found_alone() -> None:
    edited = _chain(3000)
    edited.graph.node[1500].op_type = "Tanh"
    found = _match(_chain(3000), edited)
    assert {one.name for one in found.nodes} == {"n1500"}


def test_two_graphs_that_have_nothing_in_common() -> None:
    found = _match(_chain(2000), _chain(2000, odd="Tanh"))
    assert found.nodes


def test_a_cycle_is_listed() -> None:
    edited = graphs.mlp()
    edited.graph.node[0].input[0] = "r1"
    found = _match(graphs.mlp(), edited)
    assert {one.name for one in found.nodes} >= {"fc1", "add1", "relu1"}


def test_a_value_that_nothing_makes_is_listed() -> None:
    edited = graphs.mlp()
    edited.graph.node[3].input[0] = "nowhere"
    assert _match(graphs.mlp(), edited).nodes


def test_a_name_for_two_values_is_listed() -> None:
    edited = graphs.mlp()
    edited.graph.initializer.append(numpy_helper.from_array(np.zeros((16, 32), np.float32), "w1"))
    assert ("w1", "value") in {(one.name, one.operator) for one in _match(graphs.mlp(), edited).nodes}


def _functions(depth: int, *, calls: int) -> onnx.ModelProto:
    """Functions that call the next one ``calls`` times."""
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = []
    for at in range(depth):
        names = ["a", *(f"v{call}" for call in range(1, calls)), "b"]
        inner = ("", "Relu") if at == depth - 1 else ("own", f"f{at + 1}")
        body = [
            helper.make_node(inner[1], [names[call]], [names[call + 1]], domain=inner[0])
            for call in range(calls)
        ]
        functions.append(helper.make_function("own", f"f{at}", ["a"], ["b"], body, opset))
    model = graph_model(
        [helper.make_node("f0", ["x"], ["y"], domain="own")], {}, [4], functions=functions[:1]
    )
    model.functions.extend(functions[1:])
    return model


def test_functions_that_double_are_refused() -> None:
    started = time.process_time()
    with pytest.raises(InvalidModel, match="too many operators"):
        _match(_functions(24, calls=2), _functions(24, calls=2))
    assert time.process_time() - started < 30  # seconds


def test_a_function_that_calls_itself_is_refused() -> None:
    model = _functions(1, calls=1)
    model.functions[0].node[0].op_type, model.functions[0].node[0].domain = "f0", "own"
    with pytest.raises(InvalidModel, match="too deep"):
        _match(model, model)


def test_constants_that_double_are_not_computed() -> None:
    """Concat of a constant with itself, forty times over; and sums that use each part twice."""
    for op, attrs in (("Concat", {"axis": 0}), ("Add", {})):
        nodes = [helper.make_node(op, [f"c{at}"] * 2, [f"c{at + 1}"], f"d{at}", **attrs) for at in range(40)]
        nodes.append(helper.make_node("Add", ["x", "c40"], ["y"], "use"))
        child = graph_model(nodes, {"c0": weights(4)}, ["n", 4])
        parent = graph_model([helper.make_node("Add", ["x", "c"], ["y"], "use")], {"c": weights(4)}, ["n", 4])
        assert _match(parent, child).nodes
        assert not _match(child, child).nodes


@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_shapes_that_double_are_not_followed(op: str) -> None:
    """The batch's size squared, or doubled, two hundred times over."""
    nodes = [helper.make_node("Shape", ["x"], ["s"], "shape", start=0, end=1)]
    names = ["s", *(f"s{at}" for at in range(200))]
    nodes += [helper.make_node(op, [a, a], [b], f"n{b}") for a, b in itertools.pairwise(names)]
    nodes.append(helper.make_node("Expand", ["x", names[-1]], ["y"], "use"))
    for batch in ("n", 7):
        model = graph_model(nodes, {}, [batch, 4])
        edited = graph_model([*nodes[:-2], _uses(names[-2])], {}, [batch, 4])
        assert not _match(model, model).nodes
        assert _match(model, edited).nodes


def _uses(name: str) -> onnx.NodeProto:
    return helper.make_node("Expand", ["x", name], ["y"], "use")


def test_a_shape_that_asks_for_terabytes_is_not_made() -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["huge"], "huge"),
        helper.make_node("Add", ["x", "huge"], ["y"], "use"),
    ]
    child = graph_model(nodes, {"shape": np.array([1 << 20, 1 << 20])}, ["n", 4])
    parent = graph_model([helper.make_node("Add", ["x", "c"], ["y"], "use")], {"c": weights(4)}, ["n", 4])
    assert _match(parent, child).nodes


def test_a_division_that_kills_the_runtime_is_harmless_here() -> None:
    """The smallest int64 divided by -1."""
    nodes = [
        helper.make_node("Div", ["low", "minus"], ["q"], "divide"),
        helper.make_node("Reshape", ["x", "q"], ["y"], "use"),
    ]
    held = {"low": np.array([np.iinfo(np.int64).min]), "minus": np.array([-1])}
    model = graph_model(nodes, held, ["n", 4])
    assert not _match(model, model).nodes


def test_three_thousand_dead_nodes_are_told_in_reasonable_time() -> None:
    edited = copy(graphs.mlp())
    edited.graph.node.extend(
        helper.make_node("Relu" if at % 2 else "Neg", ["x" if at < 2 else f"d{at - 2}"], [f"d{at}"], f"d{at}")
        for at in range(3000)
    )
    started = time.process_time()
    found = _match(graphs.mlp(), edited)
    assert len(found.nodes) == 3000
    assert time.process_time() - started < 10  # seconds


def test_many_nodes_cost_work_in_proportion() -> None:
    """Four times the nodes, about four times the calls: counted, since clocks tell of the machine as well."""
    made = []
    for length in (1500, 6000):
        model = read(_chain(length))
        made.append(_calls(lambda model=model: match(model, model)))
    assert made[1] < 5 * made[0]


def _calls(deed: Callable[[], object]) -> int:
    """How many functions are called in the course of a deed."""
    count = 0

    def called(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event.endswith("call")

    sys.setprofile(called)
    try:
        deed()
    finally:
        sys.setprofile(None)
    return count


def _damaged(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """One node's inputs, operator or attributes, or one tensor's type or shape, made something else."""
    edited, dice = copy(model), random.Random(seed)
    nodes, tensors = edited.graph.node, edited.graph.initializer
    node, tensor = dice.choice(nodes), dice.choice(tensors)
    names = [name for one in nodes for name in (*one.input, *one.output)]
    match dice.randrange(6):
        case 0:
            node.input[dice.randrange(len(node.input))] = dice.choice(names)
        case 1:
            node.op_type = dice.choice(nodes).op_type
        case 2:
            for attribute in node.attribute:
                attribute.type = dice.choice((1, 2, 3, 4, 6, 7))
        case 3:
            for attribute in node.attribute:
                attribute.i = dice.choice((-(1 << 62), -1, 1 << 40))
                attribute.ints[:] = [dice.choice((-9, 3, 1 << 50))] * dice.randrange(4)
        case 4:
            tensor.data_type = dice.choice((1, 2, 3, 7, 8, 9, 10, 11, 16, 21, 22))
        case _:
            tensor.dims[:] = [dice.choice((0, 1, 2, 7, 1 << 31))] * dice.randrange(4)
    return edited


@pytest.mark.parametrize("kind", ["dynamic", "qdq", "qoperator", "nbits"])
def test_damaged_children_get_an_answer(kind: str, tmp_path: Path) -> None:
    """A matching or InvalidModel, whichever side the damaged model is on; nothing else is raised."""
    model = graphs.transformer()
    made = {
        "dynamic": lambda path: graphs.dynamic(model, path),
        "qdq": lambda path: graphs.static(model, path, qdq=True, per_channel=True),
        "qoperator": lambda path: graphs.static(model, path, qdq=False),
        "nbits": lambda path: graphs.nbits(model, path, block_size=16),
    }[kind]
    child, parent = onnx.load(made(tmp_path / "c.onnx")), read(model)
    answers = 0
    for seed in range(60):
        with suppress(InvalidModel):
            damaged = read(_damaged(child, seed))
            match(damaged, parent)
            for pair in match(parent, damaged).pairs:
                with suppress(InvalidModel):
                    pair.parent_value()
                if isinstance(pair.child, QuantLeaf):
                    with suppress(InvalidModel):
                        pair.child.numbers(), pair.child.scale(), pair.child.zero_point()
            answers += 1
    assert answers > 20
