"""Weights that cannot matter to how a model loads, and so need not be handed over.

At load, ONNX Runtime computes what follows from constants alone. A weight that is only ever multiplied with
data from the model's inputs takes no part in that, so zeros in its place load the same way: gigabytes stay
where they are, unread. In doubt a weight is handed over: small ones, all in subgraphs, everything in a model
with functions, and whatever meets any other operator than those below.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from registry.onnx.external import locate
from registry.onnx.ir import Graph, Model, Node, Tensor
from registry.onnx.wire import Span

LARGE: Final = 1 << 20  # bytes: below, copying costs less than thinking

# Operators that weigh their input; none has a form in ONNX Runtime in which weights are computed with alone.
_WEIGHING: Final = frozenset(
    (
        *("MatMul", "Gemm", "Conv", "ConvTranspose", "LSTM", "GRU", "RNN", "Gather"),
        *("MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv", "QGemm", "QAttention", "Attention"),
        *("MatMulNBits", "MatMulBnb4", "GatherBlockQuantized", "MatMulIntegerToFloat", "FusedMatMul"),
        *("DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "FusedConv", "FusedGemm", "MoE", "QMoE"),
    )
)
_DOMAINS: Final = frozenset(("", "com.microsoft"))
_SHAPES: Final = frozenset(("Shape", "Size"))  # known at load even of values that are not

Spans = Mapping[str, Sequence[Span]]


def spared(model: Model, path: str, sizes: Mapping[str, int]) -> Spans:
    """The bytes of each file that need not be there: in order, and apart from each other.

    Raises InvalidModel, UnsafePath.
    """
    if model.functions:
        return {}
    names = _idle(model.graph)
    of_main = {tensor.span for tensor in model.graph.initializers if tensor.name in names}
    idle: dict[str, list[Span]] = defaultdict(list)
    taken: dict[str, list[Span]] = defaultdict(list)
    for tensor, file, span in _homes(model, path, sizes):
        large = tensor.span in of_main and span.length >= LARGE
        (idle if large else taken)[file].append(span)
    return {file: list(_merged(_free(spans, taken[file]))) for file, spans in idle.items()}


def _homes(model: Model, path: str, sizes: Mapping[str, int]) -> Iterator[tuple[Tensor, str, Span]]:
    """Where every tensor's bytes are, but for those stored as typed numbers."""
    for tensor in model.tensors():
        if tensor.external is not None:
            file, offset, length = locate(tensor, tensor.external, path, sizes)
            yield tensor, file, Span(offset, length)
        elif tensor.raw is not None:
            yield tensor, path, tensor.raw


def _idle(graph: Graph) -> set[str]:
    """Names of initializers that are only weighed with what is unknown at load."""
    varying = _varying(graph)
    named = {name for node in graph.nodes for name in _captured(node)}
    named |= {value.name for value in (*graph.inputs, *graph.outputs)}
    for node in graph.nodes:
        weighs = node.op_type in _WEIGHING and node.domain in _DOMAINS
        if not (weighs and varying.intersection(node.inputs)):
            named.update(node.inputs)
        named.update(node.outputs)
    return {tensor.name for tensor in graph.initializers} - named


def _varying(graph: Graph) -> set[str]:
    """Names of values that are surely not computed at load: they follow from an input, not from its shape."""
    users: dict[str, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        if node.op_type not in _SHAPES:
            for name in node.inputs:
                users[name].append(node)
    given = {tensor.name for tensor in graph.initializers}
    left = [value.name for value in graph.inputs if value.name not in given]
    found: set[str] = set()
    while left:
        name = left.pop()
        if name and name not in found:
            found.add(name)
            left += [output for node in users[name] for output in node.outputs]
    return found


def _captured(node: Node) -> Iterator[str]:
    """Every name that occurs in a node's subgraphs, at any depth."""
    graphs = [graph for _, graph in node.subgraphs]
    while graphs:
        graph = graphs.pop()
        yield from (value.name for value in graph.outputs)
        for inner in graph.nodes:
            yield from inner.inputs
            graphs += [held for _, held in inner.subgraphs]


def _free(spans: list[Span], taken: list[Span]) -> Iterator[Span]:
    """The spans that share no byte with one that is taken."""
    order = sorted(taken)
    starts = [span.offset for span in order]
    reach = [0, *accumulate((span.offset + span.length for span in order), max)]
    for span in spans:
        if reach[bisect_left(starts, span.offset + span.length)] <= span.offset:
            yield span


def _merged(spans: Iterator[Span]) -> Iterator[Span]:
    """The same bytes, each once, in order: two tensors may be the same place in a file."""
    at = 0
    for span in sorted(spans):
        start, end = max(span.offset, at), span.offset + span.length
        if start < end:
            yield Span(start, end - start)
            at = end
