"""More float models, of shapes that ``support.graphs`` lacks: batch norm, depthwise and residual blocks,
recurrent layers, and a transformer whose layer norm and GELU are written out in small operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8  # what releases of three years ago read, too

Shapes = Mapping[str, tuple[int, ...]]


def bn_cnn(*, channels: int = 8) -> onnx.ModelProto:
    """Two convolutions without biases, each followed by batch norm; image[n, 3, 12, 12] to y[n, 6]."""
    twice = 2 * channels
    shapes = {"c1.w": (channels, 3, 3, 3), "c2.w": (twice, channels, 3, 3), "fc.w": (6, twice), "fc.b": (6,)}
    weights = [*_weights(shapes, 21), *_norm("bn1", channels, 22), *_norm("bn2", twice, 23)]
    make = helper.make_node
    nodes = [
        make("Conv", ["image", "c1.w"], ["c1"], "conv1", pads=[1] * 4),
        _batch_norm("c1", "bn1", "n1"),
        make("Relu", ["n1"], ["r1"], "relu1"),
        make("MaxPool", ["r1"], ["p1"], "pool1", kernel_shape=[2, 2], strides=[2, 2]),
        make("Conv", ["p1", "c2.w"], ["c2"], "conv2", pads=[1] * 4),
        _batch_norm("c2", "bn2", "n2"),
        make("Relu", ["n2"], ["r2"], "relu2"),
        make("GlobalAveragePool", ["r2"], ["p2"], "pool2"),
        make("Flatten", ["p2"], ["f"], "flat"),
        make("Gemm", ["f", "fc.w", "fc.b"], ["y"], "fc", transB=1),
    ]
    return _model("bn-cnn", nodes, weights, {"image": ["n", 3, 12, 12]}, {"y": ["n", 6]})


def residual(*, channels: int = 8) -> onnx.ModelProto:
    """A mobile block: expand, depthwise, project, each with batch norm and ReLU6, and a skip around it."""
    wide = 3 * channels
    shapes: Shapes = {
        "stem.w": (channels, 3, 3, 3),
        "stem.b": (channels,),
        "up.w": (wide, channels, 1, 1),
        "deep.w": (wide, 1, 3, 3),
        "down.w": (channels, wide, 1, 1),
        "fc.w": (channels, 5),
        "fc.b": (5,),
    }
    weights = [*_weights(shapes, 31), _scalar(0.0, "low"), _scalar(6.0, "high")]
    for place, (name, width) in enumerate({"up.bn": wide, "deep.bn": wide, "down.bn": channels}.items()):
        weights += _norm(name, width, 32 + place)
    make = helper.make_node
    nodes = [
        make("Conv", ["image", "stem.w", "stem.b"], ["s"], "stem", strides=[2, 2], pads=[1] * 4),
        make("Clip", ["s", "low", "high"], ["s6"], "stem.act"),
        make("Conv", ["s6", "up.w"], ["u"], "up"),
        _batch_norm("u", "up.bn", "un"),
        make("Clip", ["un", "low", "high"], ["u6"], "up.act"),
        make("Conv", ["u6", "deep.w"], ["d"], "deep", group=wide, pads=[1] * 4),
        _batch_norm("d", "deep.bn", "dn"),
        make("Clip", ["dn", "low", "high"], ["d6"], "deep.act"),
        make("Conv", ["d6", "down.w"], ["o"], "down"),
        _batch_norm("o", "down.bn", "on"),
        make("Add", ["s6", "on"], ["sum"], "skip"),
        make("ReduceMean", ["sum"], ["m"], "mean", axes=[2, 3], keepdims=0),
        make("MatMul", ["m", "fc.w"], ["l"], "fc"),
        make("Add", ["l", "fc.b"], ["y"], "fc.bias"),
    ]
    return _model("residual", nodes, weights, {"image": ["n", 3, 16, 16]}, {"y": ["n", 5]})


def recurrent(kind: str, *, inputs: int = 12, hidden: int = 16) -> onnx.ModelProto:
    """``kind`` LSTM or GRU, its last state into a dense layer: x[6, n, 12] to y[n, 4]."""
    gates = {"LSTM": 4, "GRU": 3}[kind]
    shapes: Shapes = {
        "r.w": (1, gates * hidden, inputs),
        "r.r": (1, gates * hidden, hidden),
        "r.b": (1, 2 * gates * hidden),
        "fc.w": (hidden, 4),
        "fc.b": (4,),
    }
    weights = [*_weights(shapes, 41), numpy_helper.from_array(np.asarray([0], np.int64), "first")]
    make = helper.make_node
    nodes = [
        make(kind, ["x", "r.w", "r.r", "r.b"], ["all", "last"], "cell", hidden_size=hidden),
        make("Squeeze", ["last", "first"], ["h"], "squeeze"),
        make("MatMul", ["h", "fc.w"], ["l"], "fc"),
        make("Add", ["l", "fc.b"], ["y"], "fc.bias"),
    ]
    return _model(kind.lower(), nodes, weights, {"x": [6, "n", inputs]}, {"y": ["n", 4]})


def encoder(*, vocabulary: int = 48, width: int = 24, heads: int = 3) -> onnx.ModelProto:
    """One encoder layer of several heads, its layer norms and its GELU in small operators:
    tokens[n, 7] to y[n, 5]."""
    shapes: Shapes = {
        "emb": (vocabulary, width),
        "pos": (1, 7, width),
        **{f"{part}.w": (width, width) for part in "qkvo"},
        **{f"{part}.b": (width,) for part in "qkvo"},
        "up.w": (width, 2 * width),
        "up.b": (2 * width,),
        "down.w": (2 * width, width),
        "down.b": (width,),
        "cls.w": (5, width),
        "cls.b": (5,),
        **{f"{norm}.{part}": (width,) for norm in ("ln1", "ln2") for part in ("g", "b")},
    }
    values = {
        "eps": 1e-5,
        "two": 2.0,
        "root2": 2**0.5,
        "one": 1.0,
        "half": 0.5,
        "root": (width / heads) ** 0.5,
    }
    weights = [*_weights(shapes, 51), *(_scalar(value, name) for name, value in values.items())]
    weights.append(numpy_helper.from_array(np.asarray([0, 7, heads, width // heads], np.int64), "split"))
    weights.append(numpy_helper.from_array(np.asarray([0, 7, width], np.int64), "join"))
    make = helper.make_node
    nodes = [
        make("Gather", ["emb", "tokens"], ["e0"], "embed"),
        make("Add", ["e0", "pos"], ["e"], "position"),
    ]
    for part, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
        nodes += _dense("e", part, f"{part}1")
        nodes.append(make("Reshape", [f"{part}1", "split"], [f"{part}2"], f"{part}.split"))
        nodes.append(make("Transpose", [f"{part}2"], [f"{part}3"], f"{part}.turn", perm=perm))
    nodes += [
        make("MatMul", ["q3", "k3"], ["qk"], "scores"),
        make("Div", ["qk", "root"], ["qks"], "scaled"),
        make("Softmax", ["qks"], ["p"], "softmax", axis=-1),
        make("MatMul", ["p", "v3"], ["a0"], "mix"),
        make("Transpose", ["a0"], ["a1"], "back", perm=[0, 2, 1, 3]),
        make("Reshape", ["a1", "join"], ["a"], "join.heads"),
        *_dense("a", "o", "o1"),
        make("Add", ["e", "o1"], ["s1"], "skip1"),
        *_layer_norm("s1", "ln1", "n1"),
        *_dense("n1", "up", "h"),
        *_gelu("h", "hg"),
        *_dense("hg", "down", "d"),
        make("Add", ["n1", "d"], ["s2"], "skip2"),
        *_layer_norm("s2", "ln2", "n2"),
        make("ReduceMean", ["n2"], ["m"], "mean", axes=[1], keepdims=0),
        make("Gemm", ["m", "cls.w", "cls.b"], ["y"], "cls", transB=1),
    ]
    tokens = helper.make_tensor_value_info("tokens", TensorProto.INT64, ["n", 7])
    return _model("encoder", nodes, weights, {}, {"y": ["n", 5]}, extra=[tokens])


def near_twin(model: onnx.ModelProto, rng: np.random.Generator, *, spread: float = 0.02) -> onnx.ModelProto:
    """The same network "trained again": each float weight of more than one dimension moved a little."""
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    for tensor in twin.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1:
            values = numpy_helper.to_array(tensor)
            noise = rng.standard_normal(values.shape) * spread * float(np.std(values))
            tensor.CopyFrom(numpy_helper.from_array((values + noise).astype("f"), tensor.name))
    return twin


def at_opset(model: onnx.ModelProto, opset: int = OPSET, ir_version: int = IR_VERSION) -> onnx.ModelProto:
    """The same nodes under an older operator set: only for models whose operators did not change since."""
    older = onnx.ModelProto()
    older.CopyFrom(model)
    older.opset_import[0].version, older.ir_version = opset, ir_version
    onnx.checker.check_model(older, full_check=True)
    return older


def _dense(source: str, name: str, result: str) -> list[NodeProto]:
    return [
        helper.make_node("MatMul", [source, f"{name}.w"], [f"{name}.m"], name),
        helper.make_node("Add", [f"{name}.m", f"{name}.b"], [result], f"{name}.bias"),
    ]


def _layer_norm(source: str, name: str, result: str) -> list[NodeProto]:
    make, part = helper.make_node, lambda letter: f"{name}.{letter}"
    return [
        make("ReduceMean", [source], [part("mean")], part("m"), axes=[-1]),
        make("Sub", [source, part("mean")], [part("x")], part("sub")),
        make("Pow", [part("x"), "two"], [part("xx")], part("pow")),
        make("ReduceMean", [part("xx")], [part("var")], part("v"), axes=[-1]),
        make("Add", [part("var"), "eps"], [part("safe")], part("eps")),
        make("Sqrt", [part("safe")], [part("dev")], part("sqrt")),
        make("Div", [part("x"), part("dev")], [part("unit")], part("div")),
        make("Mul", [part("unit"), part("g")], [part("scaled")], part("mul")),
        make("Add", [part("scaled"), part("b")], [result], part("add")),
    ]


def _gelu(source: str, result: str) -> list[NodeProto]:
    make = helper.make_node
    return [
        make("Div", [source, "root2"], ["g1"], "gelu.div"),
        make("Erf", ["g1"], ["g2"], "gelu.erf"),
        make("Add", ["g2", "one"], ["g3"], "gelu.add"),
        make("Mul", [source, "g3"], ["g4"], "gelu.mul"),
        make("Mul", ["g4", "half"], [result], "gelu.half"),
    ]


def _batch_norm(source: str, name: str, result: str) -> NodeProto:
    inputs = [source, *(f"{name}.{part}" for part in ("scale", "bias", "mean", "var"))]
    return helper.make_node("BatchNormalization", inputs, [result], name)


def _norm(name: str, width: int, seed: int) -> list[TensorProto]:
    """What a trained batch norm holds: scales around one, variances above zero."""
    rng = np.random.default_rng(seed)
    values = {"scale": rng.uniform(0.6, 1.5, width), "var": rng.uniform(0.3, 2.0, width)}
    values |= {"bias": rng.normal(0, 0.2, width), "mean": rng.normal(0, 0.3, width)}
    return [numpy_helper.from_array(each.astype("f"), f"{name}.{part}") for part, each in values.items()]


def _scalar(value: float, name: str) -> TensorProto:
    return numpy_helper.from_array(np.float32(value), name)


def _weights(shapes: Shapes, seed: int) -> list[TensorProto]:
    rng, made = np.random.default_rng(seed), []
    for name, shape in shapes.items():
        spread = max(np.prod(shape[1:] if len(shape) == 4 else shape[-1:]), 1) ** -0.5
        made.append(numpy_helper.from_array((rng.standard_normal(shape) * spread).astype("f"), name))
    return made


def _model(
    name: str,
    nodes: Sequence[NodeProto],
    weights: Sequence[TensorProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, Sequence[int | str]],
    extra: Sequence[onnx.ValueInfoProto] = (),
) -> onnx.ModelProto:
    def values(shapes: Mapping[str, Sequence[int | str]]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(key, TensorProto.FLOAT, dims) for key, dims in shapes.items()]

    graph = helper.make_graph(nodes, name, [*values(inputs), *extra], values(outputs), weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(made, full_check=True)
    return made
