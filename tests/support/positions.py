"""Float models whose operators quantizers and optimizers treat in different ways, and edits of graphs.

Weights come from fixed seeds. Edits return a copy.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from registry.onnx.loaded import Loaded, load

IR_VERSION = 8
FLOAT = TensorProto.FLOAT
Array = "np.ndarray[Any, Any]"
_make = helper.make_node


def read(model: onnx.ModelProto) -> Loaded:
    """The model as our own reader sees it."""
    return load({"m.onnx": model.SerializeToString()}, "m.onnx")


def weights(*shape: int, seed: int = 5) -> np.ndarray[Any, Any]:
    """Numbers of the size that trained weights have."""
    generator = np.random.default_rng((seed, *shape))
    return (generator.standard_normal(shape) * max(1, int(np.prod(shape[1:]))) ** -0.5).astype(np.float32)


def graph_model(
    nodes: Iterable[onnx.NodeProto],
    constants: dict[str, Any],
    shape: list[int | str],
    *,
    opset: int = 17,
    functions: Iterable[onnx.FunctionProto] = (),
    output: int = FLOAT,
) -> onnx.ModelProto:
    """A model from x (float, of ``shape``) to y."""
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    inputs = [helper.make_tensor_value_info("x", FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", output, None)]
    graph = helper.make_graph(list(nodes), "graph", inputs, outputs, held)
    domains = [helper.make_opsetid("", opset), *(helper.make_opsetid(one.domain, 1) for one in functions)]
    return helper.make_model(graph, opset_imports=domains, functions=list(functions), ir_version=IR_VERSION)


def normalized(*, opset: int = 17) -> onnx.ModelProto:
    """Convolutions with batch norm, a residual, a Clip to [0, 6] and a depthwise part: x[n, 3, 12, 12]."""
    held: dict[str, Any] = {"w1": weights(8, 3, 3, 3), "b1": weights(8), "w2": weights(8, 8, 3, 3)}
    held |= {"w3": weights(8, 1, 3, 3), "fc.w": weights(10, 8), "fc.b": weights(10)}
    for at in "123":
        held |= {f"gamma{at}": 1 + weights(8, seed=int(at)) / 5, f"beta{at}": weights(8, seed=int(at))}
        held |= {f"mean{at}": weights(8, seed=9), f"var{at}": np.abs(weights(8, seed=8)) + np.float32(0.5)}
    bounds = ["low", "high"] if opset >= 11 else []
    if bounds:
        held |= {"low": np.float32(0), "high": np.float32(6)}
    nodes = [
        _make("Conv", ["x", "w1", "b1"], ["c1"], "conv1", kernel_shape=[3, 3], pads=[1] * 4),
        _norm("c1", "1"),
        _make("Relu", ["n1"], ["r1"], "relu1"),
        _make("MaxPool", ["r1"], ["p1"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        _make("Conv", ["p1", "w2"], ["c2"], "conv2", pads=[1] * 4),
        _norm("c2", "2"),
        _make("Add", ["n2", "p1"], ["a2"], "residual"),
        _make("Clip", ["a2", *bounds], ["r2"], "clip", **({} if bounds else {"min": 0.0, "max": 6.0})),
        _make("Conv", ["r2", "w3"], ["c3"], "depthwise", group=8, pads=[1] * 4),
        _norm("c3", "3"),
        _make("HardSigmoid", ["n3"], ["h"], "gate"),
        _make("Mul", ["n3", "h"], ["s"], "swish"),
        _make("GlobalAveragePool", ["s"], ["g"], "mean"),
        _make("Flatten", ["g"], ["f"], "flat"),
        _make("Gemm", ["f", "fc.w", "fc.b"], ["y"], "fc", transB=1),
    ]
    return graph_model(nodes, held, ["n", 3, 12, 12], opset=opset)


def _norm(source: str, at: str) -> onnx.NodeProto:
    names = [f"{part}{at}" for part in ("gamma", "beta", "mean", "var")]
    return _make("BatchNormalization", [source, *names], [f"n{at}"], f"norm{at}", epsilon=1e-3)


def varied(*, opset: int = 17) -> onnx.ModelProto:
    """Pad, Split, Concat, ConvTranspose, Resize, Reshape, Softmax, constants per channel: x[n, 4, 8, 8]."""
    held: dict[str, Any] = {"w": weights(8, 4, 3, 3), "up.w": weights(8, 4, 2, 2), "up.b": weights(4)}
    held |= {"offset": weights(1, 8, 1, 1), "factor": weights(1, 8, 1, 1), "mm": weights(256, 16)}
    held |= {"one": np.float32(1), "zero": np.float32(0), "flat": np.array([0, -1])}
    held |= {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "none": np.zeros(0, np.float32)}
    held |= {"scales": np.array([1, 1, 2, 2], np.float32), "parts": np.array([4, 4]), "axis": np.array([1])}
    if opset < 13:
        del held["parts"], held["axis"]
    split = _make("Split", ["l", "parts"], ["s1", "s2"], "split", axis=1)
    unsqueeze = _make("Unsqueeze", ["z", "axis"], ["u"], "unsqueeze")
    if opset < 13:
        split = _make("Split", ["l"], ["s1", "s2"], "split", axis=1, split=[4, 4])
        unsqueeze = _make("Unsqueeze", ["z"], ["u"], "unsqueeze", axes=[1])
    nodes = [
        _make("Pad", ["x", "pads"], ["p"], "pad", mode="constant"),
        _make("Conv", ["p", "w"], ["c"], "conv"),
        _make("Add", ["c", "offset"], ["o"], "offset"),
        _make("Mul", ["o", "factor"], ["m"], "factor"),
        _make("LeakyRelu", ["m"], ["l"], "leaky", alpha=0.1),
        split,
        _make("Sigmoid", ["s1"], ["g"], "gate"),
        _make("Mul", ["g", "s2"], ["gs"], "gated"),
        _make("Concat", ["gs", "s1"], ["cat"], "concat", axis=1),
        _make("ConvTranspose", ["cat", "up.w", "up.b"], ["t"], "up", strides=[2, 2]),
        _make("Resize", ["t", "none", "scales"], ["r"], "resize", mode="nearest"),
        _make("AveragePool", ["r"], ["a"], "pool", kernel_shape=[4, 4], strides=[4, 4]),
        _make("Reshape", ["a", "flat"], ["f"], "reshape"),
        _make("MatMul", ["f", "mm"], ["d"], "dense"),
        _make("Mul", ["d", "one"], ["i"], "times_one"),
        _make("Add", ["i", "zero"], ["z"], "plus_zero"),
        unsqueeze,
        _make("Transpose", ["u"], ["v"], "turn", perm=[0, 2, 1]),
        _make("Softmax", ["v"], ["q"], "softmax", axis=1 if opset >= 13 else 2),
        _make("ReduceMean", ["q"], ["y"], "reduce", axes=[2], keepdims=0),
    ]
    return graph_model(nodes, held, ["n", 4, 8, 8], opset=opset)


def recurrent(*, directions: int = 2) -> onnx.ModelProto:
    """An LSTM and a dense layer: x[5, n, 12]."""
    hidden = 8
    held = {"W": weights(directions, 4 * hidden, 12), "R": weights(directions, 4 * hidden, hidden)}
    held |= {"B": weights(directions, 8 * hidden), "fc": weights(directions * hidden, 6), "b": weights(6)}
    direction = "bidirectional" if directions == 2 else "forward"
    nodes = [
        _make("LSTM", ["x", "W", "R", "B"], ["h"], "lstm", hidden_size=hidden, direction=direction),
        _make("Transpose", ["h"], ["t"], "turn", perm=[0, 2, 1, 3]),
        _make("Reshape", ["t", "shape"], ["r"], "reshape"),
        _make("MatMul", ["r", "fc"], ["m"], "dense"),
        _make("Add", ["m", "b"], ["a"], "bias"),
        _make("ArgMax", ["a"], ["y"], "best", axis=-1),
    ]
    held["shape"] = np.array([0, 0, -1])
    return graph_model(nodes, held, [5, "n", 12], output=TensorProto.INT64)


def attention(*, opset: int = 14) -> onnx.ModelProto:
    """Attention as exporters write it out: erf-GELU, shapes computed as the model runs: x[n, t, 16]."""
    held: dict[str, Any] = {"w1": weights(16, 32), "b1": weights(32), "w2": weights(32, 16)}
    held |= {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)}
    held |= {"0": np.array(0), "1": np.array(1), "at": np.array([0]), "2": np.array([2]), "8": np.array([8])}
    held |= {"16": np.array([16])}
    nodes = [
        _make("MatMul", ["x", "w1"], ["m"], "up"),
        _make("Add", ["b1", "m"], ["a"], "bias"),
        _make("Div", ["a", "root"], ["d"], "divide"),
        _make("Erf", ["d"], ["e"], "erf"),
        _make("Add", ["e", "one"], ["e1"], "plus"),
        _make("Mul", ["a", "e1"], ["ae"], "times"),
        _make("Mul", ["ae", "half"], ["g"], "gelu"),
        _make("MatMul", ["g", "w2"], ["r"], "down"),
        _make("Shape", ["r"], ["s"], "shape"),
        _make("Gather", ["s", "0"], ["s0"], "batch"),
        _make("Gather", ["s", "1"], ["s1"], "time"),
        _make("Unsqueeze", ["s0", "at"], ["u0"], "batch1"),
        _make("Unsqueeze", ["s1", "at"], ["u1"], "time1"),
        _make("Concat", ["u0", "u1", "2", "8"], ["split"], "split", axis=0),
        _make("Reshape", ["r", "split"], ["h"], "heads"),
        _make("Transpose", ["h"], ["q"], "query", perm=[0, 2, 1, 3]),
        _make("Transpose", ["h"], ["k"], "key", perm=[0, 2, 3, 1]),
        _make("MatMul", ["q", "k"], ["qk"], "scores"),
        _make("Softmax", ["qk"], ["p"], "softmax", axis=-1),
        _make("MatMul", ["p", "q"], ["pv"], "mix"),
        _make("Transpose", ["pv"], ["o"], "back", perm=[0, 2, 1, 3]),
        _make("Concat", ["u0", "u1", "16"], ["whole"], "whole", axis=0),
        _make("Reshape", ["o", "whole"], ["y"], "join"),
    ]
    return graph_model(nodes, held, ["n", "t", 16], opset=opset)


VARIED: dict[str, Callable[[], onnx.ModelProto]] = {
    "normalized": normalized,
    "varied": varied,
    "recurrent": recurrent,
    "attention": attention,
}


def copy(model: onnx.ModelProto) -> onnx.ModelProto:
    kept = onnx.ModelProto()
    kept.CopyFrom(model)
    return kept


def renamed(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """Every value and node under another name; recorded shapes dropped."""
    edited, dice = copy(model), random.Random(seed)
    names: dict[str, str] = {"": ""}

    def new(name: str) -> str:
        return names.setdefault(name, f"{dice.random()}.{len(names)}")

    def rename(graph: onnx.GraphProto) -> None:
        for held in (*graph.initializer, *graph.input, *graph.output):
            held.name = new(held.name)
        for node in graph.node:
            node.name = f"node{dice.random()}"
            node.input[:], node.output[:] = map(new, node.input), map(new, node.output)
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    rename(attribute.g)
        del graph.value_info[:]

    rename(edited.graph)
    return edited


def shuffled(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """Nodes and initializers in any order, which need not be topological."""
    edited, dice = copy(model), random.Random(seed)
    for held in (edited.graph.node, edited.graph.initializer):
        kept = [*held]
        dice.shuffle(kept)
        del held[:]
        held.extend(kept)
    return edited


def spliced(model: onnx.ModelProto, value: str, op: str, *constants: float, **attrs: Any) -> onnx.ModelProto:
    """A new node behind ``value``, for all who took it."""
    edited = copy(model)
    graph, made = edited.graph, f"{value}.spliced"
    for node in graph.node:
        node.input[:] = [made if name == value else name for name in node.input]
    for output in graph.output:
        if output.name == value:
            raise ValueError("an output keeps its name")
    names = [f"spliced.{at}" for at in range(len(constants))]
    graph.initializer.extend(
        numpy_helper.from_array(np.array(number, np.float32), name)
        for name, number in zip(names, constants, strict=True)
    )
    graph.node.append(_make(op, [value, *names], [made], "spliced", **attrs))
    return edited


def node(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    """The node of that name."""
    return next(one for one in model.graph.node if one.name == name)
