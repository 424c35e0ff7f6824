"""Matches a quantized model's graph against its float parent's, by position (never by name)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from registry.errors import InvalidModel
from registry.onnx.lineage import attributes, constants, recovery
from registry.onnx.lineage.building import Builder
from registry.onnx.lineage.frames import Built, Spare
from registry.onnx.lineage.leaves import FloatLeaf, Matching, Mismatch, QuantLeaf
from registry.onnx.lineage.lifting import lifted
from registry.onnx.lineage.matching import Walk
from registry.onnx.lineage.opsets import scalar
from registry.onnx.lineage.overriding import opened
from registry.onnx.lineage.terms import CONST, FAKE, QUANT, Constant, Term
from registry.onnx.loaded import Loaded

_FLOATING = frozenset(("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE"))


def match(
    parent: Loaded, child: Loaded, *, variants: Mapping[str, Callable[[], Loaded]] | None = None
) -> Matching:
    """What of ``child`` is the quantization of which part of ``parent``, and what is not.

    ``variants`` make other forms of the parent, by what they are called: what a runtime's optimizer gives.
    They are made only while something is unexplained, and leaves of the parent are then the variant's.
    Raises InvalidModel where one of the models cannot be read as a graph at all.
    """
    ours = Builder(child, lifted).build()
    best = _walked(ours, Builder(parent, lifted).build())
    for name, make in (variants or {}).items():
        if not best.nodes:
            break
        try:
            found = _walked(ours, Builder(make(), lifted).build())
        except InvalidModel:  # what cannot be made explains nothing
            continue
        if len(found.nodes) < len(best.nodes):
            also = "" if found.variant == "raw" else f"+{found.variant}"
            best = replace(found, variant=name + also)
    return replace(best, nodes=(*best.nodes, *opened(child, parent, best.pairs)))


def _walked(child: Built, parent: Built) -> Matching:
    walk = Walk(child, parent)
    signature = list(_signature(child, parent))
    outputs = [(one, other) for (_, one), (_, other) in zip(child.outputs, parent.outputs, strict=False)]
    walk.compare(outputs)
    dead = list(_dead(walk))
    _anchor(walk)
    faults = [*signature, *walk.faults.values(), *dead, *_left(walk), *_missing(walk)]
    return Matching(
        variant="+".join(sorted(walk.variants)) or "raw",
        pairs=tuple(pair for pair in walk.pairs.values() if pair is not None),
        activations=tuple(walk.activations.values()),
        nodes=tuple(dict.fromkeys(faults)),
        values=tuple(walk.values),
        unused=tuple(_unused(child, parent)),
        missing=tuple(_unmatched(walk, parent)),
        unpaired=tuple(_unpaired(walk)),
    )


def _signature(child: Built, parent: Built) -> Iterator[Mismatch]:
    """Inputs and outputs, functions, and nodes that wait for one another."""
    for what, ours, theirs in (
        ("input", child.inputs, parent.inputs),
        ("output", child.outputs, parent.outputs),
    ):
        for name, *_ in ours[len(theirs) :]:
            yield Mismatch(name, what, "the parent has no such " + what)
        for name, *_ in theirs[len(ours) :]:
            yield Mismatch(name, what, f"an {what} of the parent is missing")
    for (name, kind), (_, other) in zip(child.inputs, parent.inputs, strict=False):
        if kind != other:
            yield Mismatch(name, "input", "its type is not the parent's")
    for name in sorted({*child.idle} - {*parent.idle}):
        yield Mismatch(name, "function", "no node calls it")
    for name in sorted({*child.shadows} - {*parent.shadows}):
        yield Mismatch(name, "function", "a function has the name of a runtime's own operator")
    for name in child.twice:
        yield Mismatch(name, "value", "two values have this name")
    for spare in child.stuck:
        yield Mismatch(spare.name, spare.operator, "waits for its own output")


def _dead(walk: Walk) -> Iterator[Mismatch]:
    """Nodes without effect: explained only where the parent has the same ones."""
    known, spare = _told(walk.parent), _by_look(walk.parent.dead)
    for dead in walk.child.dead:
        if dead.term is not None and (scalar(dead.term) in known or _repeated(walk.child, dead, dead.term)):
            continue
        others = spare.get(_look(dead), [])
        if not others or dead.term is None:
            yield Mismatch(dead.name, dead.operator, "nothing depends on it")
        else:
            walk.compare([(dead.term, others.pop())])


def _by_look(spares: list[Spare]) -> dict[tuple[object, ...], list[Term]]:
    found: dict[tuple[object, ...], list[Term]] = {}
    for spare in spares:
        if spare.term is not None:
            found.setdefault(_look(spare), []).append(spare.term)
    return found


def _look(spare: Spare) -> tuple[object, ...]:
    if spare.term is not None and spare.term.op == CONST:
        return _content(spare.term.payload)
    bare = recovery.bare(spare.term) if spare.term is not None else None
    return (bare.op, bare.sign, bare.constant) if bare is not None else ()


def _repeated(child: Built, dead: Spare, term: Term) -> bool:
    """Whether a spare QuantizeLinear or DequantizeLinear only repeats one that takes part."""
    return term.id in child.live and dead.operator.endswith(("QuantizeLinear", "DequantizeLinear"))


def _told(parent: Built) -> set[object]:
    """Numbers that the parent has as attributes: raising its operator set makes constants of them."""
    return {value for term in parent.terms.all for _, value in term.attrs if isinstance(value, float)}


def _anchor(walk: Walk) -> None:
    """After a difference: go on from what looks the same in both and is the only such thing."""
    if not walk.faults:
        return
    ours = _lone(term for term in _reached(walk.child) if term.id not in walk.of_child)
    theirs = _lone(term for term in _reached(walk.parent) if term.id not in walk.of_parent)
    for key in sorted(ours.keys() & theirs.keys(), key=lambda key: -ours[key].id):
        if ours[key].id not in walk.of_child:
            walk.compare([(ours[key], theirs[key])])


def _lone(terms: Iterator[Term]) -> dict[tuple[str, int], Term]:
    """Terms whose look no other has."""
    found: dict[tuple[str, int], list[Term]] = {}
    for term in terms:
        if term.args and not term.constant and term.op != FAKE:
            found.setdefault((term.op, term.sign), []).append(term)
    return {key: terms[0] for key, terms in found.items() if len(terms) == 1}


def _reached(built: Built) -> Iterator[Term]:
    """The terms that the outputs are made from, each once, from results to arguments."""
    wanted = {term.id for _, term in built.outputs}
    for term in reversed(built.terms.all):
        if term.id in wanted:
            yield term
            wanted.update(arg.id for arg in term.args if arg is not None)


def _left(walk: Walk) -> Iterator[Mismatch]:
    """The child's terms that met nothing of the parent."""
    listed = {(fault.name, fault.operator) for fault in walk.faults.values()}
    for term in _reached(walk.child):
        if term.id not in walk.of_child and term.op not in (CONST, QUANT) and not term.constant:
            name, operator = term.node or term.name or term.op, term.operator or term.op
            if (name, operator) not in listed:
                yield Mismatch(name, operator, "matches nothing of the parent")


def _missing(walk: Walk) -> Iterator[Mismatch]:
    """The parent's nodes that the child lacks: told where something else is wrong, too."""
    if not walk.faults:
        return
    for term in _reached(walk.parent):
        if term.id not in walk.of_parent and not term.constant and term.node:
            yield Mismatch(term.node, term.operator, "is in the parent, but not in the child")


def _unmatched(walk: Walk, parent: Built) -> Iterator[str]:
    for term in _reached(parent):
        if term.op == CONST and term.id not in walk.of_parent and term.payload.kind in _FLOATING:
            yield term.name


def _unpaired(walk: Walk) -> Iterator[QuantLeaf | FloatLeaf]:
    for term in _reached(walk.child):
        if term.op in (CONST, QUANT) and term.id not in walk.of_child:
            leaf = constants.leaf_of(term)
            if leaf is not None and (term.op == QUANT or term.payload.kind in _FLOATING):
                yield leaf


def _unused(child: Built, parent: Built) -> Iterator[str]:
    """Constants of the child that nothing uses. One that the parent holds, too, carries nothing in."""
    if not child.unused:
        return
    shapes = {(constant.kind, constant.dims) for constant in child.unused}
    held = [term.payload for term in parent.terms.all if term.op == CONST]
    known = {
        _content(constant) for constant in (*held, *parent.unused) if (constant.kind, constant.dims) in shapes
    }
    told = _told(parent)
    for constant in child.unused:
        lone = constant.size == 1 and constant.kind in _FLOATING and constant.value().item() in told
        if _content(constant) not in known and not lone:
            yield constant.name


def _content(constant: Constant) -> tuple[object, ...]:
    try:
        if constant.tensor is not None and constant.contents is not None and constant.kind != "STRING":
            return constant.kind, constant.dims, attributes.sha256(constant.value())
    except InvalidModel:
        pass
    return (id(constant),)
