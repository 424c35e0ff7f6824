"""Edited children: each kind of edit leaves something unexplained, unused or recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from registry.onnx.lineage.leaves import Matching
from registry.onnx.lineage.match import match
from support import graphs
from support.positions import copy, node, read, renamed, shuffled, spliced

PARENT = graphs.transformer()
CONSTANTS_ONLY = {"MatMulConstBOnly": True}
KINDS: dict[str, Callable[[Path], Path]] = {
    "dynamic": lambda path: graphs.dynamic(PARENT, path),
    "qdq": lambda path: graphs.static(PARENT, path, qdq=True),
    "qoperator": lambda path: graphs.static(PARENT, path, qdq=False, extra_options=CONSTANTS_ONLY),
    "nbits": lambda path: graphs.nbits(PARENT, path, block_size=16),
}


@pytest.fixture(scope="module", params=KINDS)
def child(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    """A child that is explained as it is."""
    model = onnx.load(KINDS[request.param](tmp_path_factory.mktemp("child") / "c.onnx"))
    found = _matched(model)
    assert not found.nodes
    assert not found.unused
    return model


def _matched(model: onnx.ModelProto) -> Matching:
    return match(read(PARENT), read(model))


def _floats(model: onnx.ModelProto) -> list[str]:
    """The float values of the main graph, outputs left out."""
    known = onnx.shape_inference.infer_shapes(model).graph.value_info
    made = {name for one in model.graph.node for name in one.output}
    taken = {name for one in model.graph.node for name in one.input}
    return [
        value.name for value in known if value.type.tensor_type.elem_type == 1 and value.name in made & taken
    ]


@pytest.mark.parametrize(
    ("op", "constants"), [("Mul", (1.0,)), ("Mul", (1.01,)), ("Add", (0.0,)), ("Neg", ()), ("Tanh", ())]
)
def test_a_node_inserted_anywhere_is_listed(
    child: onnx.ModelProto, op: str, constants: tuple[float, ...]
) -> None:
    for value in _floats(child)[len(op) % 2 :: 3]:
        found = _matched(spliced(child, value, op, *constants))
        assert found.nodes, value
        assert len(found.nodes) <= 8, value  # it is not "everything"


def test_an_inserted_identity_changes_nothing(child: onnx.ModelProto) -> None:
    for value in _floats(child)[::4]:
        found = _matched(spliced(child, value, "Identity"))
        assert not found.nodes
        assert not found.unused


def test_a_removed_node_is_listed(child: onnx.ModelProto) -> None:
    for name in ("turn", "softmax", "skip1"):
        edited = copy(child)
        gone = next((one for one in edited.graph.node if one.name.startswith(name)), None)
        if gone is None or gone.output[0] == "y":
            continue
        kept, made = gone.input[0], gone.output[0]
        edited.graph.node.remove(gone)
        for one in edited.graph.node:
            one.input[:] = [kept if taken == made else taken for taken in one.input]
        assert _matched(edited).nodes, name


def test_swapped_inputs_are_listed(child: onnx.ModelProto) -> None:
    """The attention's scores taken where the values belong."""
    edited = copy(child)
    first = next(one for one in edited.graph.node if one.name.startswith("scores"))
    first.input[0], first.input[1] = first.input[1], first.input[0]
    assert _matched(edited).nodes


def _attributes(model: onnx.ModelProto) -> list[tuple[int, int]]:
    return [
        (at, place)
        for at, one in enumerate(model.graph.node)
        for place, attribute in enumerate(one.attribute)
        if attribute.type in (1, 2, 7) and one.op_type not in ("QuantizeLinear", "DequantizeLinear")
    ]


def test_every_edited_attribute_is_listed(child: onnx.ModelProto) -> None:
    for at, place in _attributes(child)[::2]:
        edited = copy(child)
        attribute = edited.graph.node[at].attribute[place]
        attribute.i += 1
        attribute.f = attribute.f * 1.5 + 0.25
        if attribute.ints:
            attribute.ints[0], attribute.ints[-1] = attribute.ints[-1], attribute.ints[0]
        assert _matched(edited).nodes, (edited.graph.node[at].name, attribute.name)


def test_a_trigger_branch_is_listed(child: onnx.ModelProto) -> None:
    found = _matched(_triggered(child))
    assert {"trigger"} <= {one.name for one in found.nodes}
    assert len(found.nodes) <= 8


def _triggered(model: onnx.ModelProto) -> onnx.ModelProto:
    """The output negated where a token is large."""
    edited = copy(model)
    graph, made = edited.graph, "y.clean"
    for one in graph.node:
        one.output[:] = [made if name == "y" else name for name in one.output]
        one.input[:] = [made if name == "y" else name for name in one.input]
    sides = []
    for op in ("Neg", "Identity"):
        result = helper.make_tensor_value_info(op, 1, None)
        sides.append(helper.make_graph([helper.make_node(op, [made], [op])], op, [], [result]))
    graph.initializer.append(numpy_helper.from_array(np.array(60), "secret"))
    graph.node.extend(
        [
            helper.make_node("ReduceMax", ["tokens"], ["largest"], "largest", keepdims=0),
            helper.make_node("Greater", ["largest", "secret"], ["fires"], "fires"),
            helper.make_node("If", ["fires"], ["y"], "trigger", then_branch=sides[0], else_branch=sides[1]),
        ]
    )
    return edited


def test_an_unused_constant_is_listed(child: onnx.ModelProto) -> None:
    edited = copy(child)
    edited.graph.initializer.append(numpy_helper.from_array(np.arange(99, dtype=np.uint8), "payload"))
    assert _matched(edited).unused == ("payload",)


def test_a_dead_node_is_listed(child: onnx.ModelProto) -> None:
    edited = copy(child)
    edited.graph.node.append(helper.make_node("Cast", ["tokens"], ["nowhere"], "dead", to=1))
    assert [one.name for one in _matched(edited).nodes] == ["dead"]


def test_another_output_or_input_is_listed(child: onnx.ModelProto) -> None:
    edited = copy(child)
    edited.graph.output.append(helper.make_tensor_value_info(edited.graph.node[0].output[0], 1, None))
    edited.graph.input.append(helper.make_tensor_value_info("more", 1, [1]))
    assert {(one.operator, one.name) for one in _matched(edited).nodes} >= {
        ("input", "more"),
        ("output", edited.graph.node[0].output[0]),
    }


def test_an_input_of_another_type_is_listed(child: onnx.ModelProto) -> None:
    edited = copy(child)
    edited.graph.input[0].type.tensor_type.elem_type = 6
    assert [one.operator for one in _matched(edited).nodes] == ["input"]


def test_an_inserted_pair_is_recorded(child: onnx.ModelProto) -> None:
    before = len(_matched(child).activations)
    for value in _floats(child)[::4]:
        found = _matched(_paired(child, value))
        assert found.nodes or len(found.activations) > before, value


def _paired(model: onnx.ModelProto, value: str) -> onnx.ModelProto:
    edited = spliced(model, value, "Identity")
    graph = edited.graph
    numbers: tuple[Any, ...] = (np.float32(0.25), np.uint8(128))
    names = ["pair.scale", "pair.zero"]
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(number), name) for number, name in zip(numbers, names, strict=True)
    )
    last = graph.node.pop()
    graph.node.extend(
        [
            helper.make_node("QuantizeLinear", [value, *names], ["pair.q"], "pair.q"),
            helper.make_node("DequantizeLinear", ["pair.q", *names], [last.output[0]], "pair.dq"),
        ]
    )
    return edited


def test_a_pair_that_does_not_give_back_its_value_is_listed(tmp_path: Path) -> None:
    """Another scale in DequantizeLinear than in QuantizeLinear multiplies the value."""
    edited = copy(onnx.load(KINDS["qdq"](tmp_path / "c.onnx")))
    edited.graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "other"))
    node(edited, "q_DequantizeLinear").input[1] = "other"
    assert _matched(edited).nodes


def test_an_integer_product_scaled_twice_is_listed(tmp_path: Path) -> None:
    edited = copy(onnx.load(KINDS["dynamic"](tmp_path / "c.onnx")))
    scaling = next(one for one in edited.graph.node if one.name.endswith("output_scale_mul"))
    found = _matched(spliced(edited, scaling.output[0], "Mul", 2.0))
    assert {"spliced"} <= {one.name for one in found.nodes}


@pytest.mark.parametrize("seed", range(2))
def test_names_do_not_count(child: onnx.ModelProto, seed: int) -> None:
    before, found = _matched(child), _matched(renamed(child, seed))
    assert not found.nodes
    assert not found.unused
    assert [pair.parent.name for pair in found.pairs] == [pair.parent.name for pair in before.pairs]
    assert [one.parent for one in found.activations] == [one.parent for one in before.activations]
    assert [parent for _, parent in found.values] == [parent for _, parent in before.values]


@pytest.mark.parametrize("seed", range(2))
def test_the_parents_names_do_not_count(child: onnx.ModelProto, seed: int) -> None:
    found = match(read(renamed(PARENT, seed)), read(child))
    assert not found.nodes
    assert len(found.pairs) == len(_matched(child).pairs)


@pytest.mark.parametrize("seed", range(2))
def test_the_order_in_the_file_does_not_count(child: onnx.ModelProto, seed: int) -> None:
    before, found = _matched(child), _matched(shuffled(child, seed))
    assert not found.nodes
    assert {(pair.child.name, pair.parent.name) for pair in found.pairs} == {
        (pair.child.name, pair.parent.name) for pair in before.pairs
    }


def test_names_that_change_places_are_not_believed(tmp_path: Path) -> None:
    """Two weights trade names and data: by name all is well, by position it is not."""
    edited = copy(onnx.load(KINDS["nbits"](tmp_path / "c.onnx")))
    swapped = {"proj_q": "proj_k", "proj_k": "proj_q"}
    weights = {name: node(edited, f"{name}_Q4").input[1:] for name in swapped}
    kept = {name: list(names) for name, names in weights.items()}
    for name, other in swapped.items():
        node(edited, f"{name}_Q4").input[1:] = kept[other]
    found = _matched(edited)
    assert {(pair.child.name[:2], pair.parent.name) for pair in found.pairs} >= {("wk", "wq"), ("wq", "wk")}
