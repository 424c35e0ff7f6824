"""Operators on constants, in numpy: what a constant expression is folded with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, TypeAlias

from registry.onnx import arrays, elements
from registry.onnx.lineage.terms import Term

LARGEST = 1 << 40  # elements that a shape may ask for; what is really made is bounded by who evaluates
_FILLED = 1 << 22  # elements that are made without being in a file
Step: TypeAlias = Callable[[Term, list[Any]], Any]


class Unfoldable(Exception):
    """The expression has an operator, a type or a size that is not computed here."""


def bounded(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that is small enough to be made. Raises Unfoldable."""
    if any(dim < 0 for dim in shape) or prod(shape) > LARGEST:
        raise Unfoldable("shape")
    return shape


def reshaped(dims: tuple[int, ...], wanted: tuple[int, ...], keep_zero: bool) -> tuple[int, ...]:
    """What Reshape makes of ``dims``. Raises Unfoldable."""
    found = [
        dims[at] if dim == 0 and not keep_zero and at < len(dims) else dim for at, dim in enumerate(wanted)
    ]
    if found.count(-1) > 1 or any(dim < -1 for dim in found):
        raise Unfoldable("Reshape")
    if -1 in found:
        rest = prod(dim for dim in found if dim != -1)
        if not rest or prod(dims) % rest:
            raise Unfoldable("Reshape")
        found[found.index(-1)] = prod(dims) // rest
    if prod(found) != prod(dims):
        raise Unfoldable("Reshape")
    return tuple(found)


def _reshape(term: Term, args: list[Any]) -> Any:
    wanted = term.attr("shape")
    if wanted is None:
        wanted = tuple(int(dim) for dim in args[1].reshape(-1))
    return args[0].reshape(reshaped(args[0].shape, wanted, bool(term.attr("allowzero", 0))))


def _squeeze(term: Term, args: list[Any]) -> Any:
    axes = term.attr("axes")
    import numpy as np

    return np.squeeze(args[0]) if axes is None else np.squeeze(args[0], tuple(axes))


def _unsqueeze(term: Term, args: list[Any]) -> Any:
    import numpy as np

    return np.expand_dims(args[0], tuple(term.attr("axes")))


def _flatten(term: Term, args: list[Any]) -> Any:
    axis, shape = int(term.attr("axis", 1)), args[0].shape
    axis += len(shape) if axis < 0 else 0
    return args[0].reshape(prod(shape[:axis]), -1)


def _transpose(term: Term, args: list[Any]) -> Any:
    return args[0].transpose(term.attr("perm"))


def _cast(term: Term, args: list[Any]) -> Any:
    kind = elements.name(int(term.attr("to", 0)))
    return args[0].astype(arrays.dtype(kind, "Cast"))


def _divide(_: Term, args: list[Any]) -> Any:
    import numpy as np

    left, right = args
    if left.dtype.kind in "iu":  # towards zero, as in C
        if not right.all():
            raise Unfoldable("Div")
        return (np.sign(left) * np.sign(right) * (abs(left) // abs(right))).astype(left.dtype)
    return left / right


def _gather(term: Term, args: list[Any]) -> Any:
    import numpy as np

    axis = int(term.attr("axis", 0))
    if args[1].size * args[0].size // max(1, args[0].shape[axis]) > max(_FILLED, 4 * args[0].size):
        raise Unfoldable("Gather")
    return np.take(args[0], args[1], axis=axis)


def _concat(term: Term, args: list[Any]) -> Any:
    import numpy as np

    return np.concatenate(args, axis=int(term.attr("axis", 0)))


def _slice(term: Term, args: list[Any]) -> Any:
    starts, ends = term.attr("starts"), term.attr("ends")
    if starts is None or ends is None:
        raise Unfoldable("Slice")
    axes = term.attr("axes") or range(len(starts))
    steps = term.attr("steps") or (1,) * len(starts)
    cut = [slice(None)] * args[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        behind = end if step > 0 or end >= -args[0].shape[axis] else None
        cut[axis] = slice(start, behind, step)
    return args[0][tuple(cut)]


def _shape(term: Term, args: list[Any]) -> Any:
    import numpy as np

    return np.array(args[0].shape[term.attr("start", 0) : term.attr("end")], np.int64)


def _filled(_: Term, args: list[Any]) -> Any:
    import numpy as np

    shape = bounded(tuple(int(dim) for dim in args[0].reshape(-1)))
    filled = args[1].reshape(-1)[0] if len(args) > 1 and args[1] is not None else np.float32(0)
    return np.broadcast_to(np.asarray(filled), shape)


def _expand(_: Term, args: list[Any]) -> Any:
    import numpy as np

    wanted = bounded(tuple(int(dim) for dim in args[1].reshape(-1)))
    return np.broadcast_to(args[0], np.broadcast_shapes(args[0].shape, wanted))


def _tile(_: Term, args: list[Any]) -> Any:
    import numpy as np

    times = tuple(int(count) for count in args[1].reshape(-1))
    if prod(bounded((*times, args[0].size))) > _FILLED:
        raise Unfoldable("Tile")
    return np.tile(args[0], times)


def _range(_: Term, args: list[Any]) -> Any:
    import numpy as np

    start, end, step = (arg.reshape(-1)[0] for arg in args)
    if step == 0 or abs((float(end) - float(start)) / float(step)) > _FILLED:
        raise Unfoldable("Range")
    return np.arange(start, end, step, dtype=args[0].dtype)


def _along(term: Term, args: list[Any]) -> Any:
    """A weight times one factor for each entry of an axis, as folding a BatchNormalization does it."""
    factor, axis = args[1].reshape(-1), int(term.attr("axis"))
    if factor.size == 1:
        return args[0] * factor[0]
    groups = int(term.attr("group", 1))
    return args[0] * _spread(args[0], factor, axis, groups)


def _spread(weight: Any, factor: Any, axis: int, groups: int) -> Any:
    """The factors shaped so that they meet the weight's axis; ConvTranspose has groups on axis 0."""
    axis %= weight.ndim
    if groups == 1:
        return factor.reshape([-1 if at == axis else 1 for at in range(weight.ndim)])
    import numpy as np

    rows = factor.reshape(groups, -1).repeat(weight.shape[0] // groups, axis=0)
    return np.reshape(rows, rows.shape + (1,) * (weight.ndim - 2))


def _simple(name: str) -> Step:
    def step(_: Term, args: list[Any]) -> Any:
        import numpy as np

        return getattr(np, name)(*args)

    return step


def _flat(_: Term, args: list[Any]) -> Any:
    return args[0].reshape(-1)


STEPS: Mapping[str, Step] = {
    **{
        op: _simple(name)
        for op, name in (
            *(("Add", "add"), ("Sub", "subtract"), ("Mul", "multiply"), ("Neg", "negative")),
            *(("Sqrt", "sqrt"), ("Abs", "abs"), ("Exp", "exp"), ("Floor", "floor"), ("Ceil", "ceil")),
            *(("Equal", "equal"), ("Less", "less"), ("Greater", "greater"), ("Not", "logical_not")),
            *(("And", "logical_and"), ("Or", "logical_or"), ("Where", "where"), ("Reciprocal", "reciprocal")),
            *(("Min", "minimum"), ("Max", "maximum"), ("Pow", "power")),
        )
    },
    **{"Reshape": _reshape, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Flatten": _flatten},
    **{"Transpose": _transpose, "Cast": _cast, "Div": _divide, "Gather": _gather, "Concat": _concat},
    **{"Slice": _slice, "Shape": _shape, "ConstantOfShape": _filled, "Expand": _expand, "Range": _range},
    "Tile": _tile,
    **{"along": _along, "flat": _flat},
}
