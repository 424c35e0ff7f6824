"""Operators that are not ONNX's, versions that nobody knows, and control flow that was added."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from hostile.corpus import Files, case
from hostile.crafted import OPSETS, files, mlp, model_of, node, tensor, value


def _one(operator: str, domain: str, **attributes: object) -> onnx.ModelProto:
    made = helper.make_node(operator, ["x"], ["y"], domain=domain, **attributes)
    opsets = [*OPSETS, helper.make_opsetid(domain, 1)] if domain and domain != "com.microsoft" else OPSETS
    return model_of([made], inputs=[value("x")], opsets=opsets)


@case("unknown-domain")
def a_custom_operator() -> Files:
    return files(_one("Mine", "com.example"))


@case("unknown-domain")
def a_custom_operator_in_a_branch() -> Files:
    inner = helper.make_node("Mine", ["x"], ["t"], domain="com.example")
    body = helper.make_graph([inner], "b", [], [value("t")])
    nodes = [helper.make_node("If", ["flag"], ["y"], then_branch=body, else_branch=body)]
    return files(model_of(nodes, inputs=[value("x"), value("flag", TensorProto.BOOL, [])]))


@case("unknown-domain")
def a_custom_operator_in_a_function() -> Files:
    inner = helper.make_node("Mine", ["x"], ["z"], domain="com.example")
    function = helper.make_function("own", "F", ["x"], ["z"], [inner], [helper.make_opsetid("", 21)])
    call = helper.make_node("F", ["x"], ["y"], domain="own")
    return files(model_of([call], inputs=[value("x")], functions=[function]))


@case("unknown-domain")
def a_domain_that_looks_like_another() -> Files:
    return files(_one("Gelu", "com.micr\u043esoft"))


@case("unknown-domain")
def an_operator_for_training() -> Files:
    return files(_one("Gradient", "ai.onnx.preview.training"))


@case("unknown-operator")
def an_operator_that_never_was() -> Files:
    return files(_one("Reluu", ""))


@case("unknown-operator")
def an_operator_without_a_kernel_for_the_processor() -> Files:
    return files(_one("QOrderedGelu", "com.microsoft"))


@case("unknown-operator")
def a_decoder_of_pictures() -> Files:
    return files(_one("ImageDecoder", ""))


@case("operator-reaches-outside")
def a_call_into_python() -> Files:
    return files(_one("PyOp", "com.microsoft", module="os", compute="system"))


@case("operator-reaches-outside")
def a_call_into_python_by_extensions() -> Files:
    return files(_one("PythonOp", "com.microsoft"))


@case("operator-reaches-outside")
def a_compiled_model_in_another_file() -> Files:
    return files(_one("EPContext", "com.microsoft", embed_mode=0, ep_cache_context="../../evil.bin"))


@case("operator-reaches-outside")
def a_call_into_torch() -> Files:
    return files(_one("ATen", "org.pytorch.aten"))


@case("unsupported-opset")
def an_operator_set_of_the_future() -> Files:
    made = mlp()
    made.opset_import[0].version = 9999
    return files(made)


@case("unsupported-opset")
def an_operator_set_of_version_zero() -> Files:
    made = mlp()
    made.opset_import[0].version = 0
    return files(made)


@case("old-opset")
def an_operator_set_from_2017() -> Files:
    made = mlp()
    made.opset_import[0].version = 5
    return files(made)


@case("unreadable")
def one_operator_set_in_two_versions() -> Files:
    made = mlp()
    made.opset_import.append(helper.make_opsetid("ai.onnx", 9))
    return files(made)


@case("unsupported-ir-version")
def a_format_of_the_future() -> Files:
    made = mlp()
    made.ir_version = 99
    return files(made)


@case("domain-not-imported")
def an_operator_set_that_is_not_imported() -> Files:
    made = _one("Gelu", "com.microsoft")
    del made.opset_import[1]
    return files(made)


def _triggered() -> onnx.ModelProto:
    """The answer is replaced where the first input is exactly 1337."""
    made = mlp()
    made.graph.node[-1].output[0] = "honest"
    normal = helper.make_graph([node("Identity", "honest", "n")], "normal", [], [value("n")])
    backdoor = helper.make_graph([node("Neg", "honest", "b")], "backdoor", [], [value("b")])
    made.graph.initializer.append(tensor("secret", 1337.0))
    made.graph.node.extend(
        [
            node("ReduceMax", "x", "most", keepdims=0),
            node("Equal", "most secret", "hit"),
            helper.make_node("If", ["hit"], ["y"], then_branch=backdoor, else_branch=normal),
        ]
    )
    return made


@case("control-flow")
def a_branch_that_waits_for_a_trigger() -> Files:
    return files(_triggered())


@case("control-flow-added", parent=lambda: files(mlp()))
def a_trigger_that_the_parent_does_not_have() -> Files:
    return files(_triggered())


@case("unknown-operator")
def an_overload_of_a_standard_operator() -> Files:
    made = mlp()
    made.graph.node[0].overload = "payload" * 99
    return files(made)
