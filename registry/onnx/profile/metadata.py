"""What a file says about itself, read without believing it: metadata, doc strings, producer, annotations.

Fields as in onnx.proto. Bounded: so many entries, so many characters of each; bytes that are no text are
replaced, since nothing of this is needed to run the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, NamedTuple

from registry.onnx.loaded import Loaded
from registry.onnx.wire import BYTES, Field, Wire, message

ENTRIES: Final = 1000  # statements read from one file
CHARACTERS: Final = 1 << 16  # of one value; the rest is not looked at
TOTAL: Final = 1 << 20  # characters of all values together
_NAME = 200  # characters of a key
_DEPTH = 8  # JSON objects inside each other
_SCALE = "SCALE_TENSOR"  # onnx.proto, TensorAnnotation


class Said(NamedTuple):
    """A statement: ``key`` says where in the file, ``text`` what."""

    key: str
    text: str


class Annotation(NamedTuple):
    """A TensorAnnotation: the tensor and the name of what is said to be its scale."""

    tensor: str
    scale: str


class Metadata(NamedTuple):
    """Everything in the order of the file. ``producer`` is the exporter's name and version."""

    producer: str
    said: tuple[Said, ...]
    annotations: tuple[Annotation, ...]


def metadata(loaded: Loaded) -> Metadata:
    """What the ONNX file says about itself. Raises InvalidModel for a damaged file."""
    view = loaded.views[loaded.path]
    wire = Wire(view)
    names = ["", ""]  # of the producer: name, version
    said: list[Said] = []
    annotations: list[Annotation] = []
    for field in wire.fields(0, len(view)):
        if field.number in (2, 3):
            names[field.number - 2] = _text(wire, field)[:_NAME]
        elif field.number == 6:
            said.append(Said("doc_string", _text(wire, field)))
        elif field.number == 14:
            said += _entry(wire, field, "") if len(said) < ENTRIES else ()
        elif field.number == 7:
            _graph(wire, field, said, annotations)
    producer = " ".join(filter(None, names))
    return Metadata(producer, tuple(_bounded(said)), tuple(annotations))


def _bounded(said: list[Said]) -> Iterator[Said]:
    left = TOTAL
    for one in said[:ENTRIES]:
        left -= len(one.text)
        if left < 0:
            return
        yield one


def _graph(wire: Wire, field: Field, said: list[Said], annotations: list[Annotation]) -> None:
    for part in wire.fields(*message(field)):
        if part.number == 10:
            said.append(Said("graph.doc_string", _text(wire, part)))
        elif part.number == 14 and len(annotations) < ENTRIES:
            annotations.append(_annotation(wire, part))
        elif part.number == 16:
            said += _entry(wire, part, "graph.") if len(said) < ENTRIES else ()


def _annotation(wire: Wire, field: Field) -> Annotation:
    tensor = scale = ""
    for part in wire.fields(*message(field)):
        if part.number == 1:
            tensor = _text(wire, part)[:_NAME]
        elif part.number == 2:
            key, value = _pair(wire, part)
            scale = value[:_NAME] if key == _SCALE else scale
    return Annotation(tensor, scale)


def _entry(wire: Wire, field: Field, place: str) -> Iterator[Said]:
    """One metadata entry; where its value is JSON, one statement for each value inside."""
    key, value = _pair(wire, field)
    where = place + key[:_NAME]
    yield from _inside(where, value) or [Said(where, value)]


def _inside(where: str, value: str) -> list[Said]:
    if not value.lstrip().startswith(("{", "[")):
        return []
    try:
        return list(_leaves(where, json.loads(value), _DEPTH))[:ENTRIES]
    except (ValueError, RecursionError):
        return []  # text that only looks like JSON


def _leaves(where: str, value: object, depth: int) -> Iterator[Said]:
    if isinstance(value, dict) and depth:
        for name, inner in value.items():
            yield from _leaves(f"{where}.{name}"[:_NAME], inner, depth - 1)
    elif isinstance(value, list) and depth:
        for inner in value[:ENTRIES]:
            yield from _leaves(where, inner, depth - 1)
    elif isinstance(value, str | int | float):  # True and False too
        yield Said(where, str(value)[:CHARACTERS])


def _pair(wire: Wire, field: Field) -> tuple[str, str]:
    found = {1: "", 2: ""}
    for part in wire.fields(*message(field)):
        if part.number in found:
            found[part.number] = _text(wire, part)
    return found[1], found[2]


def _text(wire: Wire, field: Field) -> str:
    if field.kind != BYTES:
        return ""
    return str(wire.view[field.start : min(field.end, field.start + CHARACTERS)], "utf-8", "replace")
