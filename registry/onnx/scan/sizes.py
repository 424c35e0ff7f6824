"""Sizes that explode and constants that no runtime survives, seen without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final

from registry.onnx import elements
from registry.onnx.findings import Rule
from registry.onnx.ir import Node, SparseTensor
from registry.onnx.scan.abstract import Frame, Value
from registry.onnx.scan.folding import HANDLERS
from registry.onnx.scan.subject import Place, Subject

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

EXPLOSION: Final = Rule(
    "size-explosion",
    "high",
    "a value of enormous size out of a small file",
    "Loading or running the model asks for gigabytes, or for more than there is: the machine stalls.",
)
IMPOSSIBLE: Final = Rule(
    "impossible-size",
    "high",
    "a negative or overflowing size",
    "A runtime that does not check takes it for another one and writes past its memory.",
)
TRAP: Final = Rule(
    "integer-trap",
    "critical",
    "a division of constants that kills the process",
    "The processor traps on it; ONNX Runtime computes constants while it loads, and dies of a few bytes.",
)
ZERO_DIVISOR: Final = Rule(
    "division-by-zero",
    "high",
    "integers divided by a constant zero",
    "The processor traps on it: the run kills its process.",
)
SHIFT: Final = Rule(
    "shift-count",
    "medium",
    "bits shifted by more than there are",
    "What comes out is undefined: it differs by processor and compiler.",
)
INDEX: Final = Rule(
    "index-out-of-range",
    "medium",
    "constant indices outside what they index",
    "Every run fails, or reads past the end where a runtime does not check.",
)
ATTRIBUTE: Final = Rule(
    "impossible-attribute",
    "high",
    "a stride, kernel, block or group of a size that cannot be",
    "Zero is divided by, and enormous ones ask for enormous buffers: the runtime crashes or stalls.",
)
RULES: Final = (EXPLOSION, IMPOSSIBLE, TRAP, ZERO_DIVISOR, SHIFT, INDEX, ATTRIBUTE)

LARGE: Final = 1 << 30  # bytes of one value, or of all that is computed from constants, in a small model
GROWTH: Final = 16  # so many times its files' bytes a model's values may have
_HIGHEST: Final = (1 << 63) - 1
_SIZES: Final = {  # attributes that are sizes: at least 1, and no more than a tensor can have
    **dict.fromkeys(("strides", "dilations", "kernel_shape", "blocksize", "group"), 1 << 24),
    **dict.fromkeys(("hidden_size", "num_groups", "num_heads", "num_scan_inputs", "num_outputs"), 1 << 24),
}
_PADDED: Final = ("pads", "output_padding", "output_shape", "shape", "sample_size")
_SIZED: Final = frozenset(("ConstantOfShape", "Expand", "Tile", "RandomNormal", "RandomUniform"))
_INTEGERS: Final = frozenset((2, 3, 4, 5, 6, 7, 12, 13))
_TRAPPING: Final = {elements.INT32: -(1 << 31), elements.INT64: -(1 << 63)}


def check(subject: Subject) -> None:
    """Go through the nodes of every place in their order, outer places first."""
    frames: dict[int, Frame] = {}
    total = 0
    for place in subject.places:
        outer = frames.get(id(place.outer)) if place.outer is not None else None
        frame = Frame(place, subject.contents, subject.views[subject.path], outer)
        frames[id(place)] = frame
        for sparse in place.sparse:
            total += _filled_in(subject, place.on(sparse.values.name), sparse)
        for node in place.nodes:
            if not node.domain:
                total += _node(subject, frame, place, node)
    if total > _limit(subject):
        subject.found.add(EXPLOSION, "", f"{total} bytes are computed from constants alone")


def _limit(subject: Subject) -> int:
    """What is large for this model: one of gigabytes may well cast a weight of gigabytes."""
    return max(LARGE, GROWTH * sum(map(len, subject.views.values())))


def _filled_in(subject: Subject, on: str, sparse: SparseTensor) -> int:
    """Bytes of a sparse constant as a runtime holds it. One of impossible shape is reported elsewhere."""
    if any(dim < 0 for dim in sparse.dims) or prod(sparse.dims) > _HIGHEST:
        return 0
    size = prod(sparse.dims) * max(1, elements.bits(sparse.values.data_type) // 8)
    if size > _limit(subject):
        subject.found.add(EXPLOSION, on, f"a sparse constant of {_told(sparse.dims)}, {size} bytes")
        return 0
    return size


def _node(subject: Subject, frame: Frame, place: Place, node: Node) -> int:
    """Look at one node; the bytes of what it makes of constants."""
    if node.attributes:
        _attributes(subject, frame, place, node)
    handler = HANDLERS.get(node.op_type)
    if handler is None:
        if node.op_type == "Gather":
            _indices(subject, frame, place, node)
        return 0
    values = [frame.get(name) for name in node.inputs]
    _operands(subject, frame, place, node, values)
    made = handler(frame, node, values)
    if made is None or made.shape is None or not node.outputs:
        return 0
    return _made(subject, frame, place, node, made)


def _made(subject: Subject, frame: Frame, place: Place, node: Node, made: Value) -> int:
    shape = made.shape or ()
    if (
        made.elements > _HIGHEST
        or max(shape, default=0) > _HIGHEST
        or (node.op_type in _SIZED and any(dim < 0 for dim in shape))
    ):
        subject.found.add(IMPOSSIBLE, place.at(node), f"{node.op_type} makes {_told(shape)}")
        return 0
    if any(dim < 0 for dim in shape):
        return 0
    frame.put(node.outputs[0], made)
    if made.size > _limit(subject):
        subject.found.add(
            EXPLOSION, place.at(node), f"{node.op_type} makes {_told(shape)}, {made.size} bytes"
        )
        return 0
    return made.size if made.constant and made.tensor is None and node.op_type != "Identity" else 0


def _told(shape: Sequence[int]) -> str:
    return f"a shape of [{', '.join(str(dim)[:24] for dim in shape[:8])}]"


def _operands(
    subject: Subject, frame: Frame, place: Place, node: Node, values: Sequence[Value | None]
) -> None:
    """Division and shifts of integers by constants."""
    if node.op_type not in ("Div", "Mod", "BitShift") or len(values) < 2:
        return
    left, right = values[0], values[1]
    if right is None or right.kind not in _INTEGERS or (numbers := frame.read(right)) is None:
        return
    if node.op_type == "BitShift":
        if numbers.size and int(numbers.max()) >= elements.bits(right.kind):
            subject.found.add(
                SHIFT, place.at(node), f"by {int(numbers.max())} of {elements.bits(right.kind)}"
            )
        return
    divided = frame.read(left) if left is not None and left.constant else None
    constant = left is not None and left.constant
    if (numbers == 0).any():
        rule = TRAP if constant else ZERO_DIVISOR
        subject.found.add(rule, place.at(node), f"{node.op_type} by zero")
    lowest = _TRAPPING.get(right.kind)
    if lowest is not None and divided is not None and (numbers == -1).any() and (divided == lowest).any():
        subject.found.add(TRAP, place.at(node), f"{node.op_type} of {lowest} by -1")


def _indices(subject: Subject, frame: Frame, place: Place, node: Node) -> None:
    if len(node.inputs) < 2:
        return
    data, indices = frame.get(node.inputs[0]), frame.numbers(node.inputs[1])
    if data is None or data.tensor is None or indices is None or not indices.size or not data.shape:
        return
    axis = next(iter(frame.ints(node, "axis")), 0)
    if not -len(data.shape) <= axis < len(data.shape):
        return
    dim = data.shape[axis]
    if int(indices.max()) >= dim or int(indices.min()) < -dim:
        told = f"{int(indices.min())} to {int(indices.max())} of {dim}"
        subject.found.add(INDEX, place.at(node), told)


def _attributes(subject: Subject, frame: Frame, place: Place, node: Node) -> None:
    for name, attribute in node.attributes.items():
        if name in _SIZES:
            numbers = frame.listed(attribute)
            if any(not 0 < one <= _SIZES[name] for one in numbers):
                subject.found.add(ATTRIBUTE, place.at(node), f"{name} is {numbers[:8]}")
        elif name in _PADDED:
            numbers = frame.listed(attribute)
            if any(abs(one) > 1 << 31 for one in numbers):
                subject.found.add(ATTRIBUTE, place.at(node), f"{name} is {numbers[:8]}")
