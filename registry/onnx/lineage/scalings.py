"""Known recipes for scale and zero point, each computed as the tool that has it computes it, to the bit.

A recipe takes the smallest and largest value of a group of weights. Sources: ONNX Runtime's quant_utils.py
(compute_scale_zp) and its kernels for 4-bit blocks, PyTorch's observers, TensorRT's calibrators.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from registry.onnx import elements
from registry.onnx.lineage.grid import Extremes

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

# How the numbers are computed: "double" subtracts and divides in float64; "mixed" subtracts in the weights'
# own type (ONNX Runtime before 1.20); "rounded" as mixed, but the zero point comes from the rounded scale
# (its blockwise quantizer); "single" does everything in float32; "inverse" multiplies by 1 / width.
ARITHMETICS = ("double", "mixed", "rounded", "single", "inverse")
_LEAST = 1e-4  # the shortest range in ONNX Runtime's settings for accelerators


class Scaling(NamedTuple):
    """``way``: "symmetric" (twice the largest magnitude over ``width``), "asymmetric" (the range, with 0 in
    it, over ``width``), "peak" (the value furthest from 0 becomes the lowest level, so that scales may be
    negative: MatMulNBits), or "blocks" (asymmetric, as the 4-bit kernels do it; ``arithmetic`` "away" or
    "even" says how they round the zero point). ``low`` and ``high`` are the levels in use. ``least`` is the
    shortest range that is allowed (ONNX Runtime's MinimumRealRange; the name leaves it out, for it concerns
    few tensors)."""

    way: str
    low: int
    high: int
    width: int
    arithmetic: str
    signed: bool
    least: float = 0.0

    @property
    def name(self) -> str:
        """The recipe in words, its arithmetic apart."""
        if self.way == "peak":
            return f"largest value on level {self.low}"
        return f"{self.way} {self.low}..{self.high}, range/{self.width}"


def levels(kind: str) -> tuple[int, int]:
    """The lowest and highest integer of a type such as "INT8"."""
    bits = elements.bits(elements.NUMBERS[kind])
    return (0, (1 << bits) - 1) if elements.is_unsigned(kind) else (-(1 << bits - 1), (1 << bits - 1) - 1)


def _ranges(kind: str) -> tuple[tuple[int, int], ...]:
    """Levels that quantizers use of a type: all, without the lowest, half as many (reduced)."""
    low, high = levels(kind)
    if low == 0:
        return (low, high), (0, high // 2)
    half = (high + 1) // 2
    reduced = (low // 2, high // 2) if kind == "INT4" else (-half, half)
    return (-high, high), (low, high), reduced


def scalings(kind: str, blockwise: bool) -> Iterator[Scaling]:
    """Every known recipe for this integer type, the likelier first."""
    found = tuple(_full(kind, blockwise))
    yield from found
    if not blockwise:
        plain = (one for one in found if one.arithmetic == "double" and one.width < one.high - one.low + 1)
        yield from (one._replace(least=_LEAST) for one in plain)


def _full(kind: str, blockwise: bool) -> Iterator[Scaling]:
    low, high = levels(kind)
    signed = low < 0
    if blockwise:
        yield Scaling("peak", low, high, high - low + 1, "single", signed)
        for rounding in ("away", "even"):
            yield Scaling("blocks", low, high, high - low, rounding, signed)
    ranges = _ranges(kind)
    for first, last in ranges if signed else ranges[:1]:
        yield Scaling("symmetric", first, last, last - first, "double", signed)
    for first, last in ranges[1:] if signed else ranges:
        for arithmetic in ARITHMETICS[:4]:
            yield Scaling("asymmetric", first, last, last - first, arithmetic, signed)
    if not signed:
        yield Scaling("symmetric", 0, ranges[1][1], ranges[1][1], "double", signed)
        yield Scaling("symmetric", 0, high - 1, high - 1, "double", signed)  # ONNX Runtime since 1.20
        for first, last in ranges:  # before, where the middle is computed, and falls on either side of a half
            yield Scaling("symmetric", first, last, last - first, "mixed", signed)
    yield Scaling("symmetric", low, high, high - low + 1, "double", signed)  # amax / 128
    for first, last in ranges[:2] if signed else ranges[:1]:
        yield Scaling("symmetric", first, last, last - first, "inverse", signed)


def expected(scaling: Scaling, found: Extremes) -> tuple[Array, Array]:
    """Scale (of the weights' type) and zero point (float64) for groups with these extremes."""
    import numpy as np

    zero = np.zeros((), found.low.dtype)
    low, high = np.minimum(found.low, zero), np.maximum(found.high, zero)
    if scaling.least:
        high = np.maximum(high, low + np.asarray(scaling.least, low.dtype))
    with np.errstate(all="ignore"):
        if scaling.way == "peak":
            return _peak(scaling, low, high)
        if scaling.way == "blocks":
            return _blocks(scaling, low, high)
        if scaling.way == "symmetric":
            high = np.maximum(-low, high)
            low = -high
        scale, exact = _divided(scaling, low, high)
        if scaling.way == "symmetric" and scaling.arithmetic != "mixed":
            offset = np.full(scale.shape, np.round(np.float64(scaling.low + scaling.high) / 2.0))
        else:
            offset = _offset(scaling, low, scale, exact)
        tiny = exact < np.finfo(low.dtype).tiny  # a group of zeros: ONNX Runtime's own exception
        return np.where(tiny, np.ones((), low.dtype), scale), np.where(tiny, 0.0, offset)


def _divided(scaling: Scaling, low: Array, high: Array) -> tuple[Array, Array]:
    """The scale as it is stored, and before it was rounded."""
    import numpy as np

    kind = low.dtype
    if scaling.arithmetic == "inverse":
        exact = (high - low).astype(np.float32) * np.float32(1.0 / scaling.width)
    elif scaling.arithmetic == "single":
        exact = (high.astype(np.float32) - low.astype(np.float32)) / np.float32(scaling.width)
    elif scaling.arithmetic == "double":
        exact = (high.astype(np.float64) - low.astype(np.float64)) / scaling.width
    else:
        exact = (high - low).astype(np.float64) / scaling.width
    return exact.astype(kind), exact.astype(np.float64)


def _offset(scaling: Scaling, low: Array, scale: Array, exact: Array) -> Array:
    import numpy as np

    if scaling.arithmetic == "single":
        return np.round(np.float32(scaling.low) - low.astype(np.float32) / exact.astype(np.float32)).astype(
            "f8"
        )
    divisor = scale.astype(np.float64) if scaling.arithmetic == "rounded" else exact
    found = np.round(scaling.low - low.astype(np.float64) / divisor)
    return np.clip(found, scaling.low, scaling.high)


def _peak(scaling: Scaling, low: Array, high: Array) -> tuple[Array, Array]:
    import numpy as np

    furthest = np.where(np.abs(high) > np.abs(low), high, low).astype(np.float32)
    half = np.float32(scaling.width // 2)
    middle = 0.0 if scaling.signed else float(scaling.width // 2)
    return (-furthest / half).astype(low.dtype), np.full(low.shape, middle)


def _blocks(scaling: Scaling, low: Array, high: Array) -> tuple[Array, Array]:
    """As MLAS (zero points rounded away, 0 for a block of zeros) or numpy code (even, the middle)."""
    import numpy as np

    single = np.float32
    scale = (high.astype(single) - low.astype(single)) / single(scaling.width)
    raw = single(scaling.low) - low.astype(single) / scale
    if scaling.arithmetic == "away":
        whole = np.floor(raw)
        offset = np.where(scale == 0, single(0), whole + (raw - whole >= single(0.5)))
    else:
        offset = np.where(scale == 0, single(scaling.low + (scaling.width + 1) // 2), np.round(raw))
    return scale.astype(low.dtype), np.clip(offset, scaling.low, scaling.high).astype(np.float64)
