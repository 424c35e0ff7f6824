"""The noise inside a graph: values of the child beside those of its parent at the same position.

Which values belong together is the lineage matching's to say; names alone are not trusted. The values are
read from both models as further outputs. That keeps the runtime from fusing nodes across them, so a value
can differ in its last bits from what the untouched model computes there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from registry.onnx.arrays import array
from registry.onnx.evaluate.compare import FLOATS, Advance, Feeds, decimal, millidecibel, silent
from registry.onnx.evaluate.evaluation import MAX_LAYERS, Layer
from registry.onnx.evaluate.meter import Meter
from registry.onnx.evaluate.tapping import TAPPED, tap
from registry.onnx.ir import Node
from registry.onnx.lineage.leaves import Activation, Matching
from registry.onnx.loaded import Loaded
from registry.onnx.operators import OPERATORS, QUANTIZE, qualified
from registry.onnx.session import ModelSession, build_session

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

MAX_TAPS = 256  # values brought out at a time
_INTEGERS = frozenset(f"tensor({sign}int{bits})" for sign in ("", "u") for bits in (8, 16))


class Link(NamedTuple):
    """A value of the child and the parent's at its position. ``grid`` turns integers of the child to floats:
    None where the child's value is float itself."""

    child: str
    parent: str
    operator: str  # that makes the parent's value
    grid: Activation | None


class Found(NamedTuple):
    """Every layer measured, in the parent's order."""

    layers: tuple[Layer, ...]

    @property
    def worst(self) -> tuple[Layer, ...]:
        """Those that are signed: at most ``MAX_LAYERS``, with the lowest SQNR, in the parent's order."""
        kept = sorted(range(len(self.layers)), key=lambda at: self.layers[at].sqnr_mdb)[:MAX_LAYERS]
        return tuple(self.layers[at] for at in sorted(kept))


def links(child: Loaded, parent: Loaded, matching: Matching) -> tuple[Link, ...]:
    """The values that nodes of both main graphs make, paired, in the order of the parent's nodes.

    Where the child holds a value as integers only (QOperator), they stand for it with their scale.
    """
    named = _integers(child.model.graph.nodes)
    grids = {
        one.value or named.get(one.scale.name, ""): one
        for one in matching.activations
        if one.parent and one.scale is not None
    }
    known = {theirs: ours for ours, theirs in reversed(matching.values)}
    held = {one.parent: name for name, one in grids.items()}
    mine = {name for node in child.model.graph.nodes for name in node.outputs}
    found = []
    for node in parent.model.graph.nodes:
        operator = qualified((node.domain, node.op_type))
        for name in node.outputs:
            ours = known.get(name, held.get(name))
            if name and ours in mine and node.op_type != "Constant":
                found.append(Link(ours, name, operator, grids.get(ours)))
    return tuple(found)


def _integers(nodes: Iterable[Node]) -> Mapping[str, str]:
    """The integers that quantized operators answer with, by the name of their scale."""
    found: dict[str, str] = {}
    for node in nodes:
        kind = OPERATORS.get((node.domain, node.op_type))
        for operand in kind.operands if kind else ():
            if operand.output and operand.scale is not None and operand.scale < len(node.inputs):
                found.setdefault(node.inputs[operand.scale], node.outputs[0])
        if (node.domain, node.op_type) in QUANTIZE and len(node.inputs) > 1:
            found.setdefault(node.inputs[1], node.outputs[0])
    return found


def measure(
    child: Loaded,
    parent: Loaded,
    pairs: tuple[Link, ...],
    batches: Iterable[Feeds],
    advance: Advance = silent,
) -> Found:
    """Each pair's noise over all batches (iterated once for every ``MAX_TAPS`` pairs).

    Pairs of values that turn out not to be floats of one shape are left out. Raises InvalidModel and
    InvalidInput.
    """
    layers: list[Layer] = []
    for start in range(0, len(pairs), MAX_TAPS):
        some = pairs[start : start + MAX_TAPS]
        with (
            _tapped(child, [one.child for one in some]) as ours,
            _tapped(parent, [one.parent for one in some]) as theirs,
        ):
            layers += _Round(ours, theirs, some).measure(batches, advance)
    return Found(tuple(layers))


def _tapped(loaded: Loaded, names: list[str]) -> ModelSession:
    return build_session(tap(loaded.views, loaded.path, names), TAPPED)


class _Round:
    """Some pairs, measured with one session for each side."""

    def __init__(self, ours: ModelSession, theirs: ModelSession, pairs: Iterable[Link]) -> None:
        self._ours, self._theirs = ours, theirs
        kinds = {one.name: one.type for one in ours.outputs}
        floats = {one.name for one in theirs.outputs if one.type in FLOATS}
        self._pairs = [one for one in pairs if one.parent in floats and _readable(kinds[one.child], one)]
        self._whole = {one.child for one in self._pairs if kinds[one.child] in _INTEGERS}
        self._meters = {one: Meter() for one in self._pairs}

    def measure(self, batches: Iterable[Feeds], advance: Advance) -> list[Layer]:
        for feeds in batches if self._pairs else ():
            mine = self._run(self._ours, [one.child for one in self._pairs], feeds)
            yours = self._run(self._theirs, [one.parent for one in self._pairs], feeds)
            for one in list(self._meters):
                self._add(one, mine[one.child], yours[one.parent])
            advance(sum(array.nbytes for array in feeds.values()))
        return [
            Layer(one.child, one.parent, one.operator, millidecibel(meter.sqnr), decimal(meter.largest))
            for one, meter in self._meters.items()
            if meter.elements
        ]

    def _run(self, session: ModelSession, names: list[str], feeds: Feeds) -> Mapping[str, Array]:
        wanted = list(dict.fromkeys(names))
        return dict(zip(wanted, session.run(wanted, feeds), strict=True))

    def _add(self, one: Link, mine: Array, yours: Array) -> None:
        if mine.shape != yours.shape:
            del self._meters[one]  # positions agree, layouts do not: nothing to compare
            return
        if one.child in self._whole and one.grid is not None:
            mine = _floats(mine, one.grid)
        self._meters[one].add(mine, yours)


def _readable(kind: str, link: Link) -> bool:
    return kind in FLOATS or (kind in _INTEGERS and link.grid is not None)


def _floats(integers: Array, grid: Activation) -> Array:
    """(q - zero) * scale, as DequantizeLinear has it, in float32."""
    import numpy as np

    assert grid.scale is not None
    assert grid.contents is not None
    scale = array(grid.contents, grid.scale).astype(np.float32)
    zero = np.zeros_like(scale) if grid.zero is None else array(grid.contents, grid.zero).astype(np.float32)
    return (integers.astype(np.float32) - _along(zero, integers, grid)) * _along(scale, integers, grid)


def _along(numbers: Array, integers: Array, grid: Activation) -> Array:
    """One number for all, or one for each index of the grid's axis."""
    if numbers.size == 1 or grid.axis is None:
        return numbers.reshape(())
    shape = [1] * integers.ndim
    shape[grid.axis] = -1
    return numbers.reshape(shape)
