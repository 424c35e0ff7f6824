"""Loops without end."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from hostile.corpus import Files, case
from hostile.crafted import files, model_of, node, tensor, value


def loop(trips: int | None, *, first: bool | None = True, keeps: str = "identity") -> onnx.ModelProto:
    """A Loop that negates x; ``keeps`` says how its body makes the condition for the next round."""
    conditions = {
        "identity": [node("Identity", "c", "go")],
        "constant": [helper.make_node("Constant", [], ["go"], value=tensor("", True, "?"))],
        "judged": [
            node("ReduceMax", "v", "most", keepdims=0),
            node("Cast", "most", "go", to=TensorProto.BOOL),
        ],
        "outer": [node("Identity", "yes", "go")],
    }
    body = helper.make_graph(
        [*conditions[keeps], node("Neg", "v", "w")],
        "body",
        [value("i", TensorProto.INT64, []), value("c", TensorProto.BOOL, []), value("v")],
        [value("go", TensorProto.BOOL, []), value("w")],
    )
    constants = [tensor("yes", True, "?")] if first or keeps == "outer" else []
    if trips is not None:
        constants.append(tensor("trips", trips, "i8"))
    taken = ["trips" if trips is not None else "", "yes" if first else "", "x"]
    return model_of([helper.make_node("Loop", taken, ["y"], body=body)], constants, inputs=[value("x")])


@case("endless-loop")
def a_condition_that_is_passed_on() -> Files:
    return files(loop(None))


@case("endless-loop")
def a_condition_that_is_constant() -> Files:
    return files(loop(None, keeps="constant"))


@case("endless-loop")
def a_condition_from_around() -> Files:
    return files(loop(None, keeps="outer"))


@case("endless-loop")
def no_condition_and_no_count() -> Files:
    return files(loop(None, first=None, keeps="constant"))


@case("endless-loop")
def an_astronomical_count() -> Files:
    return files(loop((1 << 63) - 1))


@case("endless-loop")
def a_hundred_million_rounds_of_three_loops() -> Files:
    run = node("Neg", "v", "w")
    for depth in range(3):
        body = helper.make_graph(
            [node("Identity", f"c{depth}", f"go{depth}"), run],
            "body",
            [
                value(f"i{depth}", TensorProto.INT64, []),
                value(f"c{depth}", TensorProto.BOOL, []),
                value("v" * (depth + 1)),
            ],
            [value(f"go{depth}", TensorProto.BOOL, []), value("w" * (depth + 1))],
        )
        taken = ["trips", "yes", "v" * (depth + 2) if depth < 2 else "x"]
        run = helper.make_node("Loop", taken, ["w" * (depth + 2) if depth < 2 else "y"], body=body)
    return files(model_of([run], [tensor("yes", True, "?"), tensor("trips", 500, "i8")], inputs=[value("x")]))


@case("endless-loop")
def an_endless_loop_in_a_function() -> Files:
    inner = loop(None)
    held = helper.make_node("Constant", [], ["yes"], value=tensor("", True, "?"))
    run = inner.graph.node[0]
    run.output[0] = "z"
    function = helper.make_function("own", "F", ["x"], ["z"], [held, run], [helper.make_opsetid("", 21)])
    call = helper.make_node("F", ["x"], ["y"], domain="own")
    return files(model_of([call], inputs=[value("x")], functions=[function]))
