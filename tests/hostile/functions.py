"""Flaws of functions: what expands without end, and what hides behind a known name."""

from __future__ import annotations

import onnx
from onnx import helper

from hostile.corpus import Files, case
from hostile.crafted import files, model_of, node, value

IMPORTS = (helper.make_opsetid("", 21), helper.make_opsetid("own", 1))


def _function(
    name: str, nodes: list[onnx.NodeProto], *, domain: str = "own", **more: object
) -> onnx.FunctionProto:
    return helper.make_function(domain, name, ["x"], ["z"], nodes, list(IMPORTS), **more)


def _call(name: str, taken: str = "x", made: str = "y", **attributes: object) -> onnx.NodeProto:
    return helper.make_node(name, [taken], [made], domain="own", **attributes)


def _model(functions: list[onnx.FunctionProto], *nodes: onnx.NodeProto) -> onnx.ModelProto:
    return model_of(nodes, inputs=[value("x")], functions=functions, opsets=IMPORTS)


def doubling(levels: int) -> onnx.ModelProto:
    """Functions of which each calls the next one twice: 2**levels nodes."""
    made = [_function("F0", [node("Neg", "x", "z")])]
    for at in range(1, levels + 1):
        body = [_call(f"F{at - 1}", "x", "m"), _call(f"F{at - 1}", "m", "z")]
        made.append(_function(f"F{at}", body))
    return _model(made, _call(f"F{levels}"))


@case("function-expansion")
def twenty_four_doubling_functions() -> Files:
    return files(doubling(24))


@case("function-expansion")
def two_hundred_doubling_functions() -> Files:
    return files(doubling(200))


@case("function-expansion")
def a_hundred_functions_inside_each_other() -> Files:
    made = [_function("F0", [node("Neg", "x", "z")])]
    made += [_function(f"F{at}", [_call(f"F{at - 1}", "x", "z")]) for at in range(1, 100)]
    return files(_model(made, _call("F99")))


@case("function-expansion")
def doubling_inside_branches() -> Files:
    made = [_function("F0", [node("Neg", "x", "z")])]
    for at in range(1, 21):
        call = helper.make_graph([_call(f"F{at - 1}", "x", "t")], "b", [], [value("t")])
        flag = helper.make_node("Constant", [], ["flag"], value=helper.make_tensor("", 9, [], [1]))
        branch = helper.make_node("If", ["flag"], ["z"], then_branch=call, else_branch=call)
        made.append(_function(f"F{at}", [flag, branch]))
    return files(_model(made, _call("F20")))


@case("function-recursion")
def a_function_that_calls_itself() -> Files:
    return files(_model([_function("F", [_call("F", "x", "z")])], _call("F")))


@case("function-recursion")
def two_functions_that_call_each_other() -> Files:
    made = [_function("F", [_call("G", "x", "z")]), _function("G", [_call("F", "x", "z")])]
    return files(_model(made, _call("F")))


@case("function-recursion")
def recursion_inside_a_branch() -> Files:
    call = helper.make_graph([_call("F", "x", "t")], "b", [], [value("t")])
    flag = helper.make_node("Constant", [], ["flag"], value=helper.make_tensor("", 9, [], [1]))
    branch = helper.make_node("If", ["flag"], ["z"], then_branch=call, else_branch=call)
    return files(_model([_function("F", [flag, branch])], _call("F")))


@case("function-shadows-operator")
def a_function_called_relu() -> Files:
    made = _function("Relu", [node("Neg", "x", "z")], domain="")
    return files(model_of([node("Relu", "x", "y")], inputs=[value("x")], functions=[made]))


@case("function-shadows-operator")
def a_function_in_the_runtimes_domain() -> Files:
    made = _function("Gelu", [node("Neg", "x", "z")], domain="com.microsoft")
    call = helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")
    return files(model_of([call], inputs=[value("x")], functions=[made]))


@case("duplicate-function")
def two_functions_of_one_name() -> Files:
    made = [_function("F", [node("Neg", "x", "z")]), _function("F", [node("Abs", "x", "z")])]
    return files(_model(made, _call("F")))


@case("unknown-domain")
def a_call_of_a_function_that_is_not_there() -> Files:
    return files(_model([_function("F", [_call("G", "x", "z")])], _call("F")))


def _referring() -> onnx.NodeProto:
    made = node("Softmax", "x", "z")
    made.attribute.add(name="axis", ref_attr_name="gone", type=onnx.AttributeProto.INT)
    return made


@case("dangling-attribute-reference")
def an_attribute_that_refers_to_nothing() -> Files:
    return files(_model([_function("F", [_referring()])], _call("F")))


@case("dangling-attribute-reference")
def a_reference_outside_functions() -> Files:
    made = _referring()
    made.output[0] = "y"
    return files(model_of([made], inputs=[value("x")]))


@case("undeclared-attribute")
def a_call_that_carries_something() -> Files:
    return files(_model([_function("F", [node("Neg", "x", "z")])], _call("F", note=b"payload" * 99)))


@case("unused-attribute")
def a_default_that_nobody_uses() -> Files:
    spare = [helper.make_attribute("spare", b"payload" * 99)]
    return files(_model([_function("F", [node("Neg", "x", "z")], attribute_protos=spare)], _call("F")))
