"""Walks every byte of an ONNX file against the table of its messages.

What the table does not name, no reader of ONNX looks at: room to carry things. Weights are stepped over.
Each field of the file is visited once, in a loop and not by recursion: this is the hot path of a scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final, NamedTuple

from registry.onnx.scan.collect import Collector
from registry.onnx.scan.protobuf import TABLE
from registry.onnx.scan.wirerules import (
    CONTROL,
    DEPRECATED,
    HUGE_TEXT,
    LARGE_TEXT,
    LONG_NAME,
    NOT_UTF8,
    OVERLONG,
    TRAINING,
    TWICE,
    UNKNOWN,
    WRONG_TYPE,
)
from registry.onnx.wire import BYTES, FIXED32, FIXED64, MAX_DEPTH, MAX_FIELDS, VARINT, damaged, varint

LONG: Final = 4096  # bytes of a name
BOUNDLESS: Final = 1 << 16
HUGE_PIECE: Final = 1 << 20  # bytes of one text
HUGE_TOTAL: Final = 16 << 20  # bytes of all texts of a file
LARGE_TOTAL: Final = 64 << 10
_ONEOF: Final = 1 << 30  # the bit that the members of a oneof share

_PARAMETER: Final = 1 << 6  # FunctionProto.attribute
_ATTRIBUTE_TYPE: Final = ("Attribute", "20")

_DESCRIBING: Final = frozenset(
    ("ValueInfo", "TensorAnnotation", "TensorShape.Dimension", "OperatorSetId", "DeviceConfiguration")
)
_SPECIAL: Final = frozenset(("Function", "TrainingInfo", "Tensor.Segment"))
_SKIP, _MESSAGE, _NAME, _TEXT, _GONE, _TYPE = range(6)  # what is done with a field


class Entry(NamedTuple):
    """What is done with a field of some number and wire type: the action, the message in it, the bit of a
    single one (0 for a list), the bit of its number."""

    action: int
    message: str
    single: int
    number: int


class Held(NamedTuple):
    """An attribute of the file: where its message starts, the numbers of its fields as bits, its type."""

    start: int
    fields: int
    type: int


_LISTS = {"V": (VARINT, BYTES), "F": (FIXED32, BYTES), "D": (FIXED64, BYTES)}
_WIRES = {"v": VARINT, "f": FIXED32, "d": FIXED64}
_ACTIONS = {"s": _NAME, "S": _NAME, "t": _TEXT}


@cache
def messages() -> Mapping[str, Mapping[int, Entry]]:
    """The table: for each message its fields by key (number and wire type; protobuf.dev, "Encoding")."""
    lines = TABLE.strip().replace("\n    ", " ").splitlines()
    return {
        name: dict(entry for field in fields for entry in _entries(name, field))
        for name, *fields in (line.split() for line in lines)
    }


def _entries(message: str, text: str) -> Iterator[tuple[int, Entry]]:
    number, _, told = text.partition(":")
    kind = told.rstrip("=-*")
    many = told.endswith("*") or kind in ("V", "F", "D", "S", "B")
    single = 0 if many else _ONEOF if "=" in told else 1 << int(number)
    named = len(kind) > 1
    action = (_GONE if "-" in told else _MESSAGE) if named else _ACTIONS.get(kind, _SKIP)
    if (message, number) == _ATTRIBUTE_TYPE:
        action = _TYPE
    entry = Entry(action, kind if named else "", single, 1 << int(number))
    for wire in _LISTS.get(kind) or (_WIRES.get(kind, BYTES),):
        yield int(number) << 3 | wire, entry


class Walk:
    """One walk over a file. Afterwards ``tensors`` has the numbers of each tensor's fields, as bits, by where
    its message starts, and ``attributes`` all attributes."""

    def __init__(self, view: memoryview, found: Collector) -> None:
        self._view = view
        self._found = found
        self._text = 0  # bytes of documentation
        self._names: set[bytes] = set()  # that are fine
        self.boundless = False  # a name is so long that nothing further can be done with it
        self.tensors: dict[int, int] = {}
        self.attributes: list[Held] = []
        # Names of values that are described, and of symbols and domains: by message, those not met before.
        self.described: list[tuple[str, str]] = []
        self.parameters: list[set[str]] = []  # the attributes of each function, by its place in the file

    def run(self) -> None:
        """Visit every field. Raises InvalidModel where the bytes are no protobuf."""
        try:
            self._run()
        except IndexError:
            raise damaged("truncated in the middle of a field", len(self._view)) from None
        self._sum_up()

    def _run(self) -> None:
        # A frame for each open message: name, fields, start, end, single fields and numbers seen, type.
        table, view, names = messages(), self._view, self._names
        frames: list[tuple[str, Mapping[int, Entry], int, int, int, int, int]] = []
        name, entries, first, end = "Model", table["Model"], 0, len(view)
        at = seen = noted = type_ = 0
        left = MAX_FIELDS
        while True:
            if at >= end:
                if name == "Attribute":
                    self.attributes.append(Held(first, noted, type_))
                elif name == "Tensor":
                    self.tensors[first] = noted
                if not frames:
                    return
                name, entries, first, end, seen, noted, type_ = frames.pop()
                continue
            left -= 1
            if left < 0:
                raise damaged(f"more than {MAX_FIELDS} fields", at)
            start = at
            key = view[at]
            at += 1
            if key >= 0x80:
                key, at = self._number(start, end)
            kind = key & 7
            if kind == BYTES:
                length = view[at]
                at += 1
                if length >= 0x80:
                    length, at = self._number(at - 1, end)
                stop = at + length
            elif kind == VARINT:
                stop = at + 1
                if view[at] >= 0x80:
                    stop = self._number(at, end)[1]
            elif kind in (FIXED32, FIXED64):
                stop = at + (4 if kind == FIXED32 else 8)
            else:
                raise damaged(f"wire type {kind}", at)
            if stop > end:
                raise damaged("a field that leaves its message", start)
            entry = entries.get(key)
            if entry is None:
                self._unknown(name, key, start, stop)
                at = stop
                continue
            action, inner, single, number = entry
            if single & seen:
                self._found.add(TWICE, name, f"field {key >> 3} again at byte {start}")
            seen |= single
            noted |= number
            if action == _NAME:
                text = bytes(view[at:stop])
                if text not in names or number == _PARAMETER:
                    self._look(name, number, text, at)
            elif inner:
                if len(frames) >= MAX_DEPTH:
                    raise damaged("nesting that is too deep", start)
                frames.append((name, entries, first, end, seen, noted, type_))
                if inner in _SPECIAL:
                    self._special(name, inner, action, start, stop)
                name, entries, first, end = inner, table[inner], at, stop
                seen = noted = type_ = 0
                continue
            elif action == _TEXT:
                self._count(name, at, stop)
            elif action == _TYPE:
                type_ = view[at]
            at = stop

    def _number(self, at: int, end: int) -> tuple[int, int]:
        value, stop = varint(self._view, at, end)
        if stop - at > 1 and not self._view[stop - 1]:
            self._found.add(OVERLONG, "", f"{value} in {stop - at} bytes at byte {at}")
        return value, stop

    def _unknown(self, name: str, key: int, start: int, stop: int) -> None:
        number, kind = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise damaged(f"field number {number}", start)
        if any(one >> 3 == number for one in messages()[name]):
            self._found.add(WRONG_TYPE, name, f"field {number} with wire type {kind} at byte {start}")
        else:
            self._found.add(UNKNOWN, name, f"field {number} of {stop - start} bytes at byte {start}")

    def _special(self, name: str, inner: str, action: int, start: int, stop: int) -> None:
        if inner == "Function":
            self.parameters.append(set())
        elif inner == "TrainingInfo":
            self._found.add(TRAINING, name, f"{stop - start} bytes of training information")
        elif action == _GONE:
            self._found.add(DEPRECATED, name, f"{stop - start} bytes at byte {start}")

    def _count(self, name: str, start: int, stop: int) -> None:
        self._text += stop - start
        if stop - start > HUGE_PIECE:
            self._found.add(HUGE_TEXT, name, f"a text of {stop - start} bytes at byte {start}")

    def _look(self, name: str, number: int, raw: bytes, at: int) -> None:
        """Judge a name; one that is fine is not judged again."""
        on = f"field {number.bit_length() - 1}"
        if len(raw) > LONG:
            self._found.add(LONG_NAME, name, f"{on} has {len(raw)} bytes")
            self.boundless = self.boundless or len(raw) > BOUNDLESS
        try:
            text = str(raw, "utf-8")
        except UnicodeDecodeError:
            self._found.add(NOT_UTF8, name, f"{on} at byte {at}")
            return
        if name in _DESCRIBING:
            self.described.append((name, text))
        if name == "Function" and number == _PARAMETER:
            self.parameters[-1].add(text)
        if not text.isprintable():
            self._found.add(CONTROL, name, f"{on} is {text[:80]!a}")
        elif len(raw) <= LONG:
            self._names.add(raw)

    def _sum_up(self) -> None:
        if self._text > HUGE_TOTAL:
            self._found.add(HUGE_TEXT, "", f"{self._text} bytes of documentation and metadata")
        elif self._text > LARGE_TOTAL:
            self._found.add(LARGE_TEXT, "", f"{self._text} bytes of documentation and metadata")
