"""What operators make of small integer vectors that hold shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from registry.onnx.lineage.extents import Extents
from registry.onnx.lineage.shaping import Rule, Shapes
from registry.onnx.lineage.terms import Term

_MOST = 1 << 62  # beyond, a runtime's int64 would wrap around


def _dims(shapes: Shapes, term: Term) -> Extents | None:
    found = shapes.of(term.arg(0))
    return found and found[slice(term.attr("start", 0), term.attr("end"))]


def _vector_of_first(shapes: Shapes, term: Term) -> Extents | None:
    return shapes.vector(term.arg(0))


def _picked(shapes: Shapes, term: Term) -> Extents | None:
    held, places = shapes.vector(term.arg(0)), shapes.vector(term.arg(1))
    if held is None or places is None or not all(isinstance(at, int) for at in places):
        return None
    wanted = [at for at in places if isinstance(at, int) and -len(held) <= at < len(held)]
    return tuple(held[at] for at in wanted) if len(wanted) == len(places) else None


def _concatenated(shapes: Shapes, term: Term) -> Extents | None:
    found = [shapes.vector(arg) for arg in term.args]
    return None if None in found else tuple(dim for part in found if part is not None for dim in part)


def _cut(shapes: Shapes, term: Term) -> Extents | None:
    held, starts, ends = shapes.vector(term.arg(0)), term.attr("starts"), term.attr("ends")
    step = (term.attr("steps") or (1,))[0]
    if held is None or not starts or not ends or len(starts) != 1 or not step:
        return None
    return held[slice(starts[0], ends[0], step)]


def _calculated(shapes: Shapes, term: Term) -> Extents | None:
    """Numbers are calculated with; what is made of an unknown extent is another."""
    left, right = shapes.vector(term.arg(0)), shapes.vector(term.arg(1))
    if left is None or right is None or len(left) != 1 or len(right) != 1:
        return None
    a, b = left[0], right[0]
    if not isinstance(a, int) or not isinstance(b, int) or term.op == "Div":
        return ((term.id, 0),)
    found = {"Add": a + b, "Sub": a - b, "Mul": a * b}[term.op]
    return (found,) if abs(found) < _MOST else None


VECTORS: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(("Unsqueeze", "Squeeze", "Reshape", "Cast"), _vector_of_first),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _calculated),
    **{"Shape": _dims, "Gather": _picked, "Concat": _concatenated, "Slice": _cut},
}
