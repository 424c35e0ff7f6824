"""The scan: every rule over one ONNX file, read by our own bounded reader and run by nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from registry.errors import InvalidModel, UnsafePath
from registry.onnx.findings import Finding, Rule
from registry.onnx.graph import read_model
from registry.onnx.loaded import Loaded
from registry.onnx.scan import (
    dead,
    functions,
    loops,
    naming,
    numbers,
    operators,
    outside,
    packing,
    sizes,
    storage,
    weights,
    wirerules,
    wirewalk,
)
from registry.onnx.scan.collect import Collector
from registry.onnx.scan.subject import Range, Subject
from registry.onnx.wire import Buffer

UNREADABLE: Final = Rule(
    "unreadable",
    "critical",
    "the file cannot be read",
    "It is damaged or no ONNX file: nothing can be said about it.",
)
_FAMILIES = (
    wirerules,
    naming,
    dead,
    operators,
    functions,
    loops,
    outside,
    storage,
    numbers,
    packing,
    weights,
    sizes,
)
RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {rule.code: rule for rule in (UNREADABLE, *(rule for family in _FAMILIES for rule in family.RULES))}
)

# In this order: a rule may rely on those before it.
_CHECKS: Final[tuple[Callable[[Subject], None], ...]] = (
    storage.check_attributes,
    naming.check,
    operators.check,
    functions.check,
    dead.check,
    loops.check,
    outside.check,
    storage.check,
    sizes.check,
    weights.check,
)
_ENDLESS = frozenset((functions.RECURSION.code, functions.EXPANSION.code))


class Scanned(NamedTuple):
    """What was found; the files that the model consists of (its own, and those of its external data); and
    the bytes of external files that its tensors use."""

    findings: tuple[Finding, ...]
    files: tuple[str, ...]
    ranges: Mapping[str, list[Range]]


def scan(files: Mapping[str, Buffer], path: str, *, parent: Loaded | None = None) -> tuple[Finding, ...]:
    """What the static rules find in the ONNX file at ``path`` of ``files``, a version's files by path.

    ``parent`` is the model that this one was made from: control flow is compared with its. Never raises for
    a bad file: one that cannot be read is a finding. Each byte of weights is read at most once, and only
    the files that belong to the model are looked up.
    """
    found, _, ranges = scanned(files, path, parent=parent)
    alone = not any(name.endswith(".onnx") for name in files if name != path)
    return (*found, *unreferenced(files, ranges)) if alone else found


def unreferenced(files: Mapping[str, Buffer], ranges: Mapping[str, Iterable[Range]]) -> tuple[Finding, ...]:
    """External bytes that no tensor uses; ``ranges`` are those of every model that shares the files."""
    found: list[Finding] = []
    for file in sorted(ranges):
        if not file.endswith(".onnx"):
            collector = Collector(file)
            outside.gaps(collector, memoryview(files[file]).cast("B"), ranges[file])
            found.extend(collector.findings())
    return tuple(found)


def scanned(files: Mapping[str, Buffer], path: str, *, parent: Loaded | None = None) -> Scanned:
    """The same, with the files that the model consists of."""
    found = Collector(path)
    if path not in files:
        found.add(UNREADABLE, "", "the model file is missing")
        return Scanned(found.findings(), (), {})
    view = memoryview(files[path]).cast("B")
    walk = wirewalk.Walk(view, found)
    try:
        walk.run()
        if walk.boundless:  # every report and label would repeat such a name
            return Scanned(found.findings(), (path,), {})
        model = read_model(view, name=path)
    except InvalidModel as error:
        found.add(UNREADABLE, "", error.message)
        return Scanned(found.findings(), (path,), {})
    used = tuple(name for name in outside.named(model, path) if name in files)
    views = {name: memoryview(files[name]).cast("B") for name in used} | {path: view}
    subject = Subject.of(path, views, model, walk, found, parent)
    _check(subject)
    return Scanned(found.findings(), tuple(views), subject.ranges)


def _check(subject: Subject) -> None:
    for check in _CHECKS:
        check(subject)
    if _ENDLESS & subject.found.codes:
        return
    try:
        numbers.check(subject)
    except (InvalidModel, UnsafePath) as error:
        # Two values of one name stop it, and are reported.
        if naming.DUPLICATE.code not in subject.found.codes:
            subject.found.add(UNREADABLE, error.on or "", error.message)
