"""Recipes that may have made a child, read off the child itself; the likelier first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from registry.errors import InvalidInput
from registry.onnx.facts import QuantizationFacts, QuantizedTensor, inspect
from registry.onnx.ir import Graph, Node
from registry.onnx.loaded import Loaded
from registry.onnx.quantize.recipe import METHODS, Recipe

LIMIT = 16  # recipes tried at most
_QDQ = frozenset(("QuantizeLinear", "DequantizeLinear"))
_WEIGHED = frozenset(("Conv", "ConvTranspose", "MatMul", "Gemm", "Gather", "LSTM", "Attention"))
_PACKED = frozenset(("MatMulNBits", "MatMulBnb4", "GatherBlockQuantized"))


class Hints(NamedTuple):
    """What matching and weights told: ``reduced``: weights use half of their type's range; ``optimized``:
    the parent had to be rewritten to match."""

    reduced: bool = False
    optimized: bool = False


def candidates(child: Loaded, parent: Loaded, hints: Hints, *, calibrated: bool) -> Iterator[Recipe]:
    """Recipes to try, at most LIMIT; static ones only with calibration data. Raises InvalidModel."""
    facts = inspect(child.views, child.path)
    common = _options(facts, child, parent)
    if not common or (common["mode"] == "static" and not calibrated):
        return
    common["reduce_range"] = hints.reduced
    seen: set[str] = set()
    for variation in _variations(common["mode"], _kept(child, parent), hints):
        try:
            recipe = Recipe(**common | _turned(facts, common, variation))
        except InvalidInput:  # what no quantizer offers
            continue
        if repr(recipe) not in seen and len(seen) < LIMIT:
            seen.add(repr(recipe))
            yield recipe


def _variations(mode: str, kept: tuple[str, ...], hints: Hints) -> Iterator[dict[str, Any]]:
    orders = (True, False) if hints.optimized else (False, True)
    excluded: Iterable[tuple[str, ...]] = ((), kept) if kept else ((),)
    for optimize in orders:
        for exclude in excluded:
            for method in METHODS if mode == "static" else (None,):
                for turned in ("", "symmetric_weights", "symmetric_activations"):
                    yield {"optimize": optimize, "exclude": exclude, "calibration": method, "turned": turned}


def _turned(facts: QuantizationFacts, common: dict[str, Any], variation: dict[str, Any]) -> dict[str, Any]:
    """The variation with the symmetry in it turned round, where the child's tensors have both."""
    found = dict(variation)
    option = found.pop("turned")
    role = "weight" if option == "symmetric_weights" else "activation"
    both = {one.symmetric for one in facts.tensors if one.role == role}
    return found | {option: not common[option]} if option in common and len(both) == 2 else found


def _options(facts: QuantizationFacts, child: Loaded, parent: Loaded) -> dict[str, Any]:
    """The options that the child shows; {} where it is no child of one recipe."""
    weights = [one for one in facts.tensors if one.role == "weight" and one.stored]
    if not weights or facts.mode not in ("static", "dynamic", "weight-only"):
        return {}
    opset = _opset(child) if _opset(child) > _opset(parent) else 0
    common = {"mode": facts.mode, "opset": opset}
    if facts.mode == "weight-only":
        return common | _weight_only(facts, weights, child)
    kind = _commonest(one.type for one in weights)  # tables and elementwise constants may have another
    common |= {
        "weight_type": kind,
        "per_channel": any(one.granularity == "per-channel" for one in weights),
        "symmetric_weights": _mostly(one.symmetric for one in weights if one.type == kind),
    }
    return common | (_static(facts) if facts.mode == "static" else {})


def _static(facts: QuantizationFacts) -> dict[str, Any]:
    activations = [one for one in facts.tensors if one.role == "activation"]
    return {
        "format": "QOperator" if facts.format == "QOperator" else "QDQ",
        "activation_type": _commonest(one.type for one in activations),
        "symmetric_activations": _mostly(one.symmetric for one in activations),
    }


def _weight_only(facts: QuantizationFacts, weights: list[QuantizedTensor], child: Loaded) -> dict[str, Any]:
    first = weights[0]
    operators = {name.rpartition(".")[2] for name, _ in facts.operators}
    packed = bool(operators & _PACKED)
    kind = first.type
    if kind not in ("NF4", "FP4"):
        kind = f"{'INT' if first.symmetric else 'UINT'}{first.bits}"
    return {
        "format": "QOperator" if packed else "QDQ",
        "weight_type": kind,
        "symmetric_weights": first.symmetric,
        "block_size": first.block_size or 0,
        "accuracy_level": max((_level(node) for node in _nodes(child.model.graph)), default=0),
        "embeddings": "GatherBlockQuantized" in operators,
    }


def _level(node: Node) -> int:
    found = node.attributes.get("accuracy_level")
    return found.i or 0 if found is not None else 0


def _opset(loaded: Loaded) -> int:
    return dict(loaded.model.opsets).get("", 0)


def _commonest(kinds: Iterable[str]) -> str | None:
    found = Counter(kinds)
    return max(sorted(found), key=lambda kind: found[kind]) if found else None


def _mostly(found: Iterable[bool]) -> bool:
    votes = Counter(found)
    return votes[True] > votes[False]


def _kept(child: Loaded, parent: Loaded) -> tuple[str, ...]:
    """Nodes of the parent that could have been quantized and are in the child as they were.

    Names are no evidence, but good enough to guess with: what is guessed is tried.
    """
    dequantized = {
        name for node in _nodes(child.model.graph) if node.op_type in _QDQ for name in node.outputs
    }
    float_nodes = {
        (node.op_type, _name(node))
        for node in _nodes(child.model.graph)
        if not dequantized.intersection(node.inputs)
    }
    found = (node for node in _nodes(parent.model.graph) if node.op_type in _WEIGHED and not node.domain)
    return tuple(sorted({_name(node) for node in found if (node.op_type, _name(node)) in float_nodes}))


def _name(node: Node) -> str:
    return node.name or next(filter(None, node.outputs), "")


def _nodes(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes:
        yield node
        for _, inner in node.subgraphs:
            yield from _nodes(inner)
