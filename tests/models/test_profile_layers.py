"""Which layers compute on integers: compared with the graph that ONNX Runtime itself makes of the file."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType

from registry.onnx.loaded import load
from registry.onnx.profile.profiling import profile
from registry.onnx.profile.values import Layer, Profile
from support import graphs

MS = "com.microsoft"
SYMMETRIC = {"ActivationSymmetric": True, "WeightSymmetric": True}
TYPES = {"INT8": QuantType.QInt8, "UINT8": QuantType.QUInt8, "INT16": QuantType.QInt16}

x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="what is fused differs on ARM")


def residual(*, channels: int = 8) -> onnx.ModelProto:
    """Two convolutions with a shortcut around the second: image[1, 3, 8, 8] to y."""
    generator = np.random.default_rng(3)
    weights = [
        numpy_helper.from_array(generator.normal(0, 0.2, shape).astype("f"), name)
        for name, shape in (("w1", (channels, 3, 3, 3)), ("w2", (channels, channels, 3, 3)))
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], "conv1", pads=[1] * 4),
        helper.make_node("Sigmoid", ["c1"], ["a1"], "sigmoid"),
        helper.make_node("Conv", ["a1", "w2"], ["c2"], "conv2", pads=[1] * 4),
        helper.make_node("Add", ["a1", "c2"], ["sum"], "shortcut"),
        helper.make_node("MaxPool", ["sum"], ["m"], "largest", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Tanh", ["m"], ["y"], "tanh"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, channels, 4, 4])
    graph = helper.make_graph(nodes, "residual", [image], [result], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def forked(*, channels: int = 4) -> onnx.ModelProto:
    """Values that two operators take before and behind a convolution, a product, and a shape of one."""
    generator = np.random.default_rng(4)
    shapes = {"w1": (channels, 3, 1, 1), "w2": (channels, channels, 1, 1), "w3": (8, 8), "w4": (8, 4)}
    weights = [
        numpy_helper.from_array(generator.normal(0, 0.3, shape).astype("f"), name)
        for name, shape in shapes.items()
    ]
    make = helper.make_node
    nodes = [
        make("Conv", ["image", "w1"], ["c1"], "stem"),
        make("Conv", ["c1", "w2"], ["c2"], "left"),
        make("Sigmoid", ["c1"], ["c3"], "right"),
        make("Add", ["c2", "c3"], ["a"], "join"),
        make("Mul", ["c2", "a"], ["m"], "again"),
        make("MatMul", ["m", "w3"], ["p"], "product"),
        make("MatMul", ["p", "w4"], ["p2"], "last"),
        make("Shape", ["p"], ["shape"], "size"),
        make("Gather", ["shape", "one"], ["wide"], "width"),
        make("Cast", ["wide"], ["wide.f"], "cast", to=TensorProto.FLOAT),
        make("Div", ["p2", "wide.f"], ["y"], "divide"),
    ]
    weights.append(numpy_helper.from_array(np.array(3), "one"))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, channels, 8, 4])
    graph = helper.make_graph(nodes, "forked", [image], [result], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


PARENTS: dict[str, Callable[[], onnx.ModelProto]] = {
    "cnn": graphs.cnn,
    "transformer": graphs.transformer,
    "mlp": graphs.mlp,
    "residual": residual,
    "forked": forked,
}


def _profile(path: Path) -> Profile:
    return profile(load({"m.onnx": path.read_bytes()}, "m.onnx"))


def _left_float(path: Path, where: Path) -> Counter[str]:
    """Operators that ONNX Runtime still feeds from DequantizeLinear once it has fused what it can."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(where / "optimised.onnx")
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(options.optimized_model_filepath).graph.node
    floats = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
    moving = ("Reshape", "Transpose", "Flatten", "QuantizeLinear", "DequantizeLinear")
    return Counter(
        node.op_type for node in nodes if node.op_type not in moving and floats.intersection(node.input)
    )


def _name(layer: Layer) -> str:
    return layer.operator.rpartition(".")[2]


@x86
@pytest.mark.parametrize("parent", sorted(PARENTS))
@pytest.mark.parametrize("activation", ["INT8", "UINT8", "INT16"])
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
def test_the_layers_that_stay_float_are_those_of_the_runtime(
    parent: str, activation: str, symmetric: bool, tmp_path: Path
) -> None:
    path = graphs.static(
        PARENTS[parent](),
        tmp_path / "m.onnx",
        qdq=True,
        activation_type=TYPES[activation],
        weight_type=TYPES["INT8"],
        per_channel=True,
        extra_options=SYMMETRIC if symmetric else {},
    )
    ours = Counter(_name(layer) for layer in _profile(path).layers if not layer.integer)
    assert ours == _left_float(path, tmp_path)


@x86
def test_int8_activations_cost_fusions_that_uint8_ones_do_not(tmp_path: Path) -> None:
    """The value behind the shortcut has two readers: it stays int8, and what stands around it float."""
    found = {}
    for kind in ("INT8", "UINT8"):
        path = graphs.static(
            residual(),
            tmp_path / f"{kind}.onnx",
            qdq=True,
            activation_type=TYPES[kind],
            weight_type=TYPES["INT8"],
        )
        found[kind] = {layer.name for layer in _profile(path).layers if layer.integer}
    assert found["UINT8"] >= {"conv1", "conv2", "sigmoid", "shortcut"}
    assert found["INT8"] & {"conv1", "conv2", "sigmoid", "shortcut"} == {"conv1"}


def test_operators_on_integers_compute_on_integers(tmp_path: Path) -> None:
    found = _profile(graphs.static(graphs.cnn(), tmp_path / "m.onnx", qdq=False))
    by_operator = {layer.operator: layer for layer in found.layers}
    for operator in ("ai.onnx.QLinearConv", "com.microsoft.QGemm"):
        assert by_operator[operator].integer
        assert by_operator[operator].format == "QOperator"


@pytest.mark.parametrize(("level", "integer"), [(0, False), (1, False), (4, True)])
def test_weight_only_products_are_float_unless_asked_to_be_integer(
    level: int, integer: bool, tmp_path: Path
) -> None:
    model = onnx.load(graphs.nbits(graphs.mlp(), tmp_path / "m.onnx", block_size=16))
    for node in model.graph.node:
        if node.op_type == "MatMulNBits":
            for old in [one for one in node.attribute if one.name == "accuracy_level"]:
                node.attribute.remove(old)
            node.attribute.append(helper.make_attribute("accuracy_level", level))
    onnx.save(model, tmp_path / "m.onnx")
    layers = _profile(tmp_path / "m.onnx").layers
    assert [layer.mode for layer in layers] == ["weight-only"] * 2
    assert [layer.integer for layer in layers] == [integer] * 2


def test_layers_of_subgraphs_and_functions_name_their_scope(tmp_path: Path) -> None:
    """A QLinearMatMul in a function that is called twice, MatMulNBits in both branches of an If."""
    body = helper.make_node("QLinearMatMul", ["a", "s", "z", "w", "s", "z", "s", "z"], ["b"], "inner")
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)]
    function = helper.make_function("own", "Layer", ["a", "w", "s", "z"], ["b"], [body], opsets[:1])
    calls = [
        helper.make_node("Layer", ["x", "w", "s", "z"], ["h"], "first", domain="own"),
        helper.make_node("Layer", ["h", "w", "s", "z"], ["y"], "second", domain="own"),
    ]
    constants = [
        numpy_helper.from_array(np.ones((4, 4), np.int8), "w"),
        numpy_helper.from_array(np.float32(0.5), "s"),
        numpy_helper.from_array(np.int8(0), "z"),
    ]
    taken = [helper.make_tensor_value_info("x", TensorProto.INT8, [4, 4])]
    graph = helper.make_graph(calls, "g", taken, [], constants)
    model = helper.make_model(graph, opset_imports=opsets, functions=[function])
    onnx.save(model, tmp_path / "m.onnx")
    found = _profile(tmp_path / "m.onnx")
    assert [(layer.scope, layer.name, layer.mode) for layer in found.layers] == [
        ("first", "inner", "static"),
        ("second", "inner", "static"),
    ]
    (weight,) = found.weights
    assert (weight.facts.name, weight.layers, weight.scale and weight.scale.minimum) == ("w", ("inner",), 0.5)
    branches = _profile(graphs.nbits(graphs.branching(), tmp_path / "b.onnx", block_size=16))
    assert sorted(layer.scope for layer in branches.layers) == ["choose.else_branch", "choose.then_branch"]


def test_a_product_of_two_dequantized_weights_and_nothing_else_is_weight_only(tmp_path: Path) -> None:
    path = graphs.nbits(graphs.mlp(), tmp_path / "m.onnx", qdq=True, block_size=16)
    layers = _profile(path).layers
    assert {(layer.mode, layer.format, layer.integer) for layer in layers} == {("weight-only", "QDQ", False)}
    assert all("its input is float" in layer.why for layer in layers)


def test_a_float_model_says_of_every_heavy_layer_that_it_is_float() -> None:
    data = graphs.transformer().SerializeToString()
    found = profile(load({"m": data}, "m"))
    assert len(found.layers) == 8
    assert {(layer.mode, layer.format, layer.integer) for layer in found.layers} == {("float", "none", False)}
    products = [layer.name for layer in found.layers if "multiplies activations" in layer.why]
    assert products == ["scores", "mix"]
