"""What the static quantizer takes wrongly, set right before it begins; no value changes.

One weight read in two layouts gets per-channel scales along one axis for both, and its readers then compute
something else: each layout gets a copy of its own. A value that a subgraph reads is replaced by a quantized
one of another name, and is missing inside: it gets an Identity, which is not quantized, to make it. A Gemm's
bias is taken for a vector of one element a column, whatever its shape: it becomes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.onnx.quantize.graphs import read, subgraphs

if TYPE_CHECKING:
    import onnx

_WEIGHTED = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul", "Gather"))


def separate_layouts(graph: onnx.GraphProto) -> None:
    """Give each layout in which a weight is read a weight of its own; the first keeps the name."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    copies: dict[tuple[str, str], str] = {}
    seen: dict[str, str] = {}
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name not in weights or node.op_type not in _WEIGHTED or len(weights[name].dims) < 2:
                continue
            layout = _layout(node)
            if seen.setdefault(name, layout) == layout:
                continue
            if (name, layout) not in copies:
                made = graph.initializer.add()
                made.CopyFrom(weights[name])
                made.name = copies[name, layout] = f"{name}_for_{layout}"
            node.input[at] = copies[name, layout]


def _layout(node: onnx.NodeProto) -> str:
    turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return f"{node.op_type}_turned" if turned else node.op_type.replace("Gemm", "MatMul")


def flatten_biases(graph: onnx.GraphProto) -> None:
    """Make a Gemm's constant bias a vector where its rows are all the same: [1, N], [1] and [] are [N]."""
    import numpy as np
    from onnx import numpy_helper

    held = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "Gemm" or node.domain or len(node.input) < 3:
            continue
        weight, bias = held.get(node.input[1]), held.get(node.input[2])
        if weight is None or bias is None or len(weight.dims) != 2:
            continue
        columns = weight.dims[0 if _layout(node).endswith("turned") else 1]
        rows = bias.dims[0] if len(bias.dims) == 2 else 1
        if rows != 1 or list(bias.dims) == [columns]:
            continue
        name = f"{bias.name}_as_{columns}"
        if name not in held:
            values = np.broadcast_to(numpy_helper.to_array(bias).reshape(-1), (columns,))
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
            held[name] = graph.initializer[-1]
        node.input[2] = name


def shield_subgraphs(graph: onnx.GraphProto) -> None:
    """Make every value that a subgraph reads by an Identity; nodes of the graph read what that reads."""
    from onnx import helper

    wanted = {name for node in graph.node for inner in subgraphs(node) for name in read(inner)}
    made = [name for node in graph.node for name in node.output if name in wanted]
    renamed = {name: f"{name}_before_Identity" for name in dict.fromkeys(made)}
    for node in graph.node:
        for names in (node.input, node.output):
            for at, name in enumerate(names):
                if name in renamed:
                    names[at] = renamed[name]
    for name, before in renamed.items():
        graph.node.append(helper.make_node("Identity", [before], [name], f"{name}_Identity"))
