"""What is mutated: small models of every kind of quantization, with branches, functions and external data."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from fuzz.messages import Message, parse
from support import graphs

PATH = "model.onnx"


@dataclass(frozen=True, eq=False)
class Seed:
    """``tree`` is the model, ``files`` what lies beside it, ``origin`` the float model it was made from."""

    name: str
    tree: Message
    files: Mapping[str, bytes]
    origin: Mapping[str, bytes]


@cache
def seeds() -> tuple[Seed, ...]:
    """Made anew, always the same."""
    with tempfile.TemporaryDirectory() as scratch:
        return tuple(_seeds(Path(scratch)))


def _seeds(scratch: Path) -> Iterator[Seed]:
    small = {"mlp": graphs.mlp(hidden=8), "cnn": graphs.cnn(channels=4)}
    small |= {"transformer": graphs.transformer(vocabulary=16, width=16)}
    small |= {"branching": graphs.branching(width=16)}
    for name, model in small.items():
        yield _seed(name, model)
        yield _seed(f"{name}-dynamic", model, graphs.dynamic(model, scratch / "a", extra_options=_INSIDE))
    for name in ("mlp", "cnn"):
        model = small[name]
        made = graphs.static(model, scratch / "b", qdq=True, per_channel=True)
        yield _seed(f"{name}-qdq", model, made)
        yield _seed(f"{name}-qoperator", model, graphs.static(model, scratch / "c", qdq=False))
    wide = graphs.mlp(inputs=32)
    for bits in (4, 8):
        made = graphs.nbits(wide, scratch / "d", bits=bits, block_size=16)
        yield _seed(f"nbits-{bits}", wide, made)
    yield _seed("nbits-qdq", wide, graphs.nbits(wide, scratch / "e", qdq=True, block_size=16))
    yield _seed("nf4", wide, graphs.bnb4(wide, scratch / "f"))
    yield _seed("functions", _functions())
    yield _seed("constants", _constants())
    yield _seed("folding", _folding())
    yield from _outside(scratch)


_INSIDE = {"EnableSubgraph": True}


def _seed(name: str, origin: onnx.ModelProto, made: Path | None = None) -> Seed:
    data = origin.SerializeToString()
    return Seed(name, parse(made.read_bytes() if made else data), {}, {PATH: data})


def _outside(scratch: Path) -> Iterator[Seed]:
    for each in (False, True):
        folder = scratch / f"outside-{each}"
        folder.mkdir()
        graphs.save(graphs.mlp(hidden=8), folder / PATH, external=None if each else "w.bin", each=each)
        files = graphs.files_of(folder)
        origin = dict(files)
        yield Seed(f"external-{'each' if each else 'one'}", parse(files.pop(PATH)), files, origin)


def _functions() -> onnx.ModelProto:
    """Two functions, one calling the other, with an attribute handed down."""
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]
    leaky = helper.make_node("LeakyRelu", ["a"], ["b"])
    leaky.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    inner = helper.make_function("local", "inner", ["a"], ["b"], [leaky], opsets, ["slope"])
    call = helper.make_node("inner", ["p"], ["q"], domain="local", slope=0.5)
    outer = helper.make_function(
        "local", "outer", ["p"], ["r"], [call, helper.make_node("Neg", ["q"], ["r"])], opsets
    )
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("outer", ["x"], ["y"], domain="local")], "g", ends[:1], ends[1:]
    )
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, functions=[inner, outer])


def _folding() -> onnx.ModelProto:
    """All that ONNX Runtime computes when it loads this: divisions, and constants that grow."""
    numbers = {"six": [6, 6], "two": [2, 2], "shape": [2, 2], "repeats": [3], "start": [0], "limit": [4]}
    held = [helper.make_tensor(name, TensorProto.INT64, [len(one)], one) for name, one in numbers.items()]
    held += [helper.make_tensor(f"{name}0", TensorProto.INT64, [], [one[0]]) for name, one in numbers.items()]
    held.append(helper.make_tensor("pads", TensorProto.INT64, [2], [1, 1]))
    folds = [
        ("Div", ["six", "two"], {}),
        ("Mod", ["six", "two"], {}),
        ("Pow", ["six", "two"], {}),
        ("Expand", ["six", "shape"], {}),
        ("Tile", ["six", "repeats"], {}),
        ("Range", ["start0", "limit0", "two0"], {}),
        ("ConstantOfShape", ["shape"], {"value": helper.make_tensor("", TensorProto.INT64, [1], [1])}),
        ("Pad", ["six", "pads"], {}),
        ("OneHot", ["two", "limit0", "shape"], {}),
        ("Gather", ["six", "start"], {}),
        ("Slice", ["six", "start", "limit"], {}),
        ("CumSum", ["six", "start0"], {}),
    ]
    nodes = [helper.make_node(op, ins, [f"f{at}"], **more) for at, (op, ins, more) in enumerate(folds)]
    sums = [f"s{at}" for at in range(len(folds))]
    nodes += [helper.make_node("ReduceSum", [f"f{at}"], [sums[at]], keepdims=0) for at in range(len(folds))]
    nodes.append(helper.make_node("Sum", [f"c{at}" for at in range(len(folds))], ["total"]))
    nodes += [
        helper.make_node("Cast", [one], [f"c{at}"], to=TensorProto.FLOAT) for at, one in enumerate(sums)
    ]
    nodes.append(helper.make_node("Add", ["x", "total"], ["y"]))
    nodes.sort(key=lambda node: node.op_type in ("Sum", "Add") and 1 + (node.op_type == "Add"))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    graph = helper.make_graph(nodes, "folding", ends[:1], ends[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def _constants() -> onnx.ModelProto:
    """Constants of many types, typed and raw, sparse ones, and what shapes are made of."""
    held = [
        helper.make_tensor("typed", TensorProto.FLOAT, [4], [1.0, 2.0, 3.0, 4.0]),
        helper.make_tensor("halves", TensorProto.FLOAT16, [4], [1.0, 2.0, 3.0, 4.0]),
        helper.make_tensor("nibbles", TensorProto.INT4, [3], [1, -2, 3]),
        helper.make_tensor("words", TensorProto.STRING, [2], [b"one", b"two"]),
        helper.make_tensor("shape", TensorProto.INT64, [1], [4]),
        helper.make_tensor("scale", TensorProto.FLOAT, [], [0.5]),
    ]
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("sparse", TensorProto.FLOAT, [1], [1.0]),
        helper.make_tensor("at", TensorProto.INT64, [1], [2]),
        [4],
    )
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("Constant", [], ["thin"], sparse_value=sparse),
        helper.make_node("DequantizeLinear", ["nibbles", "scale"], ["numbers"]),
        helper.make_node("Sum", ["x", "typed", "zeros", "thin"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in "xy"]
    graph = helper.make_graph(nodes, "constants", ends[:1], ends[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
