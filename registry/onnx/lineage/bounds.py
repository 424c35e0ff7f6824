"""How far integers lie from the weights they stand for, in steps of their scale.

In exact arithmetic a nearest rounding is at most half a step away. Float32 adds at most 2**-24 of the
value for each operation, and there are up to four: the division, the reciprocal, the zero point, the
scale itself where it was computed with more digits than are stored. So a weight whose quotient is v may
look ``|v| * 2**-22`` further away than it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from registry.onnx.lineage.grid import Slab
from registry.onnx.lineage.rounding import Tensors

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

_RELATIVE = 2.0**-22
_ULP = 2.0**-23  # of a float32 weight, relative


class Distance(NamedTuple):
    """``largest`` and ``mean_square`` are in steps, over the elements that are not saturated: those on an
    end of the range whose weight lies at or beyond it. ``off`` of them are off their nearest integer;
    ``ties`` are within float error of half a step. ``finite`` is False where a number is NaN or infinite."""

    elements: int
    saturated: int
    off: int
    ties: int
    largest: float
    mean_square: float
    finite: bool


def distance(tensors: Tensors, ends: tuple[int, int], ulps: int = 0) -> Distance:
    """Measure it; ``ulps`` are allowed between these weights and those that were quantized."""
    import numpy as np

    saturated = off = ties = elements = 0
    largest = total = 0.0
    for slab in tensors.grid.slabs(1 << 16):
        with np.errstate(all="ignore"):
            error, slack, beyond = _errors(tensors, slab, ends, ulps)
        elements += error.size
        saturated += int(np.count_nonzero(beyond))
        error[beyond] = 0.0
        if error.size:
            largest = max(largest, float(error.max()))  # NaN is caught by the sum
        over = int(np.count_nonzero(error > 0.5 + slack))
        off += over
        ties += int(np.count_nonzero(error >= 0.5 - slack)) - over
        total += float(np.square(error, out=error).sum())  # no dot product: BLAS would start threads
    finite = bool(np.isfinite(total)) and bool(np.isfinite(largest))
    return Distance(elements, saturated, off, ties, largest, total / max(1, elements - saturated), finite)


def _errors(tensors: Tensors, slab: Slab, ends: tuple[int, int], ulps: int) -> tuple[Array, Array, Array]:
    """Distance of each element, what float arithmetic may add to it, and whether it is saturated."""
    import numpy as np

    scale = tensors.grid.cut(tensors.scale, slab).astype(np.float64)
    zero = tensors.grid.cut(tensors.zero, slab).astype(np.float64)
    weights, integers = tensors.weights[slab.data].astype(np.float64), tensors.integers[slab.data]
    value = weights / scale
    value = np.where((scale == 0) & (weights == 0), 0.0, value)
    slack = np.abs(value) * (_RELATIVE + ulps * _ULP)
    error = value + zero
    error -= integers
    low, high = ends
    beyond = ((integers == high) & (error > 0)) | ((integers == low) & (error < 0))
    return np.abs(error), slack, beyond & (np.abs(error) > 0.5)
