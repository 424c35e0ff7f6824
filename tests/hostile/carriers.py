"""Things that are carried along: dead nodes, unused constants and functions."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from hostile.corpus import Files, case
from hostile.crafted import files, mlp, model_of, node, tensor, value
from support import graphs

PAYLOAD = np.frombuffer(bytes(range(256)) * 4, np.float32)


@case("unused-initializer")
def a_payload_in_an_unused_initializer() -> Files:
    made = mlp()
    made.graph.initializer.append(tensor("spare", np.zeros(256)))
    return files(made)


@case("unused-initializer")
def five_floats_that_nothing_uses() -> Files:
    made = mlp()
    made.graph.initializer.append(tensor("spare", [1, 2, 3, 4, 5]))
    return files(made)


@case("unused-initializer", "low")
def a_number_that_nothing_uses() -> Files:
    made = mlp()
    made.graph.initializer.append(tensor("spare", [1.0]))
    return files(made)


@case("unused-initializer")
def a_payload_behind_a_long_name() -> Files:
    made = mlp()
    made.graph.initializer.append(tensor("n" * 2000, [1.0]))
    return files(made)


@case("unused-initializer")
def a_payload_in_a_constant_node() -> Files:
    made = mlp()
    made.graph.node.append(helper.make_node("Constant", [], ["spare"], value=tensor("", np.zeros(256))))
    return files(made)


@case("unused-initializer")
def a_payload_in_a_branch() -> Files:
    made = graphs.branching()
    made.graph.node[0].attribute[0].g.initializer.append(tensor("spare", np.zeros(256)))
    return files(made)


@case("unused-initializer")
def a_payload_in_sparse_form() -> Files:
    made = mlp()
    spare = helper.make_sparse_tensor(tensor("spare", np.ones(64)), tensor("at", range(64), "i8"), [128])
    made.graph.sparse_initializer.append(spare)
    return files(made)


@case("unused-initializer")
def a_payload_in_external_data() -> Files:
    made = mlp()
    spare = made.graph.initializer.add(name="spare", data_type=TensorProto.FLOAT, dims=[256])
    spare.data_location = TensorProto.EXTERNAL
    spare.external_data.add(key="location", value="spare.bin")
    return files(made, **{"spare.bin": bytes(1024)})


@case("dead-node")
def a_node_without_use() -> Files:
    made = mlp()
    made.graph.node.append(node("Neg", "x", "spare"))
    return files(made)


@case("dead-node")
def a_dead_node_with_a_string() -> Files:
    made = mlp()
    made.graph.node.append(helper.make_node("Neg", ["x"], ["spare"], note=b"payload" * 9))
    return files(made)


@case("dead-node")
def a_dead_branch_with_weights() -> Files:
    made = mlp()
    body = helper.make_graph([node("Identity", "w", "t")], "b", [], [value("t")], [tensor("w", np.zeros(99))])
    made.graph.initializer.append(tensor("flag", True, "?"))
    made.graph.node.append(helper.make_node("If", ["flag"], ["spare"], then_branch=body, else_branch=body))
    return files(made)


@case("dead-node", "low")
def a_shape_that_nobody_asks_for() -> Files:
    made = mlp()
    made.graph.node.extend([node("Shape", "x", "s1"), node("Cast", "s1", "s2", to=TensorProto.FLOAT)])
    return files(made)


@case("dead-node")
def an_operator_hidden_behind_a_shape() -> Files:
    made = mlp()
    made.graph.node.extend([node("Neg", "x", "s1"), node("Shape", "s1", "s2")])
    return files(made)


@case("dead-node")
def a_dead_chain() -> Files:
    made = mlp()
    made.graph.node.extend([node("Neg", "x", "s1"), node("Relu", "s1", "s2"), node("Abs", "s2", "s3")])
    return files(made)


def _function(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    function = helper.make_function("own", "Spare", ["x"], ["z"], list(nodes), [helper.make_opsetid("", 21)])
    return model_of([node("Relu", "x", "y")], inputs=[value("x")], functions=[function])


@case("unused-function")
def a_function_without_use() -> Files:
    return files(_function(node("Neg", "x", "z")))


@case("unused-function", "medium")
def a_payload_in_an_unused_function() -> Files:
    held = helper.make_node("Constant", [], ["c"], value=tensor("", np.zeros(256)))
    return files(_function(held, node("Add", "x c", "z")))
