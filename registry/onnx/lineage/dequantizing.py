"""Integers back to what they stand for: quantized constants become leaves, Q and DQ around a value one mark.

Operators that only move elements work on integers as they do on numbers; a DequantizeLinear behind them is
carried through to where the integers come from.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from registry.onnx import elements
from registry.onnx.ir import Tensor
from registry.onnx.lineage.calls import Unliftable
from registry.onnx.lineage.folding import small
from registry.onnx.lineage.leaves import QuantLeaf
from registry.onnx.lineage.terms import CONST, FAKE, INTEGERS, QUANT, Constant, Params, Term, Terms

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

DYNAMIC = "DynamicQuantizeLinear"
MOVING = frozenset(
    (
        *("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Split", "Expand", "Tile"),
        *("Gather", "GatherElements", "GatherND", "MaxPool", "Resize", "Pad", "DepthToSpace", "SpaceToDepth"),
        *("Concat", "If"),
    )
)
_STEPS = 4096  # operators followed back from one DequantizeLinear
_INTEGER = frozenset(("INT8", "UINT8", "INT16", "UINT16", "INT4", "UINT4", "INT2", "UINT2", "INT32"))


def dequantized(terms: Terms, term: Term | None, params: Params) -> Term:
    """What the integers of ``term`` stand for under ``params``. Raises Unliftable, InvalidModel."""
    if term is None or params.scale is None:
        raise Unliftable("absent")
    made: dict[int, Term] = {}
    work = [(term, False)]
    for _ in range(_STEPS):
        if not work:
            return made[term.id]
        at, ready = work.pop()
        if at.op not in MOVING:
            made[at.id] = _root(terms, at, params if at is term else _whole(params))
        elif ready:
            made[at.id] = _carried(terms, at, made, params)
        else:
            work.append((at, True))
            work.extend((arg, False) for arg in _data(at) if arg.id not in made)
    raise Unliftable("too deep")


def _data(term: Term) -> list[Term]:
    """The arguments whose elements an operator moves."""
    many = {"Concat": term.args, "If": term.args[1:]}.get(term.op, term.args[:1])
    if any(arg is None for arg in many):
        raise Unliftable(term.op)
    return [arg for arg in many if arg is not None]


def _whole(params: Params) -> Params:
    """Behind an operator that moves elements, channels may lie elsewhere: one scale only."""
    if params.scale is not None and params.scale.op == CONST and params.scale.payload.size != 1:
        raise Unliftable("channels that move")
    return params


def _carried(terms: Terms, term: Term, made: dict[int, Term], params: Params) -> Term:
    data = {arg.id for arg in _data(term)}
    args = [made[arg.id] if arg is not None and arg.id in data else arg for arg in term.args]
    if term.op == "If":
        args[0] = term.arg(0)
    if term.op == "Pad" and term.attr("mode", b"constant") == b"constant":
        args[1:2] = [_fill(terms, term.arg(1), params)]
    return terms.make(term.op, tuple(args), term.attrs, term.output)


def _fill(terms: Terms, value: Term | None, params: Params) -> Term | None:
    """What is padded with: None for the number 0, which is the zero point."""
    held, zero = small(value), small(params.zero)
    number = 0 if held is None and value is None else None if held is None else _number(held)
    if number == (0 if zero is None else _number(zero)):
        return None
    if value is None:
        raise Unliftable("Pad")
    return _root(terms, value, params)


def _number(held: Array) -> int | None:
    whole = held.size == 1 and held.dtype.kind in "iu"
    return int(held.reshape(-1)[0]) if whole else None


def _root(terms: Terms, term: Term, params: Params) -> Term:
    if term.op == CONST:
        return constant(terms, term, params)
    if term.op == INTEGERS:
        source, scale, zero = (term.arg(at) for at in range(3))
        same = scale is params.scale and same_zero(zero, params.zero)
        if source is not None and same and term.attr("axis") == _axis_of(params):
            running = tensor_of(scale) is None
            found = replace(params, kind=str(term.attr("kind")), dynamic=running)
            return fake(terms, source, found, term.name)
    if term.op == DYNAMIC and term.output == 0 and params.scale is not None and term.arg(0) is not None:
        parts = (params.scale, params.zero)
        if all(
            part is not None and (part.op, part.output, part.args, part.attrs) == (DYNAMIC, at, term.args, ())
            for at, part in enumerate(parts, 1)
        ):
            return fake(terms, term.first, replace(params, kind="UINT8", dynamic=True), term.name)
    raise Unliftable(term.op)


def same_zero(one: Term | None, other: Term | None) -> bool:
    """Whether two zero points are the same; an absent one is 0."""
    if one is other:
        return True
    held = [None if term is None else small(term) for term in (one, other)]
    return all(
        term is None or (found is not None and not found.any())
        for term, found in zip((one, other), held, strict=True)
    )


def _axis_of(params: Params) -> int | None:
    return channel_axis(params.scale, params.axis)


def channel_axis(scale: Term | None, axis: int | None) -> int | None:
    """The axis of the scales; None where there is but one."""
    one = scale is None or scale.op != CONST or scale.payload.size == 1
    return None if one else axis


def fake(terms: Terms, source: Term, params: Params, integers: str) -> Term:
    """``source`` quantized and dequantized again."""
    key = (
        params.scale.id if params.scale else None,
        params.zero.id if params.zero else None,
        *(params.kind, params.axis, params.block, params.dynamic),
    )
    made = terms.make(FAKE, (source,), payload=params, key=key)
    made.integers = made.integers or integers
    return made


def constant(terms: Terms, term: Term, params: Params) -> Term:
    """The leaf of integers that lie in the file as they are. Raises Unliftable, InvalidModel."""
    held: Constant = term.payload
    shape, axis = held.dims, _axis_of(params)
    if axis is not None:
        axis += len(shape) if axis < 0 else 0
        if not 0 <= axis < len(shape):
            raise Unliftable("axis")
    block = params.block if params.block and axis is not None else None
    bits = elements.bits(elements.NUMBERS.get(held.kind, 0))
    layout = ("plain", shape, axis, block, bits)
    return leaf(terms, (term, params.scale, params.zero), layout, held.kind, params.operator)


def tensor_of(term: Term | None) -> Tensor | None:
    """The tensor of a constant that lies in the file."""
    return term.payload.tensor if term is not None and term.op == CONST else None


Layout = tuple[str, tuple[int, ...], int | None, int | None, int]  # layout, shape, axis, block_size, bits


def leaf(
    terms: Terms, parts: tuple[Term, Term | None, Term | None], layout: Layout, kind: str, operator: str
) -> Term:
    """A quantized constant of integers, scale and zero point. Raises Unliftable, InvalidModel."""
    data, scale, zero = (tensor_of(part) for part in parts)
    shown, shape, axis, block, bits = layout
    if data is None or scale is None or (parts[2] is not None and zero is None):
        raise Unliftable("computed parameters")
    if shown == "plain" and kind not in _INTEGER:
        raise Unliftable(kind)
    _check(layout, scale, zero)
    held: Constant = parts[0].payload
    assert held.contents is not None
    made = QuantLeaf(
        *(held.name, held.scope, data, (scale,), zero, kind, shape, axis, block, shown, bits, operator),
        role="bias" if kind == "INT32" else "weight",
        contents=held.contents,
    )
    key = (*(part.id if part else None for part in parts), layout, kind)
    term = terms.make(QUANT, payload=made, key=key)
    term.name, term.scope = held.name, held.scope
    return term


def _check(layout: Layout, scale: Tensor, zero: Tensor | None) -> None:
    """As many scales and zero points as the layout needs."""
    shown, shape, axis, block, bits = layout
    grid = list(shape)
    if shown == "bnb4":
        grid = [-(-prod(shape) // (block or 1))]
    elif axis is None:
        grid = []
    elif block:
        grid[axis] = -(-grid[axis] // block)
    else:
        grid = [shape[axis]]
    if scale.elements != prod(grid):
        raise Unliftable("scales")
    packed = prod(grid[:-1]) * -(-grid[-1] * bits // 8) if grid else 1
    allowed = {prod(grid), packed} if shown in ("nbits", "gather") else {prod(grid), 1 if not block else -1}
    if zero is not None and zero.elements not in allowed:
        raise Unliftable("zero points")


def checked(term: Term | None) -> Term:
    """The term. Raises Unliftable where there is none."""
    if term is None:
        raise Unliftable("absent")
    return term
