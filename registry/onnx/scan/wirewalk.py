"""Walks every byte of an ONNX file against the table of its messages.

What the table does not name, no reader of ONNX looks at: room to carry things. Weights are stepped over.
Each field of the file is visited once, in a loop and not by recursion: this is the hot path of a scan.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from registry.onnx.findings import Rule
from registry.onnx.scan.collect import Collector
from registry.onnx.scan.protobuf import TABLE
from registry.onnx.wire import BYTES, FIXED32, FIXED64, MAX_DEPTH, MAX_FIELDS, VARINT, damaged, varint

UNKNOWN: Final = Rule(
    "unknown-field",
    "high",
    "a field that ONNX does not define",
    "No reader looks at it and every copy keeps it: room for a payload, and a difference that nobody sees.",
)
WRONG_TYPE: Final = Rule(
    "wrong-wire-type",
    "high",
    "a field in another wire type than its definition's",
    "Readers of protobuf treat it as unknown, so what it holds is carried along unseen.",
)
TWICE: Final = Rule(
    "field-twice",
    "high",
    "a single field that occurs more than once",
    "Some readers take the first, some the last, some merge them: each may see another model.",
)
OVERLONG: Final = Rule(
    "overlong-number",
    "medium",
    "a number written in more bytes than it needs",
    "No exporter writes it so; the spare bytes can mark or carry something.",
)
DEPRECATED: Final = Rule(
    "deprecated-field",
    "medium",
    "a field that nothing writes any more",
    "Tensor segments were given up before ONNX 1.0: readers ignore or refuse them, and differ.",
)
TRAINING: Final = Rule(
    "training-data",
    "medium",
    "training information in a model for inference",
    "It holds whole graphs and bindings that a runtime for inference never looks at.",
)
NOT_UTF8: Final = Rule(
    "name-not-utf8",
    "high",
    "a name that is not UTF-8",
    "ONNX names are UTF-8; readers differ in what they make of others.",
)
CONTROL: Final = Rule(
    "control-characters",
    "medium",
    "a name with control or invisible characters",
    "It can steer a terminal, forge a line of a log, or look like another name.",
)
LONG_NAME: Final = Rule(
    "long-name",
    "high",
    "a name that is longer than any name",
    "It carries something, and makes whoever prints or joins names run out of memory.",
)
HUGE_TEXT: Final = Rule(
    "metadata-huge",
    "medium",
    "more documentation than a model has",
    "Documentation and metadata carry anything at all; a megabyte in one piece is no note to a reader.",
)
LARGE_TEXT: Final = Rule(
    "metadata-large",
    "low",
    "much documentation or metadata",
    "It is not executed, but it is carried along and seldom read.",
)
RULES: Final = (
    *(UNKNOWN, WRONG_TYPE, TWICE, OVERLONG, DEPRECATED, TRAINING),
    *(NOT_UTF8, CONTROL, LONG_NAME, HUGE_TEXT, LARGE_TEXT),
)

LONG: Final = 4096  # bytes of a name
BOUNDLESS: Final = 1 << 16
HUGE_PIECE: Final = 1 << 20  # bytes of one text
HUGE_TOTAL: Final = 16 << 20  # bytes of all texts of a file
LARGE_TOTAL: Final = 64 << 10
_ONEOF: Final = 1 << 30  # the bit that the members of a oneof share

_PARAMETER: Final = 6  # FunctionProto.attribute

_SKIP, _MESSAGE, _NAME, _TEXT, _GONE, _TYPE = range(6)  # what is done with a field


class Entry(NamedTuple):
    """A field: wire types as a bit mask, what to do, the message in it, and the bit of a single one."""

    wires: int
    action: int
    message: str
    bit: int


class Held(NamedTuple):
    """An attribute of the file: where its message starts, the numbers of its fields as bits, its type."""

    start: int
    fields: int
    type: int


_LISTS = {"V": VARINT, "F": FIXED32, "D": FIXED64}
_WIRES = {"v": VARINT, "f": FIXED32, "d": FIXED64}
_ACTIONS = {"s": _NAME, "S": _NAME, "t": _TEXT}


@cache
def messages() -> Mapping[str, Mapping[int, Entry]]:
    """The table: for each message its fields by number."""
    lines = TABLE.strip().replace("\n    ", " ").splitlines()
    found = {name: dict(map(_entry, fields)) for name, *fields in (line.split() for line in lines)}
    found["Attribute"][20] = found["Attribute"][20]._replace(action=_TYPE)
    return found


def _entry(text: str) -> tuple[int, Entry]:
    number, _, told = text.partition(":")
    kind = told.rstrip("=-*")
    many = told.endswith("*") or kind in ("V", "F", "D", "S", "B")
    bit = 0 if many else _ONEOF if "=" in told else 1 << int(number)
    if kind in _LISTS:
        return int(number), Entry(1 << _LISTS[kind] | 1 << BYTES, _SKIP, "", bit)
    if kind in _WIRES:
        return int(number), Entry(1 << _WIRES[kind], _SKIP, "", bit)
    if len(kind) == 1:
        return int(number), Entry(1 << BYTES, _ACTIONS.get(kind, _SKIP), "", bit)
    return int(number), Entry(1 << BYTES, _GONE if "-" in told else _MESSAGE, kind, bit)


class Walk:
    """One walk over a file. Afterwards ``tensors`` has the numbers of each tensor's fields, as bits, by where
    its message starts, and ``attributes`` all attributes."""

    def __init__(self, view: memoryview, found: Collector) -> None:
        self._view = view
        self._found = found
        self._text = 0  # bytes of documentation
        self.boundless = False  # a name is so long that nothing further can be done with it
        self.tensors: dict[int, int] = {}
        self.attributes: list[Held] = []
        self.parameters: list[set[str]] = []  # the attributes of each function, by its place in the file

    def run(self) -> None:
        """Visit every field. Raises InvalidModel where the bytes are no protobuf."""
        # One frame per open message: (name, its fields, where it starts, where it ends, fields seen).
        table, view = messages(), self._view
        frames: list[tuple[str, Mapping[int, Entry], int, int, int]] = []
        name, entries, first, end, at, seen, noted, type_ = (
            *("Model", table["Model"], 0, len(view)),
            *(0, 0, 0, 0),
        )
        left = MAX_FIELDS
        while True:
            if at >= end:
                if name == "Attribute":
                    self.attributes.append(Held(first, noted, type_))
                elif name == "Tensor":
                    self.tensors[first] = noted
                if not frames:
                    break
                name, entries, first, end, packed = frames.pop()
                seen, noted = packed & 0x7FFFFFFF, packed >> 31
                continue
            left -= 1
            if left < 0:
                raise damaged(f"more than {MAX_FIELDS} fields", at)
            start = at
            key = view[at]
            if key < 0x80:
                at += 1
            else:
                key, at = self._number(at, end)
            kind = key & 7
            if kind == BYTES:
                length, at = (view[at], at + 1) if at < end and view[at] < 0x80 else self._number(at, end)
                stop = at + length
            elif kind == VARINT:
                stop = at + 1 if at < end and view[at] < 0x80 else self._number(at, end)[1]
            elif kind in (FIXED32, FIXED64):
                stop = at + (4 if kind == FIXED32 else 8)
            else:
                raise damaged(f"wire type {kind}", at)
            if stop > end:
                raise damaged("a field that leaves its message", start)
            number = key >> 3
            entry = entries.get(number)
            if entry is None:
                self._unknown(name, number, start, stop)
                at = stop
                continue
            wires, action, inner, bit = entry
            if not wires >> kind & 1:
                self._found.add(WRONG_TYPE, name, f"field {number} with wire type {kind} at byte {start}")
            elif bit & seen:
                self._found.add(TWICE, name, f"field {number} again at byte {start}")
            seen |= bit
            noted |= 1 << number
            if action == _MESSAGE and kind == BYTES:
                if len(frames) >= MAX_DEPTH:
                    raise damaged("nesting that is too deep", start)
                if inner == "TrainingInfo":
                    self._found.add(TRAINING, name, f"{stop - at} bytes of training information")
                elif inner == "Function":
                    self.parameters.append(set())
                frames.append((name, entries, first, end, noted << 31 | seen))
                name, entries, first, end, seen, noted = inner, table[inner], at, stop, 0, 0
                type_ = 0 if inner == "Attribute" else type_
                continue
            if action == _TYPE:
                type_ = view[at]
            elif action:
                self._look(name, action, number, at, stop)
            at = stop
        self._sum_up()

    def _number(self, at: int, end: int) -> tuple[int, int]:
        value, stop = varint(self._view, at, end)
        if stop - at > 1 and not self._view[stop - 1]:
            self._found.add(OVERLONG, "", f"{value} in {stop - at} bytes at byte {at}")
        return value, stop

    def _unknown(self, name: str, number: int, start: int, stop: int) -> None:
        if not 0 < number < 1 << 29:
            raise damaged(f"field number {number}", start)
        self._found.add(UNKNOWN, name, f"field {number} of {stop - start} bytes at byte {start}")

    def _look(self, name: str, action: int, number: int, start: int, stop: int) -> None:
        if action == _GONE:
            self._found.add(DEPRECATED, name, f"field {number} at byte {start}")
            return
        if action == _TEXT:
            self._text += stop - start
            if stop - start > HUGE_PIECE:
                self._found.add(HUGE_TEXT, name, f"a text of {stop - start} bytes at byte {start}")
            return
        if stop - start > LONG:
            self._found.add(LONG_NAME, name, f"field {number} has {stop - start} bytes")
            self.boundless = self.boundless or stop - start > BOUNDLESS
        try:
            text = str(self._view[start:stop], "utf-8")
        except UnicodeDecodeError:
            self._found.add(NOT_UTF8, name, f"field {number} at byte {start}")
            return
        if name == "Function" and number == _PARAMETER:
            self.parameters[-1].add(text)
        if not text.isprintable():
            self._found.add(CONTROL, name, f"field {number} is {text[:80]!a}")

    def _sum_up(self) -> None:
        if self._text > HUGE_TOTAL:
            self._found.add(HUGE_TEXT, "", f"{self._text} bytes of documentation and metadata")
        elif self._text > LARGE_TOTAL:
            self._found.add(LARGE_TEXT, "", f"{self._text} bytes of documentation and metadata")
