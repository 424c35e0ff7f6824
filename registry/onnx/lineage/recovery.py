"""Where two graphs differ: what to blame, and where to go on. Nothing here makes a difference acceptable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from registry.onnx.lineage.dequantizing import same_zero
from registry.onnx.lineage.folding import small
from registry.onnx.lineage.terms import CONST, FAKE, QUANT, Params, Term, leaves

_NEAR = 64  # terms looked at behind a difference
_LEAVES = frozenset((CONST, QUANT))


def bare(term: Term) -> Term:
    """The term without quantization marks, Relu and Clip around it."""
    while term.op in (FAKE, "Relu", "Clip") and term.arg(0) is not None:
        term = term.first
    return term


def _score(child: Term | None, parent: Term | None) -> int:
    if child is None or parent is None:
        return 0
    one, other = bare(child), bare(parent)
    return 2 * (one.sign == other.sign) + (one.op == other.op) + 2 * (one.constant == other.constant)


def crossed(child: Term, parent: Term) -> bool:
    """Whether the arguments of a commutative operator stand in the other order."""
    (a, b), (c, d) = child.args, parent.args
    return _score(a, d) + _score(b, c) > _score(a, c) + _score(b, d)


def same_marks(child: Params, parent: Params) -> bool:
    """Whether both models quantize a value the same way."""
    one, other = small(child.scale), small(parent.scale)
    if one is None or other is None or (child.kind, child.axis) != (parent.kind, parent.axis):
        return child.dynamic and parent.dynamic and child.kind == parent.kind
    zeros = same_zero(child.zero, parent.zero) or _equal(child.zero, parent.zero)
    return one.tobytes() == other.tobytes() and zeros


def _equal(one: Term | None, other: Term | None) -> bool:
    first, second = small(one), small(other)
    return first is not None and second is not None and first.tobytes() == second.tobytes()


def absorbed(start: Term, found: Term) -> Iterator[Term]:
    """The parent's terms that a rewriting took in, with their constants but those that it still needs."""
    near = [found, *(arg for arg in found.args if arg is not None)]
    kept = [arg for term in near for arg in term.args if arg is not None and arg.constant]
    needed = {leaf.id for arg in kept for leaf in leaves(arg)}
    for term in _between(start, found):
        yield term
        for arg in term.args:
            if arg is not None and arg.constant:
                yield from (leaf for leaf in leaves(arg) if leaf.id not in needed)


def _between(start: Term, found: Term) -> Iterator[Term]:
    """From ``start`` down to what a rewriting kept."""
    kept = {found.id}
    for arg in found.args:
        kept |= {arg.id, *(inner.id for inner in arg.args if inner is not None)} if arg is not None else set()
    at: Term | None = start
    for _ in range(_NEAR):
        if at is None or at.id in kept or at.constant:
            return
        yield at
        at = at.arg(0) if at.args else None


def reasons(child: Term, parent: Term) -> Iterator[tuple[Term, str]]:
    """What to list for a child's term where the parent has another."""
    if child.op == parent.op and child.output == parent.output and child.op not in _LEAVES:
        if child.attrs != parent.attrs:
            yield child, f"attributes differ from the parent's: {_differences(child.attrs, parent.attrs)}"
        else:
            yield child, "its inputs are others than in the parent"
        return
    if (behind := _reach(child, parent)) is not None:
        yield from ((term, "the parent has no such operator here") for term in _path(child, behind))
    elif (missing := _reach(parent, child)) is not None:
        for term in _path(parent, missing):
            yield term, "is in the parent, but not in the child"
    else:
        there = parent.operator or parent.op
        yield child, f"stands where the parent has {there}"


def _differences(one: Iterable[tuple[str, object]], other: Iterable[tuple[str, object]]) -> str:
    first, second = dict(one), dict(other)
    names = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    return ", ".join(f"{name} {_short(first, name)} for {_short(second, name)}" for name in names)


def _short(attrs: Mapping[str, object], name: str) -> str:
    return repr(attrs[name])[:60] if name in attrs else "none"


def onward(child: Term, parent: Term) -> list[tuple[Term, Term]]:
    """Pairs behind the difference that belong together."""
    if child.op == parent.op and child.output == parent.output:
        return [
            (one, other)
            for one, other in zip(child.args, parent.args, strict=False)
            if one is not None and other is not None
        ]
    if (behind := _reach(child, parent)) is not None:
        return [(behind, parent)]
    if (missing := _reach(parent, child)) is not None:
        return [(child, missing)]
    if len(child.args) == len(parent.args) and child.args:
        both = zip(child.args, parent.args, strict=True)
        return [(a, b) for a, b in both if a is not None and b is not None and like(a, b)]
    return []


def like(one: Term, other: Term) -> bool:
    """Whether two terms look the same from here down, weights and quantization aside."""
    first, second = bare(one), bare(other)
    return first.op == second.op and first.sign == second.sign and first.constant == second.constant


def _reach(start: Term, wanted: Term) -> Term | None:
    """The nearest term that goes into ``start`` and looks like ``wanted``."""
    if wanted.constant:
        return None
    seen, queue = {start.id}, [arg for arg in start.args if arg is not None]
    for at in queue:
        if len(seen) > _NEAR:
            return None
        if at.id not in seen:
            seen.add(at.id)
            if like(at, wanted):
                return at
            queue.extend(arg for arg in at.args if arg is not None)
    return None


def _path(start: Term, end: Term) -> Iterator[Term]:
    """The terms from ``start`` to before ``end``, marks aside."""
    seen = {start.id}
    trails: list[tuple[Term, tuple[Term, ...]]] = [(start, (start,))]
    for at, trail in trails:
        if len(seen) > _NEAR * 2:
            return
        for arg in at.args:
            if arg is end:
                yield from (term for term in trail if term.op != FAKE)
                return
            if arg is not None and arg.id not in seen:
                seen.add(arg.id)
                trails.append((arg, (*trail, arg)))
