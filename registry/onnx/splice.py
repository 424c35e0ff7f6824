"""Replaces tensors inside an ONNX protobuf and leaves every other byte as it is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from registry.onnx.wire import BYTES, Field, Wire, to_varint

Edits: TypeAlias = dict[int, bytes]  # offset of a TensorProto: the TensorProto that replaces it
Pieces: TypeAlias = list[bytes | memoryview]

# Messages that lead to a TensorProto: kind of message, then field number, then kind of the field.
_MODEL, _GRAPH, _FUNCTION, _NODE, _ATTRIBUTE, _SPARSE, _TENSOR = range(7)
_HOLDS: Mapping[int, Mapping[int, int]] = {
    _MODEL: {7: _GRAPH, 25: _FUNCTION},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _FUNCTION: {7: _NODE, 11: _ATTRIBUTE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
}


def splice(wire: Wire, edits: Edits) -> bytes:
    """The model in ``wire`` with its tensors replaced. Lengths of what holds them follow."""
    pieces, _ = _message(wire, _MODEL, 0, len(wire.view), edits, sorted(edits))
    return b"".join(pieces)


def key(number: int, kind: int) -> bytes:
    """The tag before a field: its number and wire type."""
    return to_varint(number << 3 | kind)


def length_delimited(number: int, payload: bytes | memoryview) -> bytes:
    """A field that holds bytes, a string or a message."""
    return b"".join((key(number, BYTES), to_varint(len(payload)), payload))


def _message(
    wire: Wire, kind: int, start: int, end: int, edits: Edits, order: list[int]
) -> tuple[Pieces, int]:
    """The message in ``[start, end)``, edited, and its new length. Untouched runs stay views."""
    pieces: Pieces = []
    copied = at = start
    for field in wire.fields(start, end):
        inner = _HOLDS[kind].get(field.number)
        if inner is not None and _touched(field, order):
            pieces.append(wire.view[copied:at])
            pieces.extend(_replaced(wire, inner, field, edits, order))
            copied = field.end
        at = field.end
    pieces.append(wire.view[copied:end])
    return pieces, sum(map(len, pieces))


def _replaced(
    wire: Wire, kind: int, field: Field, edits: Edits, order: list[int]
) -> Iterator[bytes | memoryview]:
    body: Pieces
    if kind == _TENSOR:
        body = [edits[field.start]]
        length = len(edits[field.start])
    else:
        body, length = _message(wire, kind, field.start, field.end, edits, order)
    yield key(field.number, BYTES) + to_varint(length)
    yield from body


def _touched(field: Field, order: list[int]) -> bool:
    at = bisect_left(order, field.start)
    return at < len(order) and order[at] < field.end
