"""What the tables do not say by themselves."""

from __future__ import annotations

INTRODUCTION = """\
`make bench` writes this page; this run was `{command}`. Figures of two things that stand side by side were
taken in turns, in one run, and the column *figure* compares them pair by pair: median (minimum to maximum).
A ratio above 1 means that Hallmark takes longer, or more. Whole processes are timed from outside, including
the start of Python; *in process* means the deed alone, in a process that has the registry open."""


def remarks(title: str) -> list[str]:
    """Paragraphs below the table of a family."""
    found = _REMARKS.get(title)
    return [found] if found else []


_REMARKS: dict[str, str] = {}
