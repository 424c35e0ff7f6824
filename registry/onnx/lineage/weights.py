"""One quantized weight against the parent's floats: recomputed, bounded, off nearest, or none of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from registry.onnx import elements
from registry.onnx.lineage import bounds
from registry.onnx.lineage.fitting import Fit, fit
from registry.onnx.lineage.grid import Extremes, extremes, of_leaf
from registry.onnx.lineage.judgement import Judgement, Kind
from registry.onnx.lineage.leaves import QuantLeaf
from registry.onnx.lineage.rounding import Rounding, Tensors, holds, in_order
from registry.onnx.lineage.scalings import levels, scalings

if TYPE_CHECKING:
    import numpy as np

    from registry.onnx.lineage.fitting import Widen

    Array: TypeAlias = np.ndarray[Any, Any]

FOLDED = 16  # units in the last place between arithmetic on weights here and where the model was made
_INTEGERS = frozenset(("INT2", "UINT2", "INT4", "UINT4", "INT8", "UINT8", "INT16", "UINT16", "INT32"))
_CUT = 0.05  # share of elements that a quantizer that clips outliers may cut
_COARSE = 4.5  # steps as long as this many of full use: reduced range and powers of two, 2 each
_FAINT = 1e-3  # groups below this share of the tensor's largest value may have any step
_FURTHEST = 1.5  # steps: adaptive roundings stay within one more than nearest
_MEAN_SQUARE = 1 / 3 + 0.01  # steps squared: what up or down by a coin gives


class Case(NamedTuple):
    """A leaf and its weights, arranged."""

    leaf: QuantLeaf
    tensors: Tensors
    found: Extremes
    ulps: int


def judge_weight(
    leaf: QuantLeaf,
    weights: Array,
    *,
    exact: bool = True,
    widen: Sequence[Widen] = (),
    ways: Sequence[Rounding] = (),
    running: bool = False,
) -> Judgement:
    """``weights`` in the leaf's logical shape; ``exact`` is False where arithmetic made them. ``ways`` are
    the roundings to try, () for all. ``running``: the integers are not stored, a QuantizeLinear makes them.

    Raises InvalidModel where the constants cannot be read.
    """
    case = _arranged(leaf, weights, 0 if exact else FOLDED, running)
    if isinstance(case, str):
        return _told(leaf, "unexplained", case)
    wrong = _impossible(case)
    if wrong:
        return _told(leaf, "unexplained", wrong)
    candidates = scalings(leaf.kind, leaf.block_size is not None)
    fitted = fit(candidates, case.found, case.tensors.scale, case.tensors.zero, widen)
    tried = ways or in_order(leaf.layout, leaf.block_size is not None)
    for ends in _ends(case, fitted):
        way = _rounding(case, fitted, tried, ends)
        if way is not None:
            break
    if fitted.scalings and way is not None:
        return _recomputed(leaf, fitted, way)
    return _measured(case, fitted, way, ends)


def _arranged(leaf: QuantLeaf, weights: Array, ulps: int, running: bool) -> Case | str:
    if leaf.kind not in _INTEGERS or weights.dtype.kind != "f":
        return f"numbers of type {leaf.kind} from {weights.dtype.name} are not judged"
    if tuple(weights.shape) != tuple(leaf.shape) or not weights.size:
        return "its shape is not the parent's" if weights.size else "it has no numbers"
    grid = of_leaf(leaf.shape, leaf.axis, leaf.block_size, leaf.name)
    data = grid.arrange(weights)
    scale, zero = (grid.spread(one, leaf.name) for one in (_plain(leaf.scale()), _plain(_zero(leaf))))
    integers = _as_it_runs(leaf, data, scale, zero) if running else grid.arrange(leaf.numbers())
    return Case(leaf, Tensors(grid, data, integers, scale, zero), extremes(grid, data), ulps)


def _plain(params: Array | None) -> Array | None:
    """Numbers of a type that numpy itself has."""
    return params if params is None or params.dtype.kind in "iuf" else params.astype("f4")


def _as_it_runs(leaf: QuantLeaf, data: Array, scale: Array, zero: Array) -> Array:
    """What QuantizeLinear makes of the weights: divided, halves to even, clipped."""
    import numpy as np

    with np.errstate(all="ignore"):
        made = data / scale
        np.rint(made, out=made)
        made += zero.astype(made.dtype)
    np.nan_to_num(made, copy=False)
    return np.asarray(np.clip(made, *levels(leaf.kind), out=made))


def _zero(leaf: QuantLeaf) -> Array | None:
    import numpy as np

    found = leaf.zero_point()
    if found is None and leaf.layout in ("nbits", "gather"):
        return np.full((1,), 1 << leaf.bits - 1, np.float32)
    return found


def _impossible(case: Case) -> str:
    """Why no quantizer can have made these parameters, "" where one can."""
    import numpy as np

    low, high = case.found
    scale = case.tensors.scale.astype(np.float64)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return "the parent's weights are not finite"
    if not np.isfinite(scale).all():
        return "a scale is not finite"
    if not np.isfinite(case.tensors.zero.astype(np.float64)).all():
        return "a zero point is not finite"
    if (scale < 0).any() and case.leaf.block_size is None:
        return "a scale is negative"
    size = np.maximum(np.abs(low.astype(np.float64)), np.abs(high.astype(np.float64)))
    if ((scale == 0) & (size > 0)).any():
        return "a scale is zero where the weights are not"
    return ""


def _rounding(case: Case, fitted: Fit, ways: Sequence[Rounding], ends: tuple[int, int]) -> Rounding | None:
    """The way that gives every integer from the file's own scales, if there is one."""
    if case.leaf.kind == "INT32":
        return None
    for way in ways:
        if way.short and not _clips_lowest(case, fitted, ends[0]):
            continue
        if holds(case.tensors, way, (ends[0] + way.short, ends[1])):
            return way
    return None


def _clips_lowest(case: Case, fitted: Fit, low: int) -> bool:
    """Whether ONNX Runtime 1.17 may have made it: its arithmetic gives the scales, over every level."""
    by_it = any((one.way, one.low, one.arithmetic) == ("asymmetric", low, "mixed") for one in fitted.scalings)
    return by_it and low < 0 and case.leaf.block_size is None and case.leaf.layout == "plain"


def _ends(case: Case, fitted: Fit) -> tuple[tuple[int, int], ...]:
    """The ranges that may have been clipped to: the type's; without its lowest level only where scales are
    no recipe's, so that this hides no change at the end of a known range."""
    low, high = levels(case.leaf.kind)
    narrow = not fitted.scalings and low < 0 and not case.tensors.zero.any()
    if narrow and int(case.tensors.integers.min(initial=0)) > low:
        return (low + 1, high), (low, high)
    return ((low, high),)


def _recomputed(leaf: QuantLeaf, fitted: Fit, way: Rounding) -> Judgement:
    first = fitted.scalings[0]
    wider = ", scale widened for the int32 bias" if fitted.widened else ""
    reason = f"{first.name}; {way.name}{wider}"
    return _told(leaf, "recomputed", reason, scalings=fitted.scalings, rounding=way.name)


def _measured(case: Case, fitted: Fit, way: Rounding | None, ends: tuple[int, int]) -> Judgement:
    measured = bounds.distance(case.tensors, ends, case.ulps)
    verdict, reason = _verdict(case, fitted, way, measured)
    largest = min(measured.largest, 1e9) if measured.finite else 1e9
    return _told(
        case.leaf,
        verdict,
        reason,
        off=measured.off,
        largest=round(largest * 1000),
        saturated=measured.saturated,
        scalings=fitted.scalings,
        rounding=way.name if way else "",
        equal=fitted.equal,
        near=fitted.near,
        others=fitted.others,
        nudge=round(fitted.nudge * 1e9),
        above=fitted.above,
        loose=case.ulps > 0,
    )


def _verdict(case: Case, fitted: Fit, way: Rounding | None, found: bounds.Distance) -> tuple[str, str]:
    """Verdict and reason of a tensor that is not recomputed."""
    if not found.finite or found.largest > _FURTHEST or found.mean_square > _MEAN_SQUARE:
        return "unexplained", _far(found)
    if found.saturated > _CUT * found.elements:
        return "unexplained", f"{found.saturated} of {found.elements} weights are cut off at the range's ends"
    if _is_coarse(case):
        return "unexplained", "a step several times as long as the weights need"
    if found.off or (way is None and found.ties and (fitted.scalings and not case.ulps)):
        return "non-nearest", _off(found)
    known = (
        "scale and zero point are a recipe's"
        if fitted.scalings
        else "scale or zero point are no known recipe's"
    )
    return "bounded", f"{known}; every integer is a nearest one{_near_ties(way, found)}"


def _far(found: bounds.Distance) -> str:
    if not found.finite:
        return "weights beyond all bounds"
    return f"up to {found.largest:.2f} steps away from the parent's weights"


def _off(found: bounds.Distance) -> str:
    if not found.off:
        return f"{found.ties} halves are rounded as no known way does"
    share = 100 * found.off / found.elements
    count = f"{found.off} of {found.elements} integers ({share:.2g} %)"
    return f"{count} are off nearest, up to {found.largest:.2f} steps"


def _near_ties(way: Rounding | None, found: bounds.Distance) -> str:
    return f", {found.ties} within float error of a half" if way is None and found.ties else ""


def _is_coarse(case: Case) -> bool:
    """Whether steps are so long that weights vanish in them: anything rounds to nearest then."""
    import numpy as np

    low, high = case.found.low.astype(np.float64), case.found.high.astype(np.float64)
    size = np.maximum(np.abs(low), np.abs(high))
    full = size / (1 << elements.bits(elements.NUMBERS[case.leaf.kind]) - 1)
    scale = np.abs(case.tensors.scale.astype(np.float64))
    return bool(((scale > _COARSE * full) & (size > _FAINT * size.max(initial=0.0))).any())


def kind_of(leaf: QuantLeaf) -> Kind:
    """What must share a recipe with this leaf."""
    grain = "per-tensor" if leaf.axis is None and leaf.block_size is None else "per-channel"
    if leaf.block_size is not None:
        grain = f"blocks of {leaf.block_size}, {leaf.layout}"
    return Kind(leaf.kind, grain, leaf.role)


def _told(leaf: QuantLeaf, verdict: str, reason: str, **numbers: Any) -> Judgement:
    size = 1
    for dim in leaf.shape:
        size *= dim
    return Judgement(leaf.name, leaf.scope, verdict, reason, size, kind_of(leaf), **numbers)
