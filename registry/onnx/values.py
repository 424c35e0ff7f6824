"""ValueInfoProto and TypeProto: the inputs and outputs of a graph."""

from __future__ import annotations

from registry.onnx.ir import Value
from registry.onnx.tensors import MAX_RANK
from registry.onnx.wire import VARINT, Field, Wire, damaged, integer, message, need

_TENSOR = 1  # TypeProto.tensor_type; the other kinds (sequence, map, ...) are named, not read
_KINDS = frozenset((1, 4, 5, 7, 8, 9))

Shape = tuple[int | str | None, ...]


def read_value(wire: Wire, field: Field) -> Value:
    """The ValueInfoProto of a field. Raises InvalidModel."""
    name, elem_type = "", 0
    shape: Shape | None = None
    for part in wire.fields(*message(field)):
        if part.number == 1:
            name = wire.text(part)
        elif part.number == 2:
            elem_type, shape = _type(wire, part)
    return Value(name, elem_type, shape)


def _type(wire: Wire, field: Field) -> tuple[int, Shape | None]:
    found: tuple[int, Shape | None] = (0, None)
    for part in wire.fields(*message(field)):
        if part.number in _KINDS:  # a oneof: the last one holds
            message(part)
            found = _tensor_type(wire, part) if part.number == _TENSOR else (0, None)
    return found


def _tensor_type(wire: Wire, field: Field) -> tuple[int, Shape | None]:
    elem_type = 0
    shape: Shape | None = None
    for part in wire.fields(*message(field)):
        if part.number == 1:
            elem_type = integer(part)
        elif part.number == 2:
            shape = tuple(_dimension(wire, dim) for dim in wire.fields(*message(part)) if dim.number == 1)
            if len(shape) > MAX_RANK:
                raise damaged(f"more than {MAX_RANK} dimensions", field.start)
    return elem_type, shape


def _dimension(wire: Wire, field: Field) -> int | str | None:
    found: int | str | None = None
    for part in wire.fields(*message(field)):
        if part.number == 1:
            need(part, VARINT)
            found = integer(part)
        elif part.number == 2:
            found = wire.text(part) or None
    return found
