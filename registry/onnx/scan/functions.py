"""Functions: what they call, and what they would expand to, counted and not expanded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from registry.onnx.findings import Rule
from registry.onnx.ir import Node
from registry.onnx.scan.allowed import ALLOWED
from registry.onnx.scan.operators import STANDARD
from registry.onnx.scan.subject import Subject

RECURSION: Final = Rule(
    "function-recursion",
    "critical",
    "a function that calls itself",
    "ONNX forbids it: expanding it never ends.",
)
EXPANSION: Final = Rule(
    "function-expansion",
    "critical",
    "functions that expand to too many nodes",
    "Two dozen functions that call each other twice become sixteen million nodes: readers hang.",
)
SHADOWS: Final = Rule(
    "function-shadows-operator",
    "high",
    "a function with the name of a standard operator",
    "The runtime runs the function, people read the operator.",
)
DUPLICATE: Final = Rule(
    "duplicate-function",
    "high",
    "two functions of one name",
    "Which of the two is called is each reader's own choice.",
)
DANGLING: Final = Rule(
    "dangling-attribute-reference",
    "medium",
    "an attribute that refers to one that is not there",
    "Readers differ in what they put in its place.",
)
UNDECLARED: Final = Rule(
    "undeclared-attribute",
    "high",
    "a call with an attribute that its function does not have",
    "Nothing looks at it: it is carried along unseen.",
)
UNUSED: Final = Rule(
    "unused-attribute",
    "medium",
    "an attribute of a function that its body does not use",
    "Its default value changes nothing, so anything can be hidden in it.",
)
RULES: Final = (UNDECLARED, UNUSED, RECURSION, EXPANSION, SHADOWS, DUPLICATE, DANGLING)

MOST_NODES: Final = 100_000  # after expansion
DEEPEST: Final = 40  # calls inside each other

Key = tuple[str, str, str]


def check(subject: Subject) -> None:
    """Report what is wrong with the functions."""
    _names(subject)
    _references(subject)
    if subject.functions:
        _attributes(subject)
        _expand(subject)


def _names(subject: Subject) -> None:
    seen: set[Key] = set()
    for function in subject.model.functions:
        key = (function.domain, function.name, function.overload)
        on = f"{function.domain or 'ai.onnx'}.{function.name}"
        if key in seen:
            subject.found.add(DUPLICATE, on, "it is defined again")
        seen.add(key)
        if key[:2] in ALLOWED or function.domain in STANDARD:
            subject.found.add(SHADOWS, on, "the domain belongs to ONNX or to ONNX Runtime")


def _references(subject: Subject) -> None:
    for place in subject.places:
        known: frozenset[str] | None = None
        for node in place.nodes:
            for attribute in node.attributes.values():
                if attribute.ref:
                    if known is None:
                        known = subject.parameters.get(id(place.function), frozenset())
                    if attribute.ref not in known:
                        subject.found.add(
                            DANGLING, place.at(node), f"{attribute.name!r} refers to {attribute.ref!r}"
                        )


def _attributes(subject: Subject) -> None:
    """Calls give what functions declare, and functions use it."""
    by_key = {key: subject.parameters[id(one)] for key, one in subject.functions.items()}
    for place in subject.places:
        for node in place.nodes:
            declared = by_key.get((node.domain, node.op_type, node.overload))
            if declared is not None:
                for name in sorted(node.attributes.keys() - declared):
                    subject.found.add(UNDECLARED, place.at(node), f"{name!r}")
    for function in subject.model.functions:
        used = {attribute.ref for node in _all(function.nodes) for attribute in node.attributes.values()}
        for name in sorted(function.defaults.keys() - used):
            subject.found.add(UNUSED, f"{function.domain}.{function.name}", f"{name!r}")


def _expand(subject: Subject) -> None:
    """Nodes that each function stands for, callees first; a number may be huge, making it takes no time."""
    sizes: dict[Key, tuple[int, int]] = {}  # nodes, depth of calls
    opened: set[Key] = set()
    waiting: list[tuple[Key, bool]] = [(key, False) for key in subject.functions]
    while waiting:
        key, done = waiting.pop()
        if done:
            opened.discard(key)
            sizes[key] = _sum(subject, subject.functions[key].nodes, sizes)
        elif key not in sizes and key not in opened:
            opened.add(key)
            waiting.append((key, True))
            for callee in _calls(subject, subject.functions[key].nodes):
                if callee in opened:
                    subject.found.add(RECURSION, ".".join(key[:2]), f"through {'.'.join(callee[:2])}")
                    return
                waiting.append((callee, False))
    total, depth = _sum(subject, subject.model.graph.nodes, sizes)
    if total > MOST_NODES or depth > DEEPEST:
        told = str(total) if total < 1 << 64 else f"more than 2**{total.bit_length() - 1}"
        subject.found.add(EXPANSION, "", f"{told} nodes, {depth} calls deep")


def _sum(subject: Subject, nodes: tuple[Node, ...], sizes: dict[Key, tuple[int, int]]) -> tuple[int, int]:
    total = depth = 0
    for node in _all(nodes):
        inner, below = sizes.get((node.domain, node.op_type, node.overload), (0, -1))
        total += 1 + inner
        depth = max(depth, below + 1)
    return total, depth


def _calls(subject: Subject, nodes: tuple[Node, ...]) -> set[Key]:
    called = {(node.domain, node.op_type, node.overload) for node in _all(nodes)}
    return {key for key in called if key in subject.functions}


def _all(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """The nodes and those of their subgraphs."""
    for node in nodes:
        yield node
        for _, graph in node.subgraphs:
            yield from _all(graph.nodes)
