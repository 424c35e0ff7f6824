"""The scan of a whole version: static rules, facts of the file system, and what loading shows in a child."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from registry import linked
from registry.errors import Hostile, InvalidInput
from registry.onnx.child import RULES as OF_THE_CHILD
from registry.onnx.child import examine
from registry.onnx.findings import SEVERITIES, Finding, Rule, at_least
from registry.onnx.loaded import Loaded
from registry.onnx.scan.scanner import RULES, scanned, unreferenced
from registry.onnx.scan.subject import Range
from registry.onnx.wire import Buffer
from registry.source import Mapped, SourceFile

_ONNX = ".onnx"
_TOLD = 8  # findings named in an error


@dataclass(frozen=True)
class Report:
    """Everything that was found, the worst first."""

    findings: tuple[Finding, ...]


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule of a scan by its code."""
    return {**RULES, **{rule.code: rule for rule in (*linked.RULES, *OF_THE_CHILD)}}


def scan_path(path: Path, *, parent: Loaded | None = None) -> Report:
    """Scan a directory, or an ONNX file with its external data: the files themselves, then what is in them.

    Raises NotFound, InvalidModel where there is no ONNX file, InvalidInput, Unavailable.
    """
    gathered = linked.Gathered(path)
    return _sorted([*gathered.findings, *_contents(Mapped(gathered.files), parent)])


def scan_source(files: Iterable[SourceFile], *, parent: Loaded | None = None) -> Report:
    """Scan what is about to be pushed: hard links, and every ONNX file. Raises Unavailable, SourceChanged."""
    listed = list(files)
    return _sorted([*linked.hard_links(listed), *_contents(Mapped(listed), parent)])


def scan_files(files: Mapping[str, Buffer], *, parent: Loaded | None = None) -> Report:
    """Scan every ONNX file of a version: static rules, then what loading shows in a confined process.

    Only the files that belong to a model are looked up. Raises Unavailable where no process starts.
    """
    return _sorted(_contents(files, parent))


def serious(report: Report) -> tuple[str, ...]:
    """The codes at or above the threshold that occur, each once, sorted: what a push has to allow."""
    return tuple(sorted({one.code for one in report.findings if at_least(one)}))


def is_damaged(report: Report) -> bool:
    """Whether a file cannot be read, or its data are not where it says: most often an accident."""
    return any(one.code == "unreadable" or one.code.startswith("external-") for one in report.findings)


def check_codes(codes: Collection[str]) -> None:
    """Raise InvalidInput where somebody wants to allow what no rule is called."""
    if unknown := sorted(set(codes) - rules().keys()):
        raise InvalidInput("no rule has this code", on=", ".join(unknown), hint="docs/scan.md lists them")


def require(report: Report, allowed: Collection[str] = ()) -> None:
    """Raise Hostile where something serious was found that is not allowed by its code.

    Nothing that is critical can be allowed: such a file cannot be read or loaded without harm. A code that
    no rule has allows nothing: an older release may have had it.
    """
    refused = [
        one for one in report.findings if at_least(one) and not (one.code in allowed and may_allow(one))
    ]
    if not refused:
        return
    codes = sorted({one.code for one in refused})
    allowable = sorted({one.code for one in refused if may_allow(one)})
    hint = "look with `registry scan`"
    if allowable == codes:
        hint += f"; what you know and accept: {' '.join(f'--allow {code}' for code in codes)}"
    raise Hostile(f"the scan found {', '.join(codes)}", on=_told(refused), hint=hint)


def may_allow(finding: Finding) -> bool:
    """Whether the finding's code can be allowed: unless it is critical."""
    return finding.severity != SEVERITIES[-1]


def _contents(files: Mapping[str, Buffer], parent: Loaded | None) -> Iterator[Finding]:
    ranges: dict[str, list[Range]] = {}
    for path in sorted(files):
        if path.endswith(_ONNX):
            found, used, outside = scanned(files, path, parent=parent)
            yield from found
            for file, own in outside.items():
                ranges.setdefault(file, []).extend(own)
            # What the static rules call critical is what nobody should load, not even in a child.
            if all(map(may_allow, found)):
                yield from examine({name: files[name] for name in used}, path)
    yield from unreferenced(files, ranges)


def _sorted(findings: Iterable[Finding]) -> Report:
    return Report(tuple(sorted(findings, key=lambda one: -SEVERITIES.index(one.severity))))


def _told(findings: list[Finding]) -> str:
    shown = [f"{one.path}: {one.on or one.code}: {one.message}" for one in findings[:_TOLD]]
    more = len(findings) - len(shown)
    return "; ".join([*shown, f"and {more} more"] if more else shown)
