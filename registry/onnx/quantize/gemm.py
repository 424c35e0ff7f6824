"""Gemm as MatMul and Add: dynamic and weight-only quantization know only MatMul.

ONNX Runtime's own rewriting transposes a weight in place even where another node reads it as well, and takes
an absent bias for one; so it is done here, before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.onnx.quantize.graphs import graphs

if TYPE_CHECKING:
    import onnx


def split_gemms(graph: onnx.GraphProto) -> dict[str, str]:
    """Rewrite every plain Gemm with a constant weight; return its name and that of its MatMul.

    Plain: alpha and beta 1, the first input not transposed. The weight's values stay the same.
    """
    renamed = {}
    for inner in graphs(graph):
        weights = {tensor.name: tensor for tensor in inner.initializer}
        for at in reversed(range(len(inner.node))):
            node = inner.node[at]
            if node.op_type == "Gemm" and not node.domain and node.input[1] in weights and _plain(node):
                renamed[node.name] = _split(inner, at, weights)
    return renamed


def _plain(node: onnx.NodeProto) -> bool:
    given = {attribute.name: attribute for attribute in node.attribute}
    ones = all(given[name].f == 1.0 for name in ("alpha", "beta") if name in given)
    return ones and not ("transA" in given and given["transA"].i)


def _split(graph: onnx.GraphProto, at: int, weights: dict[str, onnx.TensorProto]) -> str:
    from onnx import helper

    node = graph.node[at]
    biased = len(node.input) > 2 and bool(node.input[2])
    product = f"{node.output[0]}_MatMul" if biased else node.output[0]
    weight = _turned(graph, weights, node)
    made = [helper.make_node("MatMul", [node.input[0], weight], [product], f"{node.name}_MatMul")]
    if biased:
        made.append(helper.make_node("Add", [product, node.input[2]], [node.output[0]], f"{node.name}_Add"))
    del graph.node[at]
    for offset, one in enumerate(made):
        graph.node.insert(at + offset, one)
    return str(made[0].name)


def _turned(graph: onnx.GraphProto, weights: dict[str, onnx.TensorProto], node: onnx.NodeProto) -> str:
    """The weight's name, of a transposed copy where the Gemm transposes it."""
    from onnx import numpy_helper

    name = node.input[1]
    if not any(attribute.name == "transB" and attribute.i for attribute in node.attribute):
        return str(name)
    turned = f"{name}_transposed"
    if turned not in weights:
        tensor = graph.initializer.add()
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights[name]).T.copy(), turned))
        weights[turned] = tensor
    return turned
