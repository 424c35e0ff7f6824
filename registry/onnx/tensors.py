"""TensorProto and SparseTensorProto, and where their numbers lie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from registry.onnx.ir import ExternalEntry, SparseTensor, Tensor
from registry.onnx.wire import (
    BYTES,
    VARINT,
    Field,
    Span,
    Wire,
    damaged,
    integer,
    message,
    need,
    signed,
    varint,
)

MAX_RANK = 256
_TYPED = frozenset((4, 5, 6, 7, 10, 11))  # float, int32, string, int64, double and uint64 data
_EXTERNAL = 1  # TensorProto.DataLocation.EXTERNAL
_DECIMAL = re.compile(r"[0-9]{1,19}")


def read_tensor(wire: Wire, field: Field) -> Tensor:
    """The TensorProto of a field. Raises InvalidModel."""
    name, data_type, location = "", 0, 0
    dims: list[int] = []
    raw: Span | None = None
    typed: list[Span] = []
    entries: dict[str, str] = {}
    for part in wire.fields(*message(field)):
        number = part.number
        if number == 1:
            dims.extend(_dims(wire, part, MAX_RANK - len(dims)))
        elif number == 2:
            data_type = integer(part)
        elif number == 8:
            name = wire.text(part)
        elif number == 9:
            need(part, BYTES)
            raw = part.span
        elif number in _TYPED:
            typed.append(part.span)
        elif number == 13:
            entries.update([_pair(wire, part)])
        elif number == 14:
            location = integer(part)
    external = _external(entries, field) if location == _EXTERNAL else None
    return Tensor(name, data_type, tuple(dims), field.span, raw, tuple(typed), external)


def read_sparse(wire: Wire, field: Field) -> SparseTensor:
    """The SparseTensorProto of a field. Raises InvalidModel."""
    values: Tensor | None = None
    indices: Tensor | None = None
    dims: list[int] = []
    for part in wire.fields(*message(field)):
        if part.number == 1:
            values = read_tensor(wire, part)
        elif part.number == 2:
            indices = read_tensor(wire, part)
        elif part.number == 3:
            dims.extend(_dims(wire, part, MAX_RANK - len(dims)))
    if values is None:
        raise damaged("a sparse tensor without values", field.start)
    return SparseTensor(values, indices, tuple(dims))


def unpack_varints(view: memoryview, spans: tuple[Span, ...], limit: int) -> list[int]:
    """The int64 numbers that lie in the spans of a repeated field, at most ``limit`` of them.

    Raises InvalidModel where there are more or they do not end.
    """
    found: list[int] = []
    for span in spans:
        if span.length <= limit and (plain := bytes(span.of(view))).isascii():
            found.extend(plain)  # every number has one byte: most lists are so
        else:
            found.extend(islice(_varints(view, span), limit + 1))
        if len(found) > limit:
            raise damaged(f"a list of more than {limit} numbers", span.offset)
    return found


def _varints(view: memoryview, span: Span) -> Iterator[int]:
    at, end = span.offset, span.offset + span.length
    while at < end:
        value, at = varint(view, at, end)
        yield signed(value)


def _dims(wire: Wire, field: Field, room: int) -> list[int]:
    need(field, VARINT, BYTES)
    found = [signed(field.value)] if field.kind == VARINT else unpack_varints(wire.view, (field.span,), room)
    if len(found) > room:
        raise damaged(f"more than {MAX_RANK} dimensions", field.start)
    return found


def _pair(wire: Wire, field: Field) -> tuple[str, str]:
    key = value = ""
    for part in wire.fields(*message(field)):
        if part.number == 1:
            key = wire.text(part)
        elif part.number == 2:
            value = wire.text(part)
    return key, value


def _external(entries: dict[str, str], field: Field) -> ExternalEntry:
    where = (_number(entries.get(key), field) for key in ("offset", "length"))
    return ExternalEntry(entries.get("location", ""), *where)


def _number(text: str | None, field: Field) -> int | None:
    if text is None:
        return None
    if not _DECIMAL.fullmatch(text):
        raise damaged("external data whose offset or length is no number", field.start)
    return int(text)
