"""Facts of graphs written by hand: weights behind functions, branches and Constants, and rarer operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from registry.errors import InvalidModel
from registry.onnx.facts import QuantizationFacts, QuantizedTensor, inspect

MS = "com.microsoft"
node = helper.make_node


def const(name: str, values: Any, kind: str = "f") -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, kind), name)


def packed(name: str, kind: int, dims: list[int], data: bytes) -> TensorProto:
    return TensorProto(name=name, data_type=kind, dims=dims, raw_data=data)


def facts_of(nodes: list[onnx.NodeProto], weights: list[TensorProto], **more: Any) -> QuantizationFacts:
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "flag")]
    inputs += [helper.make_tensor_value_info("bytes", TensorProto.UINT8, None)]
    graph = helper.make_graph(nodes, "g", inputs, [], weights)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MS, 1), helper.make_opsetid("local", 1)]
    return inspect({"m": helper.make_model(graph, opset_imports=opsets, **more).SerializeToString()}, "m")


def weights_of(facts: QuantizationFacts) -> list[QuantizedTensor]:
    return [one for one in facts.tensors if one.role == "weight"]


W = const("w", np.arange(12).reshape(3, 4), "b")
PER_COLUMN = [const("s", [0.1, 0.2, 0.3, 0.4]), const("z", [0, 0, 0, 0], "b")]
DQ = node("DequantizeLinear", ["w", "s", "z"], ["wf"], axis=-1)


def test_a_weight_in_the_graph() -> None:
    facts = facts_of([DQ, node("MatMul", ["x", "wf"], ["y"])], [W, *PER_COLUMN])
    expected = QuantizedTensor(
        name="w",
        scope="",
        role="weight",
        operator="ai.onnx.DequantizeLinear",
        type="INT8",
        bits=8,
        symmetric=True,
        granularity="per-channel",
        axis=1,
        block_size=None,
        shape=(3, 4),
        stored=True,
    )
    assert facts.tensors == (expected,)
    assert (facts.mode, facts.format) == ("weight-only", "QDQ")
    assert (facts.quantized_weights, facts.quantized_elements) == (1, 12)
    assert (facts.float_weights, facts.float_elements) == (0, 0)  # the scales are no weights


@pytest.mark.parametrize("value", [1, -1, 127])
def test_one_zero_point_off_the_middle_is_asymmetric(value: int) -> None:
    zero = const("z", [0, 0, 0, value], "b")
    (found,) = weights_of(facts_of([DQ], [W, PER_COLUMN[0], zero]))
    assert not found.symmetric


@pytest.mark.parametrize(("zero", "symmetric"), [(None, False), (0, False), (127, False), (128, True)])
def test_the_middle_of_unsigned_bytes_is_128(zero: int | None, symmetric: bool) -> None:
    weights = [const("w", [1, 2], "B"), const("s", 0.1)]
    inputs = ["w", "s"]
    if zero is not None:
        weights, inputs = [*weights, const("z", zero, "B")], [*inputs, "z"]
    (found,) = weights_of(facts_of([node("DequantizeLinear", inputs, ["wf"])], weights))
    assert (found.symmetric, found.granularity, found.axis) == (symmetric, "per-tensor", None)


@pytest.mark.parametrize("form", ["raw", "typed"])
def test_zero_points_are_read_in_either_form(form: str) -> None:
    for value in (0, 3):
        zero = const("z", [value] * 4, "b")
        if form == "typed":
            zero = helper.make_tensor("z", TensorProto.INT8, [4], [value] * 4)
            assert zero.int32_data
        (found,) = weights_of(facts_of([DQ], [W, PER_COLUMN[0], zero]))
        assert found.symmetric == (value == 0)


def test_weights_and_scales_in_constant_nodes() -> None:
    made = [node("Constant", [], [one.name], value=one) for one in (W, *PER_COLUMN)]
    assert weights_of(facts_of([*made, DQ], [])) == weights_of(facts_of([DQ], [W, *PER_COLUMN]))
    scale = [node("Constant", [], ["s"], value_floats=[0.1, 0.2, 0.3, 0.4])]
    assert weights_of(facts_of([*scale, DQ], [W, PER_COLUMN[1]]))[0].granularity == "per-channel"
    scalar = [node("Constant", [], ["s"], value_float=0.1)]
    facts = facts_of([*scalar, node("QuantizeLinear", ["x", "s"], ["q"])], [])
    assert (facts.mode, facts.tensors[0].type) == ("static", "UINT8")


def test_nodes_in_any_order() -> None:
    """Some real files are not topologically sorted."""
    quantize = node("QuantizeLinear", ["x", "one"], ["q"])
    restore = node("DequantizeLinear", ["q", "one"], ["y"])
    product = node("QLinearMatMul", ["q", "one", "z", "w", "one", "z", "one", "z"], ["p"])
    constants = [const("one", 0.5), const("z", 0, "b"), W]
    for nodes in ([restore, quantize], [product, quantize]):
        behind, before = facts_of(nodes, constants), facts_of(nodes[::-1], constants)
        assert set(behind.tensors) == set(before.tensors)
        assert (behind.mode, behind.format) == (before.mode, before.format)


def test_a_weight_outside_its_branch() -> None:
    """Names of the graph around a subgraph are visible in it, and its own come first."""
    result = helper.make_tensor_value_info("wf", TensorProto.FLOAT, None)
    inside = const("s", 0.1)
    branches = {
        "then_branch": helper.make_graph([DQ], "t", [], [result], []),
        "else_branch": helper.make_graph([DQ], "e", [], [result], [const("w", [[1, 2, 3, 4]], "b"), inside]),
    }
    facts = facts_of([node("If", ["flag"], ["y"], "pick", **branches)], [W, *PER_COLUMN])
    assert {(one.shape, one.granularity, one.scope) for one in weights_of(facts)} == {
        ((3, 4), "per-channel", ""),
        ((1, 4), "per-channel", "pick.else_branch"),  # by the zero points of the graph around
    }


def _function(body: list[onnx.NodeProto], inputs: list[str], **more: Any) -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]
    return helper.make_function("local", "Restore", inputs, ["y"], body, opsets, **more)


def test_a_weight_and_an_attribute_passed_to_a_function() -> None:
    body = node("DequantizeLinear", ["a", "b"], ["y"])
    body.attribute.append(
        onnx.AttributeProto(name="axis", ref_attr_name="which", type=onnx.AttributeProto.INT)
    )
    function = _function([body], ["a", "b"], attributes=["which"])
    calls = [node("Restore", ["w", scale], [scale + "f"], domain="local", which=0) for scale in ("s", "t")]
    weights = [W, const("s", [0.1, 0.2, 0.3]), const("t", [0.1, 0.2, 0.3])]
    facts = facts_of(calls, weights, functions=[function])
    (found,) = weights_of(facts)  # one weight, though two calls use it
    assert (found.name, found.scope, found.granularity, found.axis) == ("w", "", "per-channel", 0)
    assert dict(facts.operators) == {"ai.onnx.DequantizeLinear": 2}
    assert facts.float_weights == 0


def test_functions_that_double_are_refused_in_time() -> None:
    """24 functions, each calling the next one twice: loading such a file hangs ONNX Runtime."""
    functions = []
    for level in range(24):
        body = [node(f"F{level + 1}", ["x"], [name], domain="local") for name in ("a", "y")]
        functions.append(
            helper.make_function("local", f"F{level}", ["x"], ["y"], body, [helper.make_opsetid("local", 1)])
        )
    with pytest.raises(InvalidModel, match="too many nodes"):
        facts_of([node("F0", ["x"], ["y"], domain="local")], [], functions=functions)


def test_a_function_that_calls_itself_is_refused() -> None:
    body = [node("Restore", ["x"], ["y"], domain="local")]
    with pytest.raises(InvalidModel, match="too many nodes"):
        facts_of([node("Restore", ["x"], ["z"], domain="local")], [], functions=[_function(body, ["x"])])


def test_two_values_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidModel, match="two values are called 'w'"):
        facts_of([DQ], [W, W, *PER_COLUMN])


def test_float_weights_between_q_and_dq_are_not_stored_quantized() -> None:
    weights = [const("v", np.ones((3, 4))), const("one", 0.5)]
    nodes = [node("QuantizeLinear", ["v", "one"], ["q"]), node("DequantizeLinear", ["q", "one"], ["vf"])]
    facts = facts_of(nodes, weights)
    (found,) = facts.tensors
    assert (found.name, found.role, found.stored, found.type) == ("v", "weight", False, "UINT8")
    assert (facts.mode, facts.format) == ("weight-only", "QDQ")
    assert (facts.quantized_weights, facts.float_weights, facts.float_elements) == (0, 1, 12)


def test_static_beside_dynamic_is_mixed() -> None:
    nodes = [
        node("QuantizeLinear", ["x", "one"], ["q"]),
        node("DynamicQuantizeLinear", ["x"], ["a", "b", "c"]),
    ]
    assert facts_of(nodes, [const("one", 0.5)]).mode == "mixed"


def test_a_scale_made_at_run_time_is_dynamic() -> None:
    nodes = [node("ReduceMax", ["x"], ["s"]), node("QuantizeLinear", ["x", "s"], ["q"])]
    assert facts_of(nodes, []).mode == "dynamic"


def test_quantized_graph_inputs_are_static_activations() -> None:
    facts = facts_of([node("DequantizeLinear", ["bytes", "one"], ["y"])], [const("one", 0.5)])
    assert facts.mode == "static"
    assert [(one.name, one.role, one.type) for one in facts.tensors] == [("bytes", "activation", "UINT8")]


def test_the_sum_of_an_integer_product_is_no_quantized_tensor() -> None:
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]),
        node("MatMulInteger", ["q", "w", "qz"], ["sum"]),
        node("DequantizeLinear", ["sum", "one"], ["y"]),
    ]
    assert [one.name for one in facts_of(nodes, [W, const("one", 0.5)]).tensors] == ["q", "w"]


@pytest.mark.parametrize("input_scale", ["qs", "one"])
def test_a_scale_that_follows_an_integer_product(input_scale: str) -> None:
    """A symmetric weight may come without zero points: its channels show in the Mul behind."""
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]),
        node("MatMulInteger", ["q", "w", "qz"], ["sum"]),
        node("Cast", ["sum"], ["float"], to=TensorProto.FLOAT),
        node("Mul", [input_scale, "s"], ["both"]),
        node("Mul", ["float", "both"], ["y"]),
    ]
    facts = facts_of(nodes, [W, PER_COLUMN[0], const("one", 0.5)])
    (found,) = weights_of(facts)
    assert (found.granularity, found.axis, facts.float_weights) == ("per-channel", 1, 0)


def test_external_data_is_checked_though_no_fact_needs_it() -> None:
    spare = TensorProto(
        name="spare", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL
    )
    spare.external_data.add(key="location", value="w.bin")
    graph = helper.make_graph([], "g", [], [], [spare])
    data = helper.make_model(graph).SerializeToString()
    assert inspect({"m": data, "w.bin": bytes(16)}, "m").float_elements == 4
    with pytest.raises(InvalidModel, match="behind its file"):
        inspect({"m": data, "w.bin": bytes(15)}, "m")
