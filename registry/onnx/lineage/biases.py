"""Biases as int32: their scale is the input's times the weight's, so they also tell on the input's scale."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from registry.onnx.arrays import array
from registry.onnx.lineage.judgement import Judgement, Kind
from registry.onnx.lineage.leaves import QuantLeaf
from registry.onnx.lineage.scalings import Scaling

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

_LOW, _HIGH = -(1 << 31), (1 << 31) - 1
_PRODUCT = Scaling("product", _LOW, _HIGH, 1, "double", True)
_EPSILON = 1.0001  # ONNX Runtime leaves this much room in int32
_ULP = 2.0**-23


def judge_bias(leaf: QuantLeaf, bias: Array, *, ulps: int = 0) -> Judgement:
    """An int32 bias; ``bias`` holds the parent's floats. Raises InvalidModel."""
    import numpy as np

    if bias.size != prod(leaf.shape) or not bias.size or bias.dtype.kind != "f":
        return _told(leaf, "unexplained", "its shape or type is not the parent's")
    scale, zero = leaf.scale().reshape(-1), leaf.zero_point()
    if zero is not None and zero.any():
        return _told(leaf, "unexplained", "the zero point of a bias is not 0")
    values, integers = bias.reshape(-1), leaf.numbers().reshape(-1)
    if not (np.isfinite(scale).all() and (scale > 0).all() and np.isfinite(values).all()):
        return _told(leaf, "unexplained", "a scale of a bias is not positive")
    if scale.size not in (1, values.size):
        return _told(leaf, "unexplained", f"{scale.size} scales for a bias of {values.size}")
    if not values.any() and not integers.any():  # shared between operators, it can have one scale only
        return _told(leaf, "recomputed", "zeros, under any scale", scalings=(_PRODUCT,))
    if leaf.partners and not np.array_equal(scale, _product(leaf, scale.dtype)):
        return _told(leaf, "unexplained", "its scale is not that of the input times that of the weight")
    return _compared(leaf, values, integers, scale, ulps)


def _product(leaf: QuantLeaf, kind: Any) -> Array:
    import numpy as np

    found = [array(leaf.contents, tensor).reshape(-1) for tensor in leaf.partners]
    made = np.asarray(found[0] * found[-1]) if len(found) > 1 else found[0]
    return made.astype(kind)


def _compared(leaf: QuantLeaf, values: Array, integers: Array, scale: Array, ulps: int) -> Judgement:
    import numpy as np

    exact = values.astype(np.float64) / scale.astype(np.float64)
    if np.array_equal(np.clip(np.rint(exact), _LOW, _HIGH), integers):
        return _fitting(leaf, "b/(s_x*s_w) in float64", exact)
    single = np.rint(values.astype(np.float32) / scale.astype(np.float32)).astype(np.float64)
    if np.array_equal(np.clip(single, _LOW, _HIGH), integers):
        return _fitting(leaf, "b/(s_x*s_w) in float32", exact)
    error = np.abs(np.clip(exact, _LOW, _HIGH) - integers)
    off = int(np.count_nonzero(error > 0.5 + np.abs(exact) * ulps * _ULP))
    numbers = {"off": off, "largest": round(min(float(error.max(initial=0.0)), 1e9) * 1000)}
    if ulps and not off:
        return _told(leaf, "bounded", "nearest integers, within the arithmetic of folding", **numbers)
    furthest = numbers["largest"] / 1000
    verdict = "non-nearest" if furthest <= 1.5 else "unexplained"
    return _told(
        leaf, verdict, f"{off} of {integers.size} are off nearest, up to {furthest:.2f} steps", **numbers
    )


def _fitting(leaf: QuantLeaf, how: str, exact: Array) -> Judgement:
    import numpy as np

    cut = int(np.count_nonzero(np.abs(exact) > _HIGH))
    note = f", {cut} cut off at the range's ends" if cut else ""
    return _told(leaf, "recomputed", f"{how}{note}", saturated=cut, scalings=(_PRODUCT,), rounding=how)


def widened(scale: Array, input_scale: Array, bias: Array, *, single: bool) -> Array:
    """Weight scales as ONNX Runtime enlarges them so that a bias fits int32
    (qdq_quantizer.py, ``_adjust_weight_scale_for_int32_bias``); in the shape and type of ``scale``.

    ``single``: the room is computed in float32, as it is per channel under NumPy 2.
    """
    import numpy as np

    old, largest = scale.astype(np.float64).reshape(-1), np.abs(bias).reshape(-1)
    if old.size == 1 and largest.size:
        largest = largest.max(keepdims=True)
    if largest.size != old.size:
        return scale
    room = (
        np.float32(_EPSILON) * (np.float32(2) * largest) if single else _EPSILON * (2 * largest.astype("f8"))
    )
    smallest = room / np.float64(_HIGH - (_LOW + 1))
    product = np.float64(input_scale.reshape(-1)[0]) * old
    with np.errstate(all="ignore"):
        wider = (old * (smallest / product)).astype(scale.dtype)
    chosen = np.where((product < smallest) & (product > 0), wider, scale.reshape(-1))
    return np.asarray(chosen).astype(scale.dtype).reshape(scale.shape)


def _told(leaf: QuantLeaf, verdict: str, reason: str, **numbers: Any) -> Judgement:
    kind = Kind(leaf.kind, "", "bias")
    return Judgement(leaf.name, leaf.scope, verdict, reason, prod(leaf.shape), kind, **numbers)
