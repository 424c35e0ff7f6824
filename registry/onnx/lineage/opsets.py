"""What was an attribute in one operator set and is an input in another: constants become attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from registry.onnx.lineage.calls import Call
from registry.onnx.lineage.folding import integers, small
from registry.onnx.lineage.terms import Term

Form = Callable[[Call], list[Term]]
_LOWEST = -3.4028234663852886e38  # of float32: what Clip before 11 calls no bound
_SPATIAL = ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool")


def scalar(term: Term | None) -> float | int | bool | None:
    """The number of a constant of one element."""
    found = small(term)
    if found is None or found.size != 1 or found.dtype.kind not in "fiub":
        return None
    number: float | int | bool = found.reshape(-1)[0].item()
    return number


def moved(call: Call, *names: str) -> tuple[dict[str, Any], list[Term | None]]:
    """Attributes and arguments, with the integer constants at inputs 1, 2... as attributes of these names;
    "" leaves an input alone."""
    attrs, args = call.full(), list(call.args)
    for at, name in enumerate(names, 1):
        held = call.arg(at)
        found = integers(held) if held is not None and name else None
        if found is not None:
            attrs[name], args[at] = found, None
    return attrs, args


def _inputs(*names: str) -> Form:
    def form(call: Call) -> list[Term]:
        attrs, args = moved(call, *names)
        return call.same(attrs, *args)

    return form


def _reduce(call: Call) -> list[Term]:
    attrs, args = moved(call, "axes")
    if attrs.get("axes") == () and not attrs.get("noop_with_empty_axes", 0):
        del attrs["axes"]
    if attrs.get("axes") != () and "axes" in attrs:
        attrs.pop("noop_with_empty_axes", None)
    return call.same(attrs, *args)


def _slice(call: Call) -> list[Term]:
    """Axes and steps that only spell out the default are dropped."""
    attrs, args = moved(call, "starts", "ends", "axes", "steps")
    starts = attrs.get("starts")
    count = len(starts) if isinstance(starts, tuple) else 0
    if count and attrs.get("axes") == tuple(range(count)):
        del attrs["axes"]
    if count and attrs.get("steps") == (1,) * count:
        del attrs["steps"]
    return call.same(attrs, *args)


def _clip(call: Call) -> list[Term]:
    """Bounds as attributes; an absent one, and before 11 the largest number, is none."""
    if call.version < 11:
        attrs, args = dict(call.attrs), list(call.args)
        bounds = {"min": attrs.pop("min", None), "max": attrs.pop("max", None)}
    else:
        attrs, args = call.full(), list(call.args)
        bounds = {}
        for at, name in ((1, "min"), (2, "max")):
            if (found := scalar(call.arg(at))) is not None:
                bounds[name], args[at] = found, None
    limits = {"min": _LOWEST, "max": -_LOWEST}
    attrs |= {name: bound for name, bound in bounds.items() if bound not in (None, limits[name])}
    return call.same(attrs, *args)


def _pad(call: Call) -> list[Term]:
    """``value`` is an argument, None for the number 0."""
    if call.version < 11:
        attrs = dict(call.full())
        fill = attrs.pop("value", 0.0)
        attrs["pads"] = attrs.pop("paddings", attrs.get("pads"))
        return call.same(attrs, call.arg(0), _number(call, fill))
    attrs, args = moved(call, "pads", "", "axes")
    if isinstance(fill := scalar(call.arg(2)), float) and fill == 0:  # an integer's 0 is not the number 0
        args[2] = None
    if attrs.get("pads") is not None:
        args = [args[0], *args[2:]]
    return call.same(attrs, *args)


def _number(call: Call, number: object) -> Term | None:
    if not isinstance(number, float) or number == 0:
        return None
    import numpy as np

    return call.terms.number(np.array(number, np.float32))


def _split(call: Call) -> list[Term]:
    attrs, args = moved(call, "split")
    attrs.pop("num_outputs", None)
    split = attrs.get("split")
    if isinstance(split, tuple) and len(set(split)) == 1:
        del attrs["split"]  # equal parts: the default
    return call.same({**attrs, "parts": call.outputs}, *args)


def _softmax(call: Call) -> list[Term]:
    """Before 13 all axes from ``axis`` on were taken together."""
    if call.version >= 13:
        return call.same({"axis": call.attrs.get("axis", -1)}, *call.args)
    return call.same({"axis": call.attrs.get("axis", 1), "together": 1}, *call.args)


def _pool(call: Call) -> list[Term]:
    return call.same(window(call.full()), *call.args)


def window(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Strides, dilations and pads without those that say nothing."""
    idle = {"strides": 1, "dilations": 1, "pads": 0, "output_padding": 0}
    return {
        name: value
        for name, value in attrs.items()
        if not (name in idle and isinstance(value, tuple) and set(value) == {idle[name]})
    }


def _resize(call: Call) -> list[Term]:
    """Resize as of 11 and later; before that, and in Upsample, coordinates were scaled without shift."""
    attrs, args = dict(call.full()), list(call.args)
    if call.op == "Resize" and call.version >= 11:
        return call.same(attrs, *_unused_region(attrs, args))
    scales = args[1] if len(args) > 1 else None
    written = attrs.pop("scales", None)
    if scales is None and isinstance(written, tuple):
        import numpy as np

        scales = call.terms.number(np.array(written, np.float32))
    attrs["coordinate_transformation_mode"] = b"asymmetric"
    if attrs.get("mode", b"nearest") == b"nearest":
        attrs["nearest_mode"] = b"floor"
    made = call.terms.make("Resize", (args[0], None, scales), attrs)
    return [made]


def _unused_region(attrs: Mapping[str, Any], args: list[Term | None]) -> list[Term | None]:
    """The region of interest counts only where coordinates are cropped by it; empty inputs are none."""
    kept: list[Term | None] = []
    for at, arg in enumerate(args):
        found = small(arg) if at else None
        empty = found is not None and found.size == 0
        idle = at == 1 and attrs.get("coordinate_transformation_mode") != b"tf_crop_and_resize"
        kept.append(None if empty or idle else arg)
    return kept


_REDUCTIONS = tuple(
    f"Reduce{what}"
    for what in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
)
FORMS: Final[Mapping[str, Form]] = {
    **dict.fromkeys(_REDUCTIONS, _reduce),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), _inputs("axes")),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), _softmax),
    **dict.fromkeys(_SPATIAL[2:], _pool),
    **{"Slice": _slice, "Clip": _clip, "Pad": _pad, "Split": _split, "TopK": _inputs("k")},
    **{"Resize": _resize, "Upsample": _resize},
}
