"""The protobuf wire format over a buffer, with bounds and without copies.

Encoding as in protobuf.dev "Encoding": a message is a run of fields, each a varint key
``number << 3 | kind`` and a payload. Offsets are absolute positions in the buffer, in bytes.
Groups (kinds 3 and 4) never occur in ONNX and are refused.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from registry.errors import InvalidModel

Buffer: TypeAlias = bytes | bytearray | memoryview | mmap.mmap

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_FIELDS = 4_000_000  # fields read from one file, nested ones included
MAX_DEPTH = 100  # nested messages: the limit of protobuf's own parsers
_MAX_NUMBER = (1 << 29) - 1  # highest legal field number
_new = tuple.__new__  # what the constructor of a NamedTuple calls, without its detour


class Span(NamedTuple):
    """``length`` bytes from ``offset`` of the buffer they were found in."""

    offset: int
    length: int

    def of(self, view: memoryview) -> memoryview:
        return view[self.offset : self.offset + self.length]


class Field(NamedTuple):
    """One field, its payload in ``[start, end)``; ``value`` is the number of a varint, else 0."""

    number: int
    kind: int
    value: int
    start: int
    end: int

    @property
    def span(self) -> Span:
        """The payload. For a lone number of a repeated field: the bytes that packing would hold."""
        return Span(self.start, self.end - self.start)


def damaged(what: str, offset: int) -> InvalidModel:
    """The error for bytes that cannot be ONNX; ``offset`` says where reading stopped."""
    return InvalidModel(
        f"damaged ONNX file: {what} at byte {offset}",
        hint="export or download the model again",
    )


def varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    """The unsigned 64-bit varint at ``at`` and the offset behind it. Raises InvalidModel."""
    value = shift = 0
    for position in range(at, min(end, at + 10)):
        byte: int = view[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                raise damaged("a number of more than 64 bits", at)
            return value, position + 1
        shift += 7
    raise damaged("a number that does not end", at)


def signed(value: int) -> int:
    """A varint as the int64 it stands for (two's complement)."""
    return value - (1 << 64) if value >> 63 else value


def to_varint(value: int) -> bytes:
    """A non-negative number as a varint."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


class Wire:
    """Walks the fields of messages in one buffer, within one budget of fields for the whole file."""

    def __init__(self, view: memoryview, budget: int = MAX_FIELDS) -> None:
        self.view = view
        self._left = budget

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message that occupies ``[start, end)``, in file order.

        Raises InvalidModel for anything that does not fit between the two.
        """
        view, at = self.view, start
        while at < end:  # the hot path of every reader: the common cases are written out
            self._left -= 1
            if self._left < 0:
                raise damaged(f"more than {MAX_FIELDS} fields", at)
            key: int = view[at]
            if key < 0x80:
                at += 1
            else:
                key, at = varint(view, at, end)
            number, kind = key >> 3, key & 7
            if not 0 < number <= _MAX_NUMBER:
                raise damaged(f"field number {number}", at)
            value = 0
            if kind == VARINT:
                start = at
                if at < end and view[at] < 0x80:
                    value, at = view[at], at + 1
                else:
                    value, at = varint(view, at, end)
            elif kind == BYTES and at < end and (length := view[at]) < 0x80 and length < end - at:
                start, at = at + 1, at + 1 + length
            else:
                start, at = self._payload(kind, at, end)
            yield _new(Field, (number, kind, value, start, at))

    def _payload(self, kind: int, at: int, end: int) -> tuple[int, int]:
        if kind == BYTES:
            length, at = varint(self.view, at, end)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise damaged(f"wire type {kind}", at)
        if length > end - at:
            raise self._overrun(length, at, end)
        return at, at + length

    def _overrun(self, length: int, at: int, end: int) -> InvalidModel:
        if end == len(self.view):
            return InvalidModel(
                f"truncated ONNX file: at least {length - (end - at)} bytes are missing at its end",
                hint="the copy or download did not finish: fetch the file again",
            )
        return damaged(f"a length of {length} that leaves its message", at)

    def text(self, field: Field) -> str:
        """The UTF-8 string of a field, without NUL. Raises InvalidModel."""
        need(field, BYTES)
        try:
            found = str(self.view[field.start : field.end], "utf-8")
        except UnicodeDecodeError:
            raise damaged("a name that is not UTF-8", field.start) from None
        if "\0" in found:
            raise damaged("a name with a NUL", field.start)
        return found


def need(field: Field, *kinds: int) -> None:
    """Refuse a field that comes in another wire type than its definition's. Raises InvalidModel."""
    if field.kind not in kinds:
        raise damaged(f"field {field.number} with wire type {field.kind}", field.start)


def once(field: Field, before: Field | None) -> Field:
    """A singular message field, refused when it occurs a second time. Raises InvalidModel."""
    need(field, BYTES)
    if before is not None:
        raise damaged(f"field {field.number} a second time", field.start)
    return field


def integer(field: Field) -> int:
    """The int64 of a varint field. Raises InvalidModel."""
    need(field, VARINT)
    return signed(field.value)


def message(field: Field) -> tuple[int, int]:
    """Where the embedded message of a field starts and ends. Raises InvalidModel."""
    need(field, BYTES)
    return field.start, field.end
