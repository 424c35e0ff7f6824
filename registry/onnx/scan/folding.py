"""Operators over what is known of values: how large results are, and the numbers of small constants."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod
from typing import TYPE_CHECKING, Any, Final

from registry.onnx import elements
from registry.onnx.ir import Node
from registry.onnx.scan.abstract import MOST, Frame, Handlers, Value, broadcast, known
from registry.onnx.scan.arithmetic import elementwise

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_INT64 = elements.INT64
_FAR: Final = 2.0**60  # elements: more than any tensor has


def _listed(names: str) -> tuple[str, ...]:
    return tuple(names.split())


_ELEMENTWISE: Final = _listed(
    "Add Sub Mul Div Mod Pow Min Max And Or Xor Equal Less Greater Where PRelu BitwiseAnd BitwiseOr"
    " BitwiseXor BitShift Mean Sum"
)
_SAME: Final = _listed(
    "Identity Neg Abs Cast CastLike Relu Exp Log Sqrt Sigmoid Tanh Not Floor Ceil Round Erf Softmax Clip Sign"
    " Reciprocal LeakyRelu Gelu Dropout"
)


def _same(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    value = values[0] if values else None
    if value is None:
        return None
    if node.op_type == "Identity":
        return value
    if node.op_type == "Cast":
        return _cast(frame, node, value)
    if node.op_type == "Neg" and value.constant and (numbers := frame.read(value)) is not None:
        return known(-numbers, value.kind) if numbers.dtype.kind in "if" else None
    return Value(value.shape, value.kind, value.constant)


def _cast(frame: Frame, node: Node, value: Value) -> Value | None:
    import numpy as np

    kind = next(iter(frame.ints(node, "to")), 0)
    numbers = frame.read(value) if value.constant else None
    if numbers is None or kind not in (6, 7):
        return Value(value.shape, kind, value.constant)
    if numbers.dtype.kind == "f" and not (np.abs(numbers) < 1 << 62).all():
        return Value(value.shape, kind, value.constant)
    return known(numbers.astype(np.int32 if kind == elements.INT32 else np.int64), kind)


def _concat(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    import numpy as np

    given = [value for value in values if value is not None and value.shape]
    axis = next(iter(frame.ints(node, "axis")), 0)
    if not given or len(given) < len(values):
        return None
    first = given[0].shape or ()
    if not -len(first) <= axis < len(first) or any(len(one.shape or ()) != len(first) for one in given):
        return None
    shape = list(first)
    shape[axis] = sum((value.shape or ())[axis] for value in given)
    constant = all(value.constant for value in given)
    if constant and prod(shape) <= MOST:
        numbers = [frame.read(value) for value in given]
        held = [one for one in numbers if one is not None]
        if (
            len(held) == len(given)
            and len({(one.dtype, one.shape[:axis]) for one in held}) == 1
            and len(first) == 1
        ):
            return known(np.concatenate(held, axis), given[0].kind)
    return Value(tuple(shape), given[0].kind, constant)


def _filled(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    shape = _as_shape(frame, values[0] if values else None)
    held = node.attributes.get("value")
    kind = held.t.data_type if held is not None and held.t is not None else elements.FLOAT
    return None if shape is None else Value(shape, kind, True)


def _expand(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    shape = _as_shape(frame, values[1] if len(values) > 1 else None)
    if shape is None or (value := values[0]) is None:
        return None if shape is None else Value(shape, elements.FLOAT)
    return Value(broadcast([shape, value.shape or ()]), value.kind, value.constant)


def _tile(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    repeats = _as_shape(frame, values[1] if len(values) > 1 else None)
    if repeats is None:
        return None
    value = values[0]
    if value is None or value.shape is None or len(value.shape) != len(repeats):
        return Value(repeats, elements.FLOAT)
    shape = tuple(dim * count for dim, count in zip(value.shape, repeats, strict=True))
    return Value(shape, value.kind, value.constant)


def _range(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    import numpy as np

    held = [frame.read(value) if value is not None and value.constant else None for value in values]
    numbers = [one.reshape(-1)[0].item() for one in held if one is not None and one.size]
    if len(numbers) < 3 or not all(np.isfinite(numbers)) or not numbers[2] or values[0] is None:
        return None
    start, limit, step = numbers
    steps = (limit - start) / step
    count = max(0, ceil(steps)) if abs(steps) < _FAR else int(_FAR)
    if count <= MOST and all(isinstance(one, int) for one in numbers):
        return known(np.arange(start, limit, step, dtype=np.int64), values[0].kind)
    return Value((count,), values[0].kind, True)


def _pad(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    value = values[0] if values else None
    pads = _as_shape(frame, values[1]) if len(values) > 1 else tuple(frame.ints(node, "pads"))
    if pads is None or value is None or value.shape is None or len(pads) != 2 * len(value.shape):
        return None
    half = len(value.shape)
    shape = tuple(max(0, dim + pads[at] + pads[at + half]) for at, dim in enumerate(value.shape))
    return Value(shape, value.kind, value.constant)


def _resize(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    value = values[0] if values else None
    if len(values) > 3 and (sizes := _as_shape(frame, values[3])):
        return Value(sizes, value.kind if value else elements.FLOAT)
    position = 2 if node.op_type == "Resize" and len(values) > 2 else 1
    held = frame.read(found) if len(values) > position and (found := values[position]) else None
    if held is None or value is None or value.shape is None or held.size != len(value.shape):
        return None
    if held.dtype.kind != "f" or not (abs(held) < _FAR).all():
        return None
    factors = [max(float(one), 0.0) for one in held.reshape(-1)]
    shape = tuple(int(dim * factor) for dim, factor in zip(value.shape, factors, strict=True))
    return Value(shape, value.kind, value.constant)


def _reshape(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    value = values[0] if values else None
    shape = _as_shape(frame, values[1]) if len(values) > 1 else None
    if value is None or value.shape is None or shape is None or any(dim < 1 for dim in shape):
        if value is not None and value.constant and value.shape is not None and shape == (-1,):
            numbers = frame.read(value)
            return Value(
                (value.elements,), value.kind, True, None if numbers is None else numbers.reshape(-1)
            )
        return None
    numbers = frame.read(value) if value.constant and value.elements == prod(shape) <= MOST else None
    return Value(shape, value.kind, value.constant, None if numbers is None else numbers.reshape(shape))


def _unsqueeze(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    value = values[0] if values else None
    axes = _as_shape(frame, values[1]) if len(values) > 1 else tuple(frame.ints(node, "axes"))
    if value is None or value.shape is None or axes is None:
        return None
    rank = len(value.shape) + len(axes)
    places = {axis % rank for axis in axes} if rank else set()
    left = iter(value.shape)
    if len(places) != len(axes):
        return None
    shape = tuple(1 if at in places else next(left) for at in range(rank))
    numbers = frame.read(value) if value.constant else None
    return Value(shape, value.kind, value.constant, None if numbers is None else numbers.reshape(shape))


def _matmul(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    if len(values) < 2 or (a := values[0]) is None or (b := values[1]) is None:
        return None
    if a.shape is None or b.shape is None or len(a.shape) < 2 or len(b.shape) < 2:
        return None
    batch = broadcast([a.shape[:-2], b.shape[:-2]]) or ()
    return Value((*batch, a.shape[-2], b.shape[-1]), a.kind, a.constant and b.constant)


def _shape(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    import numpy as np

    value = values[0] if values else None
    if value is None or not value.constant or value.shape is None or node.attributes:
        return None
    return known(np.asarray(value.shape, np.int64), _INT64)


def _drawn(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    return Value(tuple(frame.ints(node, "shape")), elements.FLOAT)


def _one_hot(frame: Frame, node: Node, values: Sequence[Value | None]) -> Value | None:
    depth = _as_shape(frame, values[1]) if len(values) > 1 else None
    if not depth or (value := values[0]) is None or value.shape is None:
        return None if not depth else Value((max(0, depth[0]),), elements.FLOAT)
    return Value((*value.shape, max(0, depth[0])), elements.FLOAT)


def _as_shape(frame: Frame, value: Value | None) -> tuple[int, ...] | None:
    """The integers of a constant that stands for a shape."""
    if value is None or value.kind not in (elements.INT32, _INT64) or value.elements > MOST:
        return None
    numbers = frame.read(value)
    return None if numbers is None else tuple(int(one) for one in numbers.reshape(-1))


HANDLERS: Final[Handlers] = {
    **dict.fromkeys(_ELEMENTWISE, elementwise),
    **dict.fromkeys(_SAME, _same),
    "Concat": _concat,
    "ConstantOfShape": _filled,
    "Expand": _expand,
    "MatMul": _matmul,
    "OneHot": _one_hot,
    "Pad": _pad,
    "RandomNormal": _drawn,
    "RandomUniform": _drawn,
    "Range": _range,
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _shape,
    "Tile": _tile,
    "Unsqueeze": _unsqueeze,
    "Upsample": _resize,
}
