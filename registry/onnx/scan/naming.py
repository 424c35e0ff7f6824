"""Names: each value has one, defined once, before it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from registry.onnx.findings import Rule
from registry.onnx.ir import Node
from registry.onnx.scan.subject import Place, Subject

DUPLICATE: Final = Rule(
    "duplicate-name",
    "high",
    "two values of one name",
    "Which of the two counts is each reader's own choice: what is inspected need not be what runs.",
)
SHADOWED: Final = Rule(
    "shadowed-name",
    "medium",
    "a subgraph defines a name that is visible from around it",
    "ONNX forbids it; readers that resolve names differently run different models.",
)
OVERRIDABLE: Final = Rule(
    "overridable-weight",
    "low",
    "an initializer that is an input too",
    "Whoever calls the model can replace this weight. Files of IR version 3 have all of them so.",
)
UNDEFINED: Final = Rule(
    "undefined-input",
    "high",
    "a node takes a value that nothing defines",
    "The graph cannot be run as it stands; a reader may take a value from somewhere else.",
)
UNDEFINED_OUTPUT: Final = Rule(
    "undefined-output",
    "high",
    "an output that nothing defines",
    "The graph cannot be run as it stands.",
)
CYCLE: Final = Rule(
    "cycle",
    "high",
    "values that depend on themselves",
    "There is no order to run the nodes in; a reader may loop for ever.",
)
UNSORTED: Final = Rule(
    "unsorted-nodes",
    "low",
    "nodes that stand before what they depend on",
    "ONNX asks for sorted nodes. Some exporters do not sort; ONNX Runtime does it itself.",
)
STRAY: Final = Rule(
    "stray-names",
    "medium",
    "many names that stand for nothing in the graph",
    "Shapes of values that are not there, unused symbols and domains: a list of names carries anything.",
)
RULES: Final = (STRAY, DUPLICATE, SHADOWED, OVERRIDABLE, UNDEFINED, UNDEFINED_OUTPUT, CYCLE, UNSORTED)

STRAYS: Final = 64  # letters of stray names for each node
LEAST_STRAYS: Final = 4096


def check(subject: Subject) -> None:
    """Report what is wrong with the names of every place."""
    for place in subject.places:
        _defined_once(subject, place)
        _defined_at_all(subject, place)
    _strays(subject)


def _strays(subject: Subject) -> None:
    """Quantizers leave a few stale shapes behind; symbols and domains have names of a few letters."""
    known = {name for place in subject.places for name in place.defined}
    known.update(node.domain for place in subject.places for node in place.nodes)
    stray = sum(len(name) for _, name in subject.described if name not in known)
    room = STRAYS * (1 + sum(len(place.nodes) for place in subject.places))
    if stray > LEAST_STRAYS + room:
        subject.found.add(STRAY, "", f"{stray} letters of such names")


def taken(subject: Subject, node: Node) -> Iterator[str]:
    """The names that a node depends on: its inputs, and what its subgraphs take from around them."""
    yield from filter(None, node.inputs)
    for place in subject.inner.get(id(node), ()):
        yield from subject.captured[id(place)]


def _defined_once(subject: Subject, place: Place) -> None:
    names = [name for node in place.nodes for name in node.outputs if name]
    constants = [one.name for one in place.initializers]
    if len(place.defined) < len(names) + len(constants) + len(place.inputs):
        inputs = set(place.inputs)
        counts = Counter((*names, *constants, *place.inputs))
        overridden = inputs.intersection(constants)
        for name, count in counts.items():
            if count > 1 + (name in overridden):
                subject.found.add(DUPLICATE, place.on(name), f"{name!r} is defined {count} times")
        if subject.model.ir_version > 3 and (free := sorted(overridden)):
            subject.found.add(OVERRIDABLE, place.on(free[0]), f"{len(free)} initializer(s) are inputs too")
    if len(set(place.outputs)) < len(place.outputs):
        subject.found.add(DUPLICATE, place.label, "an output is listed twice")
    around = place.outer
    while around is not None:
        for name in sorted(place.defined & around.defined):
            subject.found.add(
                SHADOWED, place.on(name), f"{name!r} is defined in {around.label or 'the graph'} too"
            )
        around = around.outer


def _visible(place: Place, name: str) -> bool:
    around: Place | None = place
    while around is not None:
        if name in around.defined:
            return True
        around = around.outer
    return False


def _defined_at_all(subject: Subject, place: Place) -> None:
    ready = {*place.inputs, *(one.name for one in place.initializers)}
    late = False
    for node in place.nodes:
        for name in node.inputs:
            if name and name not in ready:
                if name in place.defined:
                    late = True
                elif not _visible(place, name):
                    subject.found.add(UNDEFINED, place.at(node), f"nothing defines {name!r}")
        if id(node) in subject.inner:
            late = late or any(name in place.defined and name not in ready for name in taken(subject, node))
        ready.update(node.outputs)
    for name in place.outputs:
        if not name or not _visible(place, name):
            subject.found.add(UNDEFINED_OUTPUT, place.on(name), f"nothing defines the output {name!r}")
    if late:
        _sorted(subject, place)


def _sorted(subject: Subject, place: Place) -> None:
    """Kahn's algorithm: nodes that are never free lie on a cycle, or behind one."""
    waiting: dict[int, int] = {}
    users: dict[int, list[Node]] = {}
    for node in place.nodes:
        made = {id(place.producers[name]) for name in taken(subject, node) if name in place.producers}
        waiting[id(node)] = len(made)
        for one in made:
            users.setdefault(one, []).append(node)
    free = [node for node in place.nodes if not waiting[id(node)]]
    done = 0
    while free:
        done += 1
        for user in users.get(id(free.pop()), ()):
            waiting[id(user)] -= 1
            if not waiting[id(user)]:
                free.append(user)
    if done == len(place.nodes):
        subject.found.add(UNSORTED, place.label, "the nodes are not in an order that they can run in")
        return
    stuck = next(node for node in place.nodes if waiting[id(node)])
    subject.found.add(CYCLE, place.at(stuck), f"{len(place.nodes) - done} node(s) wait for themselves")
