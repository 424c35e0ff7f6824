"""External data: only files of the model's own directory, only ranges that are a tensor's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from registry.errors import InvalidModel, UnsafePath
from registry.onnx.external import locate, resolve
from registry.onnx.findings import Rule
from registry.onnx.ir import ExternalEntry, Model, Tensor
from registry.onnx.scan.collect import Collector
from registry.onnx.scan.subject import Range, Subject
from registry.onnx.wire import Wire

MEMORY: Final = Rule(
    "external-memory-address",
    "critical",
    "external data at an address in memory",
    "ONNX Runtime's own mark makes it read its process's memory at the offset that the file names.",
)
ABSOLUTE: Final = Rule(
    "external-absolute",
    "critical",
    "external data at an absolute path",
    "The model reads any file of the machine that it is loaded on.",
)
TRAVERSAL: Final = Rule(
    "external-traversal",
    "critical",
    "external data outside the model's directory",
    "The model reads files that are not its own, on the machine that it is loaded on.",
)
ODD: Final = Rule(
    "external-odd-path",
    "high",
    "external data at a path that is none",
    "Readers differ in which file such a path names.",
)
MISSING: Final = Rule(
    "external-missing",
    "high",
    "external data that is not among the model's files",
    "The weights would come from whatever lies there when the model is loaded.",
)
RANGE: Final = Rule(
    "external-range",
    "high",
    "external data outside its file, or not the tensor's size",
    "A reader that does not check reads past the end, or takes other bytes for weights.",
)
OVERLAP: Final = Rule(
    "external-overlap",
    "high",
    "two tensors share bytes of external data",
    "One tensor's bytes are read as another's: no exporter does it, and it hides a difference.",
)
ITSELF: Final = Rule(
    "external-own-file",
    "high",
    "external data inside an .onnx file",
    "Weights that are the graph's own bytes change with it: nothing honest is stored so.",
)
GAP: Final = Rule(
    "external-unreferenced",
    "medium",
    "external bytes that no tensor uses",
    "Between tensors only zeros for alignment are expected; other bytes are carried along unseen.",
)
ENTRY: Final = Rule(
    "external-entry",
    "medium",
    "external data with an entry that ONNX does not define, or that occurs twice",
    "Readers ignore it, or follow it where others do not.",
)
RULES: Final = (MEMORY, ABSOLUTE, TRAVERSAL, ODD, MISSING, RANGE, OVERLAP, ITSELF, GAP, ENTRY)

_EXTERNAL_DATA = 13  # TensorProto.external_data
_KEYS = frozenset(("location", "offset", "length", "checksum", "basepath"))
_MARK = "_ORT_MEM_ADDR_"
_DRIVE = ":"


def check(subject: Subject) -> None:
    """Report what is wrong with the external data of every tensor, and note the bytes that they use."""
    sizes = {name: len(view) for name, view in subject.views.items()}
    used = subject.ranges
    for tensor in subject.model.tensors():
        if tensor.external is not None:
            _entries(subject, tensor)
            found = _locate(subject, tensor, tensor.external, sizes)
            if found is not None:
                used.setdefault(found[0], []).append(Range(found[1], found[1] + found[2], tensor.name))
    for file, ranges in used.items():
        ranges.sort()
        if file.endswith(".onnx"):
            subject.found.add(ITSELF, ranges[0].name, f"the data lies in {file!r}")
        else:
            _overlaps(subject, ranges)


def _entries(subject: Subject, tensor: Tensor) -> None:
    wire = Wire(subject.views[subject.path])
    start, length = tensor.span
    seen: set[str] = set()
    for field in wire.fields(start, start + length):
        if field.number == _EXTERNAL_DATA:
            keys = [wire.text(part) for part in wire.fields(field.start, field.end) if part.number == 1]
            for key in keys:
                if key not in _KEYS or key in seen:
                    severity = "high" if key in seen else None
                    subject.found.add(ENTRY, tensor.name, f"the entry {key[:80]!r}", severity=severity)
            seen.update(keys)


def gaps(found: Collector, view: memoryview, ranges: Iterable[Range]) -> None:
    """Report bytes of an external file that are in no range. Only what lies between ranges is read."""
    at, size = 0, len(view)
    for one in sorted([*ranges, Range(size, size, "")]):
        if one.start > at and _filled(view[at : one.start]):
            found.add(GAP, "", f"bytes {at} to {one.start} belong to no tensor")
        at = max(at, one.end)


def named(model: Model, path: str) -> tuple[str, ...]:
    """The files that external data names and may name, each once, sorted."""
    found = set()
    for tensor in model.tensors():
        if tensor.external is not None:
            try:
                found.add(resolve(tensor.external.location, path))
            except UnsafePath:
                continue  # reported by check
    return tuple(sorted(found))


def _locate(
    subject: Subject, tensor: Tensor, entry: ExternalEntry, sizes: Mapping[str, int]
) -> tuple[str, int, int] | None:
    try:
        return locate(tensor, entry, subject.path, sizes)
    except UnsafePath as error:
        subject.found.add(_unsafe(entry.location), tensor.name, error.message)
    except InvalidModel as error:
        rule = MISSING if error.message.endswith("is missing") else RANGE
        subject.found.add(rule, tensor.name, error.message)
    return None


def _unsafe(location: str) -> Rule:
    if _MARK in location:
        return MEMORY
    if location.startswith(("/", "\\")) or location[1:2] == _DRIVE:
        return ABSOLUTE
    if ".." in location.replace("\\", "/").split("/"):
        return TRAVERSAL
    return ODD


def _overlaps(subject: Subject, ranges: list[Range]) -> None:
    """The very same range twice is one weight used twice; exporters write that."""
    before = Range(0, 0, "")
    for one in ranges:
        if one.start < before.end and one[:2] != before[:2] and one.end > one.start:
            subject.found.add(
                OVERLAP, one.name, f"shares {min(one.end, before.end) - one.start} bytes with {before.name!r}"
            )
        if one.end > before.end:
            before = one


def _filled(view: memoryview) -> bool:
    """Whether there is anything but zeros; a piece at a time."""
    step = 1 << 20
    return any(bytes(view[at : at + step]).strip(b"\0") for at in range(0, len(view), step))
