"""A model for onnx.checker: the same protobuf without its weights.

Each large tensor becomes external data at a place that exists, so that every check of the structure and the
whole inference of shapes happen as they would, at the cost of the graph alone. What shape inference reads
(integers up to 64 KiB, all small tensors) stays.
"""

from __future__ import annotations

from typing import Final

from registry.onnx import elements
from registry.onnx.graph import read_model
from registry.onnx.ir import Tensor
from registry.onnx.skeleton import SHAPE_LIKE, SMALL
from registry.onnx.splice import key, length_delimited, splice
from registry.onnx.wire import VARINT, Buffer, Wire, to_varint

# The checker asks that external data be a regular file with one name below the directory it works in, and
# never reads it. This one exists wherever there is a /proc, and nobody can change it.
DIRECTORY: Final = "/proc"
_PLACE: Final = "version"

_INTEGERS = frozenset((elements.INT32, elements.INT64))
_DIMS, _DATA_TYPE, _NAME, _ENTRY, _LOCATION = 1, 2, 8, 13, 14


def hollow(data: Buffer) -> bytes:
    """``data`` (an ONNX file) with its large tensors taken out. Raises InvalidModel."""
    with memoryview(data) as whole, whole.cast("B") as view:
        wire = Wire(view)
        large = [tensor for tensor in read_model(view).tensors() if _is_large(tensor)]
        return splice(wire, {tensor.span.offset: elsewhere(tensor, _PLACE, 0) for tensor in large})


def _is_large(tensor: Tensor) -> bool:
    if tensor.external is not None:
        return True
    held = (tensor.raw,) if tensor.raw is not None else tensor.typed
    limit = SHAPE_LIKE if tensor.data_type in _INTEGERS else SMALL
    return sum(span.length for span in held) >= limit


def elsewhere(tensor: Tensor, location: str, length: int) -> bytes:
    """The TensorProto without its data, which is said to lie at the beginning of another file."""
    dims = b"".join(key(_DIMS, VARINT) + to_varint(dim & (1 << 64) - 1) for dim in tensor.dims)
    head = dims + key(_DATA_TYPE, VARINT) + to_varint(tensor.data_type & (1 << 64) - 1)
    entries = _entry("location", location) + _entry("length", str(length))
    return head + length_delimited(_NAME, tensor.name.encode()) + entries + key(_LOCATION, VARINT) + b"\x01"


def _entry(name: str, value: str) -> bytes:
    pair = length_delimited(1, name.encode()) + length_delimited(2, value.encode())
    return length_delimited(_ENTRY, pair)
