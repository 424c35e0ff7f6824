"""The figures as a table: on the terminal, and as docs/benchmarks.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.measure import Entry, Limit, Row, Skipped, Values
from benchmarks.remarks import INTRODUCTION, remarks

_HEADINGS = ("what", "beside", "ours", "theirs", "figure", "target", "")


@dataclass(frozen=True)
class Section:
    """The comparisons of one family."""

    title: str
    entries: Sequence[Entry]


def text(section: Section) -> str:
    """For the terminal."""
    rows = [_HEADINGS, *(_cells(entry) for entry in section.entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([f"\n{section.title}", *lines])


def document(sections: Sequence[Section], machine: Iterable[tuple[str, str]], command: str) -> str:
    """For docs/benchmarks.md."""
    parts = ["# Speed and memory", INTRODUCTION.format(command=command), "## The machine"]
    parts.append("\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in machine)]))
    for section in sections:
        rows = [_HEADINGS, ("---",) * len(_HEADINGS), *(_cells(entry) for entry in section.entries)]
        parts += [f"## {section.title}", "\n".join(f"| {' | '.join(row)} |" for row in rows)]
        parts += remarks(section.title)
    return "\n\n".join(parts) + "\n"


def _cells(entry: Entry) -> tuple[str, ...]:
    if isinstance(entry, Skipped):
        return (entry.what, "", "", "", f"skipped: {entry.reason}", "", "")
    return (
        entry.what,
        entry.base,
        _spread(entry.ours, entry.unit),
        _spread(entry.theirs, entry.unit),
        _spread(entry.figures, entry.figure_unit),
        _target(entry.limit, entry.figure_unit),
        _verdict(entry),
    )


def _spread(values: Values, unit: str) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    if unit == "%" or unit == "MiB":
        return f"{middle:.0f} {unit} ({low:.0f} to {high:.0f})"
    if unit == "ms":
        return f"{middle:.3f} {unit} ({low:.3f} to {high:.3f})"
    return f"{middle:.2f} {unit} ({low:.2f} to {high:.2f})"


def _target(limit: Limit | None, unit: str) -> str:
    if limit is None:
        return ""
    return f"{'at least' if limit.least else 'at most'} {limit.value:g} {unit}"


def _verdict(row: Row) -> str:
    return {True: "met", False: "missed", None: ""}[row.met]
