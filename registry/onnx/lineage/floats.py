"""Constants that stayed float: equal to the bit, or what folding makes of the parent's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from registry.onnx.lineage.judgement import Judgement
from registry.onnx.lineage.leaves import FloatLeaf
from registry.onnx.lineage.weights import FOLDED

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

_CHUNK = 1 << 20  # elements
_INTEGER = {2: "<i2", 4: "<i4", 8: "<i8"}  # by bytes of a float


def judge_float(leaf: FloatLeaf, expected: Array, *, exact: bool) -> Judgement:
    """``expected`` is what the parent has at the leaf's place; ``exact`` that no arithmetic made it.

    Raises InvalidModel.
    """
    held = leaf.value()
    if held.shape != expected.shape or held.dtype != expected.dtype:
        return _told(leaf, "unexplained", "its shape or type is not the parent's", held.size)
    far = furthest(held, expected)
    if far == 0:
        return _told(leaf, "identical", "equal to the bit", held.size)
    if exact or far > FOLDED:
        return _told(leaf, "unexplained", _far(far), held.size)
    return _told(leaf, "folded", f"within {far} units in the last place of folded constants", held.size)


def furthest(held: Array, expected: Array) -> int:
    """The greatest distance in units in the last place of the tensor's largest value: folding subtracts, and
    what cancels keeps the error of what it was taken from. 0 only for equal bits; 2**62 where one is NaN or
    infinite and the other is not the same."""
    import numpy as np

    kind = _INTEGER.get(held.dtype.itemsize)
    if kind is None or held.dtype.kind != "f":
        return 0 if held.tobytes() == expected.tobytes() else 1 << 62
    first, second = np.ascontiguousarray(held).reshape(-1), np.ascontiguousarray(expected).reshape(-1)
    if all(_same(first, second, kind, at) for at in range(0, first.size, _CHUNK)):
        return 0
    return _apart(first, second, kind)


def _same(first: Array, second: Array, kind: str, at: int) -> bool:
    import numpy as np

    one, other = first[at : at + _CHUNK], second[at : at + _CHUNK]
    return bool(np.array_equal(one.view(kind), other.view(kind)))


def _apart(first: Array, second: Array, kind: str) -> int:
    import numpy as np

    different = first.view(kind) != second.view(kind)
    one, other = first[different].astype(np.float64), second[different].astype(np.float64)
    largest = np.abs(second).max()
    if not (np.isfinite(one).all() and np.isfinite(other).all() and np.isfinite(largest)):
        return 1 << 62
    steps = float(np.abs(one - other).max()) / float(np.spacing(largest))
    return max(1, round(steps)) if steps < 2**53 else 1 << 62


def _far(far: int) -> str:
    return "is not the parent's number" if far >= 1 << 53 else f"up to {far} units in the last place off"


def _told(leaf: FloatLeaf, verdict: str, reason: str, count: int) -> Judgement:
    return Judgement(leaf.name, leaf.scope, verdict, reason, count)
