"""Flaws of names: values defined twice, hidden, or nowhere."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from hostile.corpus import Files, case
from hostile.crafted import files, mlp, model_of, node, tensor, value


@case("duplicate-name")
def two_initializers_of_one_name() -> Files:
    made = mlp()
    made.graph.initializer.append(tensor("w1", [[1.0]]))
    return files(made)


@case("duplicate-name")
def two_nodes_make_one_value() -> Files:
    made = mlp()
    made.graph.node.append(node("Relu", "x", "r1"))
    return files(made)


@case("duplicate-name")
def a_node_makes_an_initializer() -> Files:
    made = mlp()
    made.graph.node.append(node("Relu", "x", "w2"))
    return files(made)


@case("duplicate-name")
def a_node_makes_an_input() -> Files:
    made = mlp()
    made.graph.node.append(node("Relu", "r1", "x"))
    return files(made)


@case("duplicate-name")
def two_inputs_of_one_name() -> Files:
    made = mlp()
    made.graph.input.append(value("x"))
    return files(made)


@case("duplicate-name")
def one_output_twice() -> Files:
    made = mlp()
    made.graph.output.append(value("y"))
    return files(made)


@case("duplicate-name")
def a_function_with_one_value_twice() -> Files:
    body = [node("Relu", "x", "z"), node("Neg", "x", "z")]
    function = helper.make_function("own", "Twice", ["x"], ["z"], body, [helper.make_opsetid("", 21)])
    call = helper.make_node("Twice", ["x"], ["y"], domain="own")
    return files(model_of([call], inputs=[value("x")], functions=[function]))


def _branches(then: list[onnx.NodeProto], outcome: str) -> onnx.ModelProto:
    first = helper.make_graph(then, "then", [], [value(outcome)])
    second = helper.make_graph([node("Neg", "x", "e")], "else", [], [value("e")])
    made = model_of(
        [
            node("Relu", "x", "r"),
            helper.make_node("If", ["flag"], ["y"], then_branch=first, else_branch=second),
        ],
        inputs=[value("x"), value("flag", TensorProto.BOOL, [])],
        outputs=["y", "r"],
    )
    return made


@case("shadowed-name")
def a_branch_hides_an_outer_value() -> Files:
    return files(_branches([node("Abs", "x", "r"), node("Neg", "r", "t")], "t"))


@case("shadowed-name")
def a_branch_hides_an_input() -> Files:
    return files(_branches([node("Constant", "", "x", value_float=1.0), node("Neg", "x", "t")], "t"))


@case("overridable-weight")
def a_weight_that_callers_replace() -> Files:
    made = mlp()
    made.graph.input.append(value("w1", shape=[16, 32]))
    return files(made)


@case("undefined-input")
def a_value_from_nowhere() -> Files:
    made = mlp()
    made.graph.node[0].input[1] = "gone"
    return files(made)


@case("undefined-input")
def a_value_from_another_branch() -> Files:
    return files(_branches([node("Neg", "e", "t")], "t"))


@case("undefined-input")
def a_function_that_reaches_into_its_caller() -> Files:
    function = helper.make_function(
        "own", "Reach", ["x"], ["z"], [node("Add", "x w", "z")], [helper.make_opsetid("", 21)]
    )
    call = helper.make_node("Reach", ["x"], ["y"], domain="own")
    made = model_of(
        [call, node("Add", "x w", "v")], [tensor("w", [1.0])], inputs=[value("x")], functions=[function]
    )
    made.graph.output.append(value("v"))
    return files(made)


@case("undefined-output")
def an_output_from_nowhere() -> Files:
    made = mlp()
    made.graph.output.append(value("gone"))
    return files(made)


@case("undefined-output")
def a_branch_without_its_output() -> Files:
    return files(_branches([node("Neg", "x", "t")], "gone"))


@case("cycle")
def two_nodes_that_wait_for_each_other() -> Files:
    nodes = [node("Add", "x b", "a"), node("Relu", "a", "b"), node("Identity", "b", "y")]
    return files(model_of(nodes, inputs=[value("x")]))


@case("cycle")
def a_node_that_waits_for_itself() -> Files:
    return files(model_of([node("Add", "x y", "y")], inputs=[value("x")]))


@case("cycle")
def a_branch_that_waits_for_its_own_node() -> Files:
    first = helper.make_graph([node("Neg", "y", "t")], "then", [], [value("t")])
    second = helper.make_graph([node("Neg", "x", "e")], "else", [], [value("e")])
    nodes = [helper.make_node("If", ["flag"], ["y"], then_branch=first, else_branch=second)]
    return files(model_of(nodes, inputs=[value("x"), value("flag", TensorProto.BOOL, [])]))


@case("unsorted-nodes")
def nodes_in_the_wrong_order() -> Files:
    made = mlp()
    nodes = list(made.graph.node)
    del made.graph.node[:]
    made.graph.node.extend(reversed(nodes))
    return files(made)


@case("stray-names")
def shapes_of_a_thousand_values_that_are_not_there() -> Files:
    made = mlp()
    made.graph.value_info.extend(value(f"{at}-payload-payload") for at in range(1000))
    return files(made)


@case("stray-names")
def annotations_of_a_thousand_values_that_are_not_there() -> Files:
    made = mlp()
    for at in range(1000):
        made.graph.quantization_annotation.add(tensor_name=f"{at}-payload-payload")
    return files(made)


@case("stray-names")
def a_thousand_operator_sets() -> Files:
    made = mlp()
    made.opset_import.extend(helper.make_opsetid(f"{at}-payload-payload", 1) for at in range(1000))
    return files(made)


@case("stray-names")
def symbols_of_a_thousand_letters() -> Files:
    made = mlp()
    for at, held in enumerate([*made.graph.input, *made.graph.output] * 3):
        held.type.tensor_type.shape.dim.add(dim_param=f"{at}" + "payload" * 200)
    return files(made)
