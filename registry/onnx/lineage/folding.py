"""Constant expressions as numbers: what runtimes fold before they quantize.

Arithmetic is done in the constants' own type and in the order in which ONNX Runtime folds, so that its
results can be met to the bit. Nothing is made that is much larger than what it is made from.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from registry.errors import InvalidModel
from registry.onnx.lineage.steps import STEPS, Unfoldable
from registry.onnx.lineage.terms import CONST, QUANT, Term, leaves

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

SMALL: Final = 4096  # elements of shapes, axes and the like
_KEPT = 512  # elements: what is remembered, and not computed again
_GROWTH = 4  # times the constants that something is computed from
_DEPTH = 64  # operators on the way from a constant
_MIXING = frozenset(
    (*("Add", "Sub", "Mul", "Div", "Min", "Max", "Pow", "Where", "Equal", "Less", "Greater", "And", "Or"),)
)


def small(term: Term | None) -> Array | None:
    """The numbers of a small constant expression, None for anything else."""
    if term is None or not term.constant:
        return None
    if term.folded is not None:
        kept: Array | None = term.folded[0]
        return kept
    try:
        found: Array | None = _value(term, SMALL, 0, {})
    except (Unfoldable, InvalidModel):
        found = None
    if found is None or found.size <= _KEPT:
        term.folded = (found,)
    return found


def integers(term: Term | None) -> tuple[int, ...] | None:
    """The elements of a small integer constant, None for anything else."""
    found = small(term)
    if found is None or found.dtype.kind not in "iu":
        return None
    return tuple(int(number) for number in found.reshape(-1))


def value(term: Term) -> Array:
    """The numbers of a constant expression without quantized leaves. Raises Unfoldable, InvalidModel."""
    return _value(term, SMALL + _GROWTH * sum(leaf.payload.size for leaf in leaves(term)), 0, {})


def _value(term: Term, limit: int, depth: int, known: dict[int, Array]) -> Array:
    """``known`` holds what has been computed: an expression may use a part many times."""
    if term.id not in known:
        known[term.id] = _leaf(term, limit) if term.op == CONST else _made(term, limit, depth, known)
    return known[term.id]


def _leaf(term: Term, limit: int) -> Array:
    if term.payload.kind in ("STRING", "UNDEFINED") or term.payload.size > limit:
        raise Unfoldable("a constant of another type or size")
    found: Array = term.payload.value()
    return found


def _made(term: Term, limit: int, depth: int, known: dict[int, Array]) -> Array:
    import numpy as np

    step = STEPS.get(term.op)
    if step is None or term.op == QUANT or depth > _DEPTH:
        raise Unfoldable(term.op)
    args = [None if arg is None else _value(arg, limit, depth + 1, known) for arg in term.args]
    try:
        if term.op in _MIXING:
            _fit(args, limit)
        with np.errstate(all="ignore"):
            made = np.asarray(step(term, args))
    except (ValueError, IndexError, TypeError, OverflowError, MemoryError) as error:
        raise Unfoldable(f"{term.op}: {error}") from None
    if made.size > limit:
        raise Unfoldable(term.op)
    return made


def _fit(args: list[Any], limit: int) -> None:
    """The result of an elementwise operator must not be larger than ``limit``. Raises Unfoldable."""
    import numpy as np

    shape = np.broadcast_shapes(*(arg.shape for arg in args if arg is not None))
    if prod(shape) > limit:
        raise Unfoldable("size")
