"""Constants of the child against those of the parent: which stands for which, and after which steps."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from registry.errors import InvalidModel
from registry.onnx import elements
from registry.onnx.lineage import folding
from registry.onnx.lineage.leaves import FloatLeaf, Pair, QuantLeaf
from registry.onnx.lineage.steps import STEPS, Unfoldable, reshaped
from registry.onnx.lineage.terms import CONST, QUANT, Constant, Term, Terms, dims, leaves

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

MOVES: Final = frozenset(("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "flat"))
_STEPS = 64
_WORDS = {"along": "weights times a factor per channel", "flat": "flattened"}


class Differs(Exception):
    """The constant is not the parent's; the message says how."""


def shape_of(term: Term, depth: int = 0) -> tuple[int, ...] | None:
    """The shape of a constant expression, None where only computing it would tell."""
    found = dims(term)
    if found is not None or depth > _STEPS or not term.args or term.arg(0) is None:
        return found
    inner = shape_of(term.first, depth + 1)
    if inner is None:
        return None
    try:
        return _moved(term, inner)
    except Unfoldable:
        return None


def _moved(term: Term, inner: tuple[int, ...]) -> tuple[int, ...] | None:
    if term.op == "Transpose":
        perm = term.attr("perm") or tuple(reversed(range(len(inner))))
        return tuple(inner[at] for at in perm) if sorted(perm) == list(range(len(inner))) else None
    if term.op == "Reshape" and term.attr("shape") is not None:
        return reshaped(inner, term.attr("shape"), bool(term.attr("allowzero", 0)))
    if term.op == "flat":
        return reshaped(inner, (-1,), False)
    if term.op == "along":
        return inner
    if term.op in STEPS and len(term.args) <= 2:
        return tuple(folding.value(term).shape) if _light(term) else None
    return None


def _light(term: Term) -> bool:
    return all(leaf.payload.size <= folding.SMALL for leaf in leaves(term))


def undone(terms: Terms, move: Term, value: Term) -> Term | None:
    """``value`` as it was before ``move``, of the other model, moved its elements."""
    inner = move.arg(0)
    if inner is None:
        return None
    perm = move.attr("perm")
    if move.op == "Transpose" and isinstance(perm, tuple):
        back = tuple(perm.index(at) for at in range(len(perm)))
        value = _narrowed(terms, value, len(perm))
        if value.op == "Transpose" and value.attr("perm") == perm:
            return value.arg(0)
        return terms.make("Transpose", (value,), {"perm": back})
    shape = shape_of(inner)
    return terms.make("Reshape", (value,), {"shape": shape}) if shape is not None else None


def _narrowed(terms: Terms, value: Term, rank: int) -> Term:
    """Without the dimensions of 1 in front that weight-only quantization drops from a MatMul's constant."""
    shape = shape_of(value)
    if shape is None or len(shape) <= rank or any(dim != 1 for dim in shape[: len(shape) - rank]):
        return value
    return terms.make("Reshape", (value,), {"shape": shape[len(shape) - rank :]})


def pair(terms: Terms, child: Term, parent: Term) -> Pair | None:
    """The pair of a child's leaf and an expression of the parent; None for constants that are no floats
    and are equal. Raises Differs, InvalidModel."""
    quantized = child.op == QUANT
    if not quantized and not elements.is_float(elements.NUMBERS.get(child.payload.kind, 0)):
        same(child, parent)
        return None
    parent = _fitted(terms, child, parent)
    sources = [
        float_leaf(leaf.payload)
        for leaf in leaves(parent)
        if elements.is_float(elements.NUMBERS.get(leaf.payload.kind, 0)) and leaf.payload.tensor is not None
    ]
    if not sources:
        same(child, parent)
        return None
    main = max(sources, key=lambda leaf: leaf.tensor.elements)
    leaf = child.payload if quantized else _child_leaf(child)
    exact = all(step.op in MOVES or step.op == "Expand" for step in _steps(parent))
    words = tuple(_word(step) for step in _steps(parent))
    return Pair(leaf, main, words, exact, tuple(sources), make=_maker(parent, main.name))


def _child_leaf(child: Term) -> FloatLeaf:
    if child.payload.tensor is None:
        raise Differs("a number that is computed")
    return float_leaf(child.payload)


def _fitted(terms: Terms, child: Term, parent: Term) -> Term:
    """The parent's expression in the child's shape; only dimensions of 1 may be missing in front."""
    wanted, found = dims(child), shape_of(parent)
    if found is None:
        found = _computed(parent).shape
    if wanted is None or wanted == found:
        return parent
    if len(wanted) == 1 and prod(found) == 1:  # one number for all columns, written out
        return terms.make("Expand", (parent, terms.number(_vector(wanted))))
    if _core(wanted) != _core(found):
        raise Differs(f"shape {list(wanted)} where the parent has {list(found)}")
    return terms.make("Reshape", (parent,), {"shape": wanted})


def _vector(shape: tuple[int, ...]) -> Array:
    import numpy as np

    return np.array(shape, np.int64)


def _core(shape: tuple[int, ...]) -> tuple[int, ...]:
    at = 0
    while at < len(shape) and shape[at] == 1:
        at += 1
    return shape[at:]


def whole(term: Term) -> bool:
    """Whether an expression is made of integers only."""
    return all(not elements.is_float(elements.NUMBERS.get(leaf.payload.kind, 0)) for leaf in leaves(term))


def _computed(term: Term) -> Array:
    try:
        return folding.value(term)
    except Unfoldable as error:
        raise Differs(f"the parent computes it with {error}, which is not followed") from None


def same(child: Term, parent: Term) -> None:
    """Two constant expressions of equal type, shape and numbers. Raises Differs, InvalidModel."""
    if child.op == parent.op == CONST and child.payload.kind == "STRING" == parent.payload.kind:
        if _strings(child.payload) != _strings(parent.payload):
            raise Differs("other strings than the parent's")
        return
    one, other = _computed(child), _computed(parent)
    if one.dtype != other.dtype or one.shape != other.shape or one.tobytes() != other.tobytes():
        raise Differs("other numbers than the parent's")


def _strings(constant: Constant) -> tuple[tuple[int, ...], tuple[str, ...]]:
    if constant.tensor is None or constant.contents is None:
        return (), ()
    return constant.dims, tuple(map(constant.contents.text, constant.tensor.typed))


def _steps(term: Term) -> list[Term]:
    """The operators of an expression, outermost first, each once."""
    found: dict[int, Term] = {}
    work = [term]
    while work and len(found) < _STEPS:
        at = work.pop()
        if at.id not in found and at.args:
            found[at.id] = at
            work.extend(arg for arg in at.args if arg is not None)
    return list(found.values())


def _word(step: Term) -> str:
    if step.op == "Transpose":
        return f"Transpose{tuple(step.attr('perm') or ())}"
    if step.op == "Reshape":
        return f"Reshape{tuple(step.attr('shape') or ())}"
    return _WORDS.get(step.op, step.op)


def _maker(term: Term, on: str) -> Callable[[], Array]:
    def make() -> Array:
        try:
            return folding.value(term)
        except Unfoldable as error:
            raise InvalidModel(f"a constant that is not computed here: {error}", on=on) from None

    return make


def float_leaf(constant: Constant) -> FloatLeaf:
    """A constant of the file as what others see of it."""
    assert constant.tensor is not None
    assert constant.contents is not None
    return FloatLeaf(constant.name, constant.scope, constant.tensor, constant.contents)


def leaf_of(term: Term) -> QuantLeaf | FloatLeaf | None:
    """A leaf term as what others see of it; None for what is no number or lies in no file."""
    if term.op == QUANT:
        held: QuantLeaf = term.payload
        return held
    if term.op != CONST or term.payload.tensor is None:
        return None
    return float_leaf(term.payload)
