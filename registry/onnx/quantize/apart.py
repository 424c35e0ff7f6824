"""What the static quantizer mixes up, kept apart before it begins; no value changes.

One weight read in two layouts gets per-channel scales along one axis for both, and its readers then compute
something else: each layout gets a copy of its own. A value that a subgraph reads is replaced by a quantized
one of another name, and is missing inside: it gets an Identity, which is not quantized, to make it.
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
