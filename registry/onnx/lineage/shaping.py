"""What operators make of shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeAlias

from registry.onnx.lineage import extents
from registry.onnx.lineage.extents import Extents
from registry.onnx.lineage.terms import Term


class Shapes(Protocol):
    """What is known of other terms."""

    def of(self, term: Term | None) -> Extents | None:
        """The term's shape."""

    def vector(self, term: Term | None) -> Extents | None:
        """The elements of a small integer vector."""


Rule: TypeAlias = "Callable[[Shapes, Term], Extents | None]"


def _first(shapes: Shapes, term: Term) -> Extents | None:
    return shapes.of(term.arg(0))


def _wide(shapes: Shapes, term: Term) -> Extents | None:
    made: Extents = ()
    for arg in term.args:
        found = shapes.of(arg)
        if found is None:
            return None
        made = extents.broadcast(made, found, term.id)
    return made


def _matmul(shapes: Shapes, term: Term) -> Extents | None:
    left, right = shapes.of(term.arg(0)), shapes.of(term.arg(1))
    if left is None or right is None or len(left) < 2 or len(right) < 2:
        return None
    return (*extents.broadcast(left[:-2], right[:-2], term.id), left[-2], right[-1])


def _windows(shapes: Shapes, term: Term) -> Extents | None:
    """Conv and pools: batch, channels, then what is left of each spatial extent."""
    source = shapes.of(term.arg(0))
    weight = shapes.of(term.arg(1)) if term.op == "Conv" else None
    if source is None or len(source) < 3 or (term.op == "Conv" and weight is None):
        return None
    count = len(source) - 2
    kernel = term.attr("kernel_shape") or tuple(size for size in (weight or ())[2:] if isinstance(size, int))
    strides, dilations = (term.attr(name) or (1,) * count for name in ("strides", "dilations"))
    pads = term.attr("pads") or (0,) * (2 * count)
    known = len(kernel) == len(strides) == len(dilations) == count and len(pads) == 2 * count
    certain = known and term.attr("auto_pad") is None and not term.attr("ceil_mode", 0)
    spatial = tuple(
        extents.window(
            size, kernel[at], strides[at], dilations[at], pads[at] + pads[at + count], (term.id, at)
        )
        if certain and strides[at] > 0
        else (term.id, at)
        for at, size in enumerate(source[2:])
    )
    return (source[0], weight[0] if weight else source[1], *spatial)


def _pooled(shapes: Shapes, term: Term) -> Extents | None:
    source = shapes.of(term.arg(0))
    return source and (*source[:2], *(1,) * (len(source) - 2))


def _same_rank(shapes: Shapes, term: Term) -> Extents | None:
    """Extents unknown, as many as before."""
    source = shapes.of(term.arg(0))
    return source and tuple((term.id, at) for at in range(len(source)))


def _transposed(shapes: Shapes, term: Term) -> Extents | None:
    source = shapes.of(term.arg(0))
    if source is None:
        return None
    perm = term.attr("perm") or tuple(reversed(range(len(source))))
    return tuple(source[at] for at in perm) if sorted(perm) == list(range(len(source))) else None


def _reshaped(shapes: Shapes, term: Term) -> Extents | None:
    wanted = term.attr("shape") if len(term.args) == 1 else shapes.vector(term.arg(1))
    source = shapes.of(term.arg(0))
    if wanted is None:
        return None
    if source is None:
        return tuple(dim if dim not in (0, -1) else (term.id, at) for at, dim in enumerate(wanted))
    return extents.reshaped(source, wanted, bool(term.attr("allowzero", 0)), term.id)


def _flattened(shapes: Shapes, term: Term) -> Extents | None:
    source, axis = shapes.of(term.arg(0)), term.attr("axis", 1)
    if source is None:
        return ((term.id, 0), (term.id, 1))
    parts = (source[:axis], source[axis:])
    return tuple(extents.product(part, (term.id, at)) for at, part in enumerate(parts))


def _axes(term: Term, rank: int) -> set[int] | None:
    axes = term.attr("axes")
    return {axis + rank if axis < 0 else axis for axis in axes} if isinstance(axes, tuple) else None


def _squeezed(shapes: Shapes, term: Term) -> Extents | None:
    source = shapes.of(term.arg(0))
    axes = _axes(term, len(source)) if source is not None else None
    return (
        None if source is None or axes is None else tuple(d for at, d in enumerate(source) if at not in axes)
    )


def _unsqueezed(shapes: Shapes, term: Term) -> Extents | None:
    source = shapes.of(term.arg(0))
    axes = _axes(term, len(source) + len(term.attr("axes", ()))) if source is not None else None
    if source is None or axes is None:
        return None
    rest = iter(source)
    return tuple(1 if at in axes else next(rest, None) for at in range(len(source) + len(axes)))


def _gathered(shapes: Shapes, term: Term) -> Extents | None:
    source, places = shapes.of(term.arg(0)), shapes.of(term.arg(1))
    if source is None or places is None or not source:
        return None
    axis = term.attr("axis", 0) % len(source)
    return (*source[:axis], *places, *source[axis + 1 :])


def _joined(shapes: Shapes, term: Term) -> Extents | None:
    found = [shapes.of(arg) for arg in term.args]
    known = [shape for shape in found if shape]
    if not known or len(known) != len(found) or len({len(shape) for shape in known}) != 1:
        return None
    axis = term.attr("axis", 0) % len(known[0])
    sizes = [shape[axis] for shape in known]
    numbers = [size for size in sizes if isinstance(size, int)]
    joined = sum(numbers) if len(numbers) == len(sizes) else (term.id, axis)
    return (*known[0][:axis], joined, *known[0][axis + 1 :])


def _reduced(shapes: Shapes, term: Term) -> Extents | None:
    source = shapes.of(term.arg(0))
    axes = _axes(term, len(source)) if source is not None else None
    if source is None or (axes is None and term.args[1:]):
        return None
    axes = set(range(len(source))) if axes is None else axes
    if term.attr("keepdims", 1):
        return tuple(1 if at in axes else dim for at, dim in enumerate(source))
    return tuple(dim for at, dim in enumerate(source) if at not in axes)


def _counted(shapes: Shapes, term: Term) -> Extents | None:
    rank = shapes.of(term.arg(0))
    return (len(rank[slice(term.attr("start", 0), term.attr("end"))]),) if rank is not None else None


def _asked(position: int) -> Rule:
    def rule(shapes: Shapes, term: Term) -> Extents | None:
        return shapes.vector(term.arg(position))

    return rule


def _expanded(shapes: Shapes, term: Term) -> Extents | None:
    source, wanted = shapes.of(term.arg(0)), shapes.vector(term.arg(1))
    return None if source is None or wanted is None else extents.broadcast(source, wanted, term.id)


def _sliced(shapes: Shapes, term: Term) -> Extents | None:
    """Only the extents that are cut become unknown."""
    source, starts = shapes.of(term.arg(0)), term.attr("starts")
    if source is None or starts is None:
        return _same_rank(shapes, term)
    axes = _axes(term, len(source)) or set(range(len(starts)))
    return tuple((term.id, at) if at in axes else dim for at, dim in enumerate(source))


_KEPT = (
    *("fake", "Bias", "Relu", "Clip", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Selu", "HardSigmoid", "Erf"),
    *("HardSwish", "Softmax", "LogSoftmax", "Sqrt", "Abs", "Neg", "Exp", "Log", "Cast", "Softplus", "Gelu"),
    *("BatchNormalization", "LayerNormalization", "InstanceNormalization", "LpNormalization", "LRN", "Mish"),
    *("Floor", "Ceil", "Round", "Sin", "Cos", "Reciprocal", "Not", "Sign", "CumSum", "along", "PRelu"),
)
RULES: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(_KEPT, _first),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Where", "Equal", "Sum"), _wide),
    **dict.fromkeys(("Conv", "MaxPool", "AveragePool"), _windows),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _pooled),
    **dict.fromkeys(
        ("ConvTranspose", "Resize", "Pad", "Split", "TopK", "Tile", "GatherElements"), _same_rank
    ),
    **{f"Reduce{what}": _reduced for what in ("Mean", "Sum", "Max", "Min", "Prod", "L2")},
    **{"MatMul": _matmul, "Transpose": _transposed, "Reshape": _reshaped, "Flatten": _flattened},
    **{"Squeeze": _squeezed, "Unsqueeze": _unsqueezed, "Gather": _gathered, "Concat": _joined},
    **{"Shape": _counted, "ConstantOfShape": _asked(0), "Expand": _expanded, "Slice": _sliced},
}
