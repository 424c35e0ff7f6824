"""How weights become integers once scale and zero point are known: the few ways that tools have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from registry.onnx.lineage.grid import Grid, Slab

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


class Rounding(NamedTuple):
    """``quotient``: "divide" by the scale or "multiply" by its reciprocal, both in float32, "fuse" for a
    product and sum that are rounded once (compilers do it for ARM), or "double" for a division in float64.
    ``inside``: the zero point is added before rounding. ``away``: halves go away
    from 0, not to the even neighbour. ``short``: the type's lowest level is clipped, although the scale
    counts it in."""

    quotient: str
    inside: bool
    away: bool
    short: bool = False

    @property
    def name(self) -> str:
        """The way in words."""
        halves = "away from zero" if self.away else "to even"
        how = {"divide": "w/s", "multiply": "w*(1/s)", "fuse": "w*(1/s) fused", "double": "w/s in float64"}[
            self.quotient
        ]
        end = ", lowest level clipped" if self.short else ""
        return f"{how}{' + z' if self.inside else ''}, halves {halves}{end}"


NUMPY = Rounding("divide", False, False)  # ONNX Runtime's Python quantizers, and QuantizeLinear
KERNEL_NBITS = Rounding("multiply", True, True)  # its quantize_matmul_*bits
KERNEL_QDQ = Rounding("multiply", False, True)  # its quantize_qdq_matmul_4bits
GATHER = Rounding("divide", True, False)  # its quantizer of embedding tables
SHORT = Rounding("divide", False, False, True)  # its Python quantizers up to 1.17, asymmetric signed weights
_OTHERS = (
    Rounding("fuse", True, True),  # its kernel for blocks where it was built for ARM
    Rounding("multiply", True, False),
    Rounding("multiply", False, False),
    Rounding("divide", False, True),
    Rounding("divide", True, True),
    Rounding("double", False, False),
    Rounding("double", False, True),
    SHORT,
)
ROUNDINGS = (NUMPY, KERNEL_NBITS, KERNEL_QDQ, GATHER, *_OTHERS)


def in_order(layout: str, blockwise: bool) -> tuple[Rounding, ...]:
    """All ways, the likeliest for this layout of a leaf first."""
    usual = KERNEL_QDQ if blockwise else NUMPY
    first = {"nbits": KERNEL_NBITS, "gather": GATHER}.get(layout, usual)
    return (first, *(one for one in ROUNDINGS if one is not first))


class Tensors(NamedTuple):
    """Weights, integers, scales and zero points, all in the arrangement of ``grid``."""

    grid: Grid
    weights: Array
    integers: Array
    scale: Array
    zero: Array


def holds(tensors: Tensors, rounding: Rounding, ends: tuple[int, int]) -> bool:
    """Whether ``rounding`` gives every integer; ends at the first slab that says no."""
    import numpy as np

    for slab in tensors.grid.slabs():
        with np.errstate(all="ignore"):
            made = rounded(tensors, rounding, slab)
            np.clip(made, *ends, out=made)
        if not np.array_equal(made, tensors.integers[slab.data]):
            return False
    return True


def rounded(tensors: Tensors, rounding: Rounding, slab: Slab) -> Array:
    """The slab's integers as this way makes them, not clipped, as floats."""
    import numpy as np

    kind: Any = np.float64 if rounding.quotient == "double" else np.float32
    scale = tensors.grid.cut(tensors.scale, slab).astype(kind)
    zero = tensors.grid.cut(tensors.zero, slab).astype(kind)
    weights = tensors.weights[slab.data].astype(kind, copy=False)
    if rounding.quotient == "fuse":
        inverse = np.where(scale == 0, kind(0), kind(1) / scale).astype(np.float64)
        # 24 times 24 bits fit in float64: the sum is the first to be rounded, and then once more to float32
        return _whole((weights * inverse + zero).astype(kind), rounding.away)
    if rounding.quotient == "multiply":
        made = weights * np.where(scale == 0, kind(0), kind(1) / scale)
    else:
        made = weights / scale
        if not scale.all():  # a block of zeros, whose scale is 0: every value is the zero point
            made = np.where(scale == 0, kind(0), made)
    if rounding.inside:
        made += zero
        return _whole(made, rounding.away)
    made = _whole(made, rounding.away)
    made += zero
    return made


def _whole(values: Array, away: bool) -> Array:
    import numpy as np

    if not away:
        return np.rint(values, out=values)
    whole = np.trunc(values)
    whole += np.copysign(np.abs(values - whole) >= 0.5, values).astype(values.dtype)
    return whole
