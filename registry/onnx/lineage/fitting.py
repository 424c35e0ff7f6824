"""Which known recipe gives a tensor's scales and zero points, and how near a recipe they are if none does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from registry.onnx.lineage.grid import Extremes
from registry.onnx.lineage.scalings import Scaling, expected

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]
    Widen: TypeAlias = Callable[[Array], Array]

_NEAR = 1e-3  # relative: a scale this near a recipe's means to be it
_SAMPLE = 64  # groups that are tried before all are


class Fit(NamedTuple):
    """``scalings`` give scale and zero point to the bit, with ``widened`` after ONNX Runtime has made room
    for an int32 bias. Where there are none, the recipe that is nearest: ``equal`` groups have its scale,
    ``near`` ones almost, by up to ``nudge`` (relative), ``others`` not; ``above`` tells that a near one is
    larger."""

    scalings: tuple[Scaling, ...]
    widened: bool = False
    equal: int = 0
    near: int = 0
    others: int = 0
    nudge: float = 0.0
    above: bool = False


def fit(
    candidates: Iterable[Scaling], found: Extremes, scale: Array, zero: Array, widen: Sequence[Widen] = ()
) -> Fit:
    """Try every candidate on the scales and zero points of groups with these extremes.

    ``widen`` are ways to turn a recipe's scales into those that an int32 bias needs.
    """
    known = tuple(candidates)
    likely = [one for one in known if _gives(one, _sample(found), _first(scale), _first(zero))]
    fitting = [one for one in likely if _gives(one, found, scale, zero)]
    if fitting:
        return Fit(tuple(fitting))
    for wider in widen:
        fitting = [one for one in known if one.way == "symmetric" and _gives(one, found, scale, zero, wider)]
        if fitting:
            return Fit(tuple(fitting), widened=True)
    nearest = [_nearness(one, found, scale) for one in known]
    return max(nearest, key=lambda one: (one.equal, one.near), default=Fit(()))


def _gives(scaling: Scaling, found: Extremes, scale: Array, zero: Array, widen: Widen | None = None) -> bool:
    import numpy as np

    made, offset = expected(scaling, found)
    if widen is not None:
        made = widen(made)
    return bool(np.all(made == scale)) and bool(np.all(offset == zero))


def _nearness(scaling: Scaling, found: Extremes, scale: Array) -> Fit:
    import numpy as np

    made, _ = expected(scaling, found)
    with np.errstate(all="ignore"):
        ratio = scale.astype(np.float64) / made.astype(np.float64) - 1.0
    off = np.abs(ratio)
    near = (off > 0) & (off <= nearness(scaling))
    nudge = float(off[near].max()) if near.any() else 0.0
    above = bool((ratio[near] > 0).any())
    equal, close = int((off == 0).sum()), int(near.sum())
    return Fit((), False, equal, close, off.size - equal - close, nudge, above)


def nearness(scaling: Scaling) -> float:
    """How far from a recipe's scale another still looks like it: the end of the range moves by less than
    half a step, so who clips gains nothing."""
    steps = (
        0.5 if scaling.way in ("asymmetric", "blocks") else 1.0
    )  # the zero point is inside, or in the middle
    return max(_NEAR, steps / scaling.width)


def _sample(found: Extremes) -> Extremes:
    return Extremes(_first(found.low), _first(found.high))


def _first(params: Array) -> Array:
    """A few of the groups; all of a small array. One value that stands for all stays one."""
    if params.size <= _SAMPLE:
        return params
    outer, along, inner = (min(size, 4) for size in params.shape)
    return params[:outer, :along, :inner]
