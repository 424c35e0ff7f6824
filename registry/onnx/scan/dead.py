"""What no output depends on: nodes, constants and functions that are carried and never run."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Final

from registry.onnx import elements
from registry.onnx.findings import Rule
from registry.onnx.ir import Node, Tensor
from registry.onnx.scan.naming import taken
from registry.onnx.scan.subject import Place, Subject

UNUSED: Final = Rule(
    "unused-initializer",
    "medium",
    "a constant that nothing uses",
    "It does not change what the model answers, so anything can be hidden in it.",
)
DEAD: Final = Rule(
    "dead-node",
    "medium",
    "nodes that no output depends on",
    "They do not change what the model answers, so anything can be hidden in them, or wait there.",
)
UNUSED_FUNCTION: Final = Rule(
    "unused-function",
    "low",
    "a function that nothing calls",
    "It does not run, and it can hide something.",
)
RULES: Final = (UNUSED, DEAD, UNUSED_FUNCTION)

SMALL: Final = 16  # bytes: a leftover number or shape of an exporter, no payload
_NAME: Final = 256  # bytes of a name that do not count, as long as there are no more
# What measures values: exporters and ONNX's own definitions of functions leave such nodes behind.
_SHAPING: Final = frozenset(
    ("Shape", "Size", "Cast", "Concat", "Gather", "Slice", "Squeeze", "Unsqueeze", "Constant")
)
_HEAD: Final = 64  # the same of shape, type and all else


def check(subject: Subject) -> None:
    """Report what is dead in every place, and functions that nothing calls."""
    called: set[tuple[str, str, str]] = set()
    for place in subject.places:
        called.update((node.domain, node.op_type, node.overload) for node in place.nodes)
        _place(subject, place)
    for key in sorted(subject.functions.keys() - called):
        nodes = subject.functions[key].nodes
        _dead(subject, UNUSED_FUNCTION, f"{key[0]}.{key[1]}", nodes, "nothing calls it", "low")


def _place(subject: Subject, place: Place) -> None:
    live, names = _live(subject, place)
    dead = [node for node in place.nodes if id(node) not in live]
    for tensor in place.initializers:
        if tensor.name not in names:
            _unused(subject, place, tensor)
    for node in dead:
        if (held := place.constants.get(node.outputs[0] if node.outputs else "")) is not None:
            _unused(subject, place, held)
    rest = [node for node in dead if node.op_type != "Constant"]
    if rest:
        least = "low" if all(node.op_type in _SHAPING and not node.domain for node in rest) else "medium"
        told = f"no output depends on {len(rest)} node(s)"
        _dead(subject, DEAD, place.at(rest[0]), rest, told, least)


def _live(subject: Subject, place: Place) -> tuple[set[int], set[str]]:
    """The nodes that outputs depend on, by identity, and the names that they take."""
    live: set[int] = set()
    names = set(place.outputs)
    waiting = [name for name in place.outputs if name]
    while waiting:
        node = place.producers.get(waiting.pop())
        if node is None or id(node) in live:
            continue
        live.add(id(node))
        for name in taken(subject, node):
            if name not in names:
                names.add(name)
                waiting.append(name)
    return live, names


def _dead(subject: Subject, rule: Rule, on: str, nodes: Iterable[Node], told: str, least: str) -> None:
    """As bad as what the nodes carry along, and at ``least`` so bad."""
    carried = sum(map(_carried, nodes))
    severity = "medium" if carried > SMALL else least
    subject.found.add(rule, on, f"{told}; they carry {carried} bytes", severity=severity)


def _carried(node: Node) -> int:
    """Bytes of what a node's attributes hold, those of its subgraphs too."""
    total = 0
    for one in node.attributes.values():
        lists = (*one.floats, *one.ints, *one.strings, *filter(None, (one.f, one.s)))
        total += sum(span.length for span in lists)
        total += sum(
            map(_size, filter(None, (one.t, *one.tensors, *(sparse.values for sparse in one.sparse))))
        )
        for graph in filter(None, (one.g, *one.graphs)):
            total += sum(map(_size, graph.initializers)) + sum(map(_carried, graph.nodes))
    return total


def _size(tensor: Tensor) -> int:
    """Bytes that a tensor carries, wherever they lie."""
    outside = 0
    if tensor.external is not None and all(0 <= dim < 1 << 40 for dim in tensor.dims):
        outside = prod(tensor.dims) * max(1, elements.bits(tensor.data_type) // 8)
    inside = sum(span.length for span in (*tensor.typed, *filter(None, (tensor.raw,))))
    name = len(tensor.name.encode())
    rest = tensor.span.length - inside - name
    return inside + outside + (name if name > _NAME else 0) + (rest if rest > _HEAD else 0)


def _unused(subject: Subject, place: Place, tensor: Tensor) -> None:
    size = _size(tensor)
    severity = None if size > SMALL else "low"
    subject.found.add(UNUSED, place.on(tensor.name), f"{size} bytes that nothing uses", severity=severity)
