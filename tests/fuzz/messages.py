"""ONNX files as trees of protobuf fields that can be changed in any way, well-formed or not.

Written apart from the readers under test, and from onnx's: it keeps what both would refuse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

# Kind of message, then field number, then kind of the message in it (onnx.proto).
KINDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "opset", 14: "entry", 20: "training", 25: "function"},
    "graph": {
        **{1: "node", 5: "tensor", 11: "value", 12: "value", 13: "value"},
        **{14: "annotation", 15: "sparse", 16: "entry"},
    },
    "node": {5: "attribute", 9: "entry"},
    "attribute": {
        **{5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 14: "type", 15: "type"},
        **{22: "sparse", 23: "sparse"},
    },
    "tensor": {13: "entry", 16: "entry"},
    "sparse": {1: "tensor", 2: "tensor"},
    "value": {2: "type", 4: "entry"},
    "type": {1: "tensortype", 4: "sequence", 8: "tensortype", 9: "sequence"},
    "sequence": {1: "type"},
    "tensortype": {2: "shape"},
    "shape": {1: "dim"},
    "function": {7: "node", 9: "opset", 11: "attribute", 12: "value", 14: "entry"},
    "training": {1: "graph", 2: "graph", 3: "entry", 4: "entry"},
    "annotation": {2: "entry"},
}

# Where the texts are: names of values, operators, domains.
TEXTS: dict[str, tuple[int, ...]] = {
    "model": (2, 4),
    "graph": (2,),
    "node": (1, 2, 3, 4, 7, 8),
    "attribute": (1, 21),
    "tensor": (8,),
    "value": (1,),
    "dim": (2,),
    "opset": (1,),
    "function": (1, 4, 5, 6, 10, 13),
    "entry": (1, 2),
}

Payload: TypeAlias = "int | bytes | Message"


@dataclass(eq=False)
class Field:
    """``length``, where it is given, is written in place of the true one."""

    number: int
    wire: int
    value: Payload
    length: int | None = None

    def copy(self) -> Field:
        inner = self.value.copy() if isinstance(self.value, Message) else self.value
        return Field(self.number, self.wire, inner, self.length)


@dataclass(eq=False)
class Message:
    kind: str
    fields: list[Field] = field(default_factory=list)

    def copy(self) -> Message:
        """However deep it is: no recursion."""
        whole = Message(self.kind)
        left = [(self, whole)]
        while left:
            old, new = left.pop()
            for one in old.fields:
                new.fields.append(Field(one.number, one.wire, one.value, one.length))
                if isinstance(one.value, Message):
                    new.fields[-1].value = inner = Message(one.value.kind)
                    left.append((one.value, inner))
        return whole

    @property
    def size(self) -> int:
        """Fields, at any depth."""
        return sum(len(one.fields) for one in self.all())

    def all(self) -> Iterator[Message]:
        """This message and those in it, at any depth."""
        left = [self]
        while left:
            found = left.pop()
            yield found
            left += [one.value for one in found.fields if isinstance(one.value, Message)]


def parse(data: bytes, kind: str = "model") -> Message:
    """A well-formed message."""
    found, at = Message(kind), 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        value: Payload
        if wire == VARINT:
            value, at = _varint(data, at)
        else:
            size, at = (8, at) if wire == FIXED64 else (4, at) if wire == FIXED32 else _varint(data, at)
            value, at = data[at : at + size], at + size
            inner = KINDS.get(kind, {}).get(number)
            if inner is not None and wire == BYTES:
                value = parse(value, inner)
        found.fields.append(Field(number, wire, value))
    return found


def write(message: Message) -> bytes:
    """The bytes of the message. However deep it is: no recursion."""
    done: dict[int, bytes] = {}
    stack = [(message, False)]
    while stack:
        one, ready = stack.pop()
        if ready:
            done[id(one)] = b"".join(_field(part, done) for part in one.fields)
        else:
            stack.append((one, True))
            stack += [(part.value, False) for part in one.fields if isinstance(part.value, Message)]
    return done[id(message)]


def varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def _field(one: Field, done: dict[int, bytes]) -> bytes:
    tag = varint(one.number << 3 | one.wire)
    if isinstance(one.value, int):
        return tag + varint(one.value)
    data = done[id(one.value)] if isinstance(one.value, Message) else one.value
    if one.wire in (FIXED32, FIXED64):
        return tag + data
    return tag + varint(len(data) if one.length is None else one.length) + data


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at
