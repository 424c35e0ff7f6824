"""Compares what a file claims about its quantization with what its graph says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from registry.onnx import elements
from registry.onnx.facts import Surveyed
from registry.onnx.profile.metadata import Annotation, Metadata, Said
from registry.onnx.profile.values import Claim, Layer
from registry.onnx.profile.wording import Assertion, Wanted, assertions
from registry.onnx.quantization import QuantizedTensor

_SOME = 0.1  # share of the elements from which on "it is so" is no lie
_MOST = 0.9  # and from which on "all are so" is none
_SHOWN = 4  # kinds named in a sentence
_QUANTIZER = "onnx.quantize"  # what ONNX Runtime's quantizer writes as the producer

Weighed = Sequence[tuple[QuantizedTensor, int]]  # a tensor and how many elements it counts for


class Graph(NamedTuple):
    """What the graph says, in the form that claims are compared with."""

    mode: str
    format: str
    modes: frozenset[str]
    formats: frozenset[str]
    weights: Weighed
    activations: Weighed
    floats: Counter[str]  # elements by type


def claims(said: Metadata, found: Surveyed, layers: tuple[Layer, ...]) -> tuple[Claim, ...]:
    """Every claim, those that disagree first, each once."""
    graph = _graph(found, layers)
    made = [*_producer(said.producer, graph)]
    for one in said.said:
        made += (_claim(one, assertion, graph) for assertion in assertions(one))
    made += (_annotated(one, found) for one in said.annotations)
    return tuple(sorted(dict.fromkeys(made), key=lambda one: one.agrees))


def _graph(found: Surveyed, layers: tuple[Layer, ...]) -> Graph:
    facts = found.facts
    weights = [one for one in facts.tensors if one.role == "weight" and one.stored]
    floats: Counter[str] = Counter()
    for tensor in found.floats:
        floats[elements.name(tensor.data_type)] += tensor.elements
    return Graph(
        facts.mode,
        facts.format,
        frozenset(layer.mode for layer in layers),
        frozenset(layer.format for layer in layers),
        [(one, elements.count(one.shape or (), one.name)) for one in weights],
        [(one, 1) for one in facts.tensors if one.role == "activation"],
        floats,
    )


def _producer(producer: str, graph: Graph) -> Iterator[Claim]:
    if producer.startswith(_QUANTIZER):
        yield _claim(Said("producer", producer), Assertion("quantized", True), graph)
    else:
        for one in assertions(Said("producer", producer)):
            yield _claim(Said("producer", producer), one, graph)


def _claim(said: Said, assertion: Assertion, graph: Graph) -> Claim:
    told, agrees = _judge(assertion, graph)
    return Claim(said.key, str(assertion), told, agrees)


def _judge(assertion: Assertion, graph: Graph) -> tuple[str, bool]:
    wanted = assertion.wanted
    match assertion.facet:
        case "mode":
            return graph.mode, wanted == graph.mode or (graph.mode == "mixed" and wanted in graph.modes)
        case "format":
            return graph.format, wanted == graph.format or (
                graph.format == "mixed" and wanted in graph.formats
            )
        case "quantized":
            return graph.mode, wanted == (graph.mode != "float")
        case "type":
            return _type(str(wanted), assertion.role, graph)
        case "bits":
            return _bits(int(wanted), assertion.role, graph)
        case facet:
            return _described(facet, wanted, graph.activations if _acts(assertion) else graph.weights)


def _acts(assertion: Assertion) -> bool:
    return assertion.role == "activation"


def _type(wanted: str, role: str, graph: Graph) -> tuple[str, bool]:
    side = graph.activations if role == "activation" else graph.weights
    if wanted.startswith(("FLOAT", "BFLOAT")) and wanted != "FLOAT8":
        if side or role == "activation":
            return _types(side, graph, role), not side
        return _types(side, graph, role), 2 * graph.floats[wanted] >= graph.floats.total() > 0
    exact = wanted.upper()
    loose = {exact, f"U{exact}"} if not role and exact.startswith("INT") else {exact}
    share = _share(side, lambda one: one.type in loose or (exact == "FLOAT8" and exact in one.type))
    return _types(side, graph, role), share >= _SOME


def _bits(wanted: int, role: str, graph: Graph) -> tuple[str, bool]:
    side = graph.activations if role == "activation" else graph.weights
    if not side and wanted >= 16:
        floats = {elements.bits(elements.NUMBERS[kind]) for kind in graph.floats}
        return _types(side, graph, role), role == "activation" or wanted in floats
    return _types(side, graph, role), _share(side, lambda one: one.bits == wanted) >= _SOME


def _described(facet: str, wanted: Wanted, side: Weighed) -> tuple[str, bool]:
    match facet:
        case "symmetric":
            share = _share(side, lambda one: one.symmetric)
            told = f"{share:.0%} symmetric" if side else "none is quantized"
            return told, bool(side) and (share >= _MOST if wanted else share < 1)
        case "block size":
            share = _share(side, lambda one: one.block_size == wanted)
            return _listed(side, lambda one: f"blocks of {one.block_size}"), share >= _SOME
        case "granularity":
            return _listed(side, lambda one: one.granularity), _grained(side, str(wanted)) >= _SOME
        case _:  # per-channel, per-tensor: yes or no
            share = _grained(side, facet)
            return _listed(side, lambda one: one.granularity), (share >= _SOME) == wanted


def _grained(side: Weighed, wanted: str) -> float:
    return _share(side, lambda one: one.granularity == wanted)


def _share(side: Weighed, chosen: Callable[[QuantizedTensor], bool]) -> float:
    total = sum(count for _, count in side)
    return sum(count for one, count in side if chosen(one)) / total if total else 0.0


def _types(side: Weighed, graph: Graph, role: str) -> str:
    if side:
        return _listed(side, lambda one: one.type)
    if role == "activation":
        return "activations are not quantized"
    kinds = ", ".join(kind for kind, _ in graph.floats.most_common(_SHOWN))
    return f"no weight is stored quantized{f'; {kinds}' if kinds else ''}"


def _listed(side: Weighed, label: Callable[[QuantizedTensor], str]) -> str:
    """The kinds and their shares, the most frequent first."""
    counts: Counter[str] = Counter()
    for one, count in side:
        counts[label(one)] += count
    total = counts.total() or 1
    shown = (f"{name} {count / total:.0%}" for name, count in counts.most_common(_SHOWN))
    return ", ".join(shown) or "none is quantized"


def _annotated(one: Annotation, found: Surveyed) -> Claim:
    evidence = found.survey.evidence
    users = [
        tensor.name
        for key, tensor in found.survey.tensors.items()
        if (scale := evidence[key].scale) is not None and scale.name == one.scale
    ]
    told = f"the scale of {', '.join(users[:_SHOWN])}" if users else "no quantized tensor has that scale"
    return Claim(f"quantization_annotation.{one.tensor}", f"scale: {one.scale}", told, bool(users))
