"""Small steps that tampering with a graph is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper

from support.lineage.surgery import NotApplicable, Surgery, loads

Dice = np.random.Generator
_ATTEMPTS = 12


def candidates(
    data: bytes, rng: Dice, suits: Callable[[NodeProto], bool]
) -> Iterator[tuple[Surgery, NodeProto]]:
    """A fresh copy and one node of it to work on, in random order, a limited number of times."""
    places = [place for place, node in enumerate(Surgery(data).nodes()) if suits(node)]
    rng.shuffle(places)
    for place in places[:_ATTEMPTS]:
        surgery = Surgery(data)
        yield surgery, list(surgery.nodes())[place]


def float_value(surgery: Surgery, rng: Dice, *, unquantized: bool = False) -> str:
    """A float value of the main graph: an input, or the first output of an operator that gives floats."""
    floats = [
        value.name for value in surgery.graph.input if value.type.tensor_type.elem_type == TensorProto.FLOAT
    ]
    known = _types(surgery)
    made = [node.output[0] for node in surgery.graph.node if known.get(node.output[0]) == TensorProto.FLOAT]
    weights = {
        node.output[0] for node in surgery.graph.node if node.input and node.input[0] in surgery.constants
    }
    found = [name for name in (*floats, *made) if name not in weights and name not in surgery.constants]
    if unquantized:
        quantized = {node.input[0] for node in surgery.graph.node if node.op_type == "QuantizeLinear"}
        dequantized = {node.output[0] for node in surgery.graph.node if node.op_type == "DequantizeLinear"}
        found = [name for name in found if name not in quantized | dequantized]
    if not found:
        raise NotApplicable("no float value")
    return found[int(rng.integers(len(found)))]


def _types(surgery: Surgery) -> dict[str, int]:
    """Element types of the main graph's values as far as they can be inferred, and of what gives floats."""
    inferred = onnx.shape_inference.infer_shapes(surgery.model)
    values = (*inferred.graph.value_info, *inferred.graph.output)
    known = {value.name: value.type.tensor_type.elem_type for value in values}
    floats = {
        "MatMulNBits",
        "MatMulBnb4",
        "DynamicQuantizeMatMul",
        "MatMulIntegerToFloat",
        "DequantizeLinear",
    }
    for node in surgery.graph.node:
        if node.op_type in floats or (node.op_type == "Cast" and _attribute(node, "to") == TensorProto.FLOAT):
            known[node.output[0]] = TensorProto.FLOAT
    return known


def shapes(data: bytes) -> dict[str, tuple[object, ...]]:
    """Element type and dims of each value whose shape is known to the last dimension."""
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(data), data_prop=True)
    constants = {tensor.name for tensor in model.graph.initializer}
    found: dict[str, tuple[object, ...]] = {}
    for value in (*model.graph.value_info, *model.graph.input):
        kind = value.type.tensor_type
        dims = [dim.dim_param or dim.dim_value for dim in kind.shape.dim]
        if kind.HasField("shape") and all(dims) and value.name not in constants:
            found[value.name] = (kind.elem_type, *dims)
    return found


def values_before(graph: GraphProto, node: NodeProto, surgery: Surgery) -> list[str]:
    """Values that exist before ``node`` in its graph, in the order of the file."""
    made = [value.name for value in graph.input if value.name not in surgery.constants]
    for each in graph.node:
        if each is node or list(each.output) == list(node.output):
            return made
        made += each.output
    return made


def origin(graph: GraphProto, name: str) -> str:
    """The value that this one is, quantized and dequantized on the way or not."""
    made = {
        node.output[0]: node for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")
    }
    while name in made:
        name = made[name].input[0]
    return name


def redirect(surgery: Surgery, name: str, target: str, *, outputs: bool = False) -> None:
    """Whoever reads ``name`` reads ``target``; with ``outputs``, an output of that name is made from it."""
    for node in surgery.nodes():
        for place, each in enumerate(node.input):
            if each == name:
                node.input[place] = target
    if outputs and name in {value.name for value in surgery.graph.output}:
        surgery.graph.node.append(helper.make_node("Identity", [target], [f"{name}.out"]))
        for value in surgery.graph.output:
            if value.name == name:
                value.name = f"{name}.out"


def insert_after(graph: GraphProto, source: str, nodes: Sequence[NodeProto]) -> None:
    place = next((place + 1 for place, node in enumerate(graph.node) if source in node.output), 0)
    for offset, node in enumerate(nodes):
        graph.node.insert(place + offset, node)


def owner(surgery: Surgery, node: NodeProto) -> GraphProto:
    return next(graph for graph in surgery.graphs if any(each is node or each == node for each in graph.node))


def _attribute(node: NodeProto, name: str) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), 0)


def checked(surgery: Surgery) -> bytes:
    changed = surgery.done()
    if not loads(changed):
        raise NotApplicable("ONNX Runtime refuses the result")
    return changed


def fresh(rng: Dice) -> str:
    return f"value_{rng.integers(1 << 40):x}"
