"""The measurements as a page: docs/audit-benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.audit.measuring import LIMIT, Measured
from benchmarks.audit.timing import Timed

_TEXT = """\
# The audit, measured

`python -m benchmarks.audit --write` writes this page and the chart. The ledgers are generated
(`python -m benchmarks.ledgers`): the life of a company, the same bytes for the same seed. Of a million acts
922,000 are pulls, 25,000 refusals, 20,000 pushes and 15,000 acts of the law, by 1,059 members on 1,879
models in 40 namespaces. Every signature is real, and `registry audit verify` finds nothing wrong with them.

![Growth](audit-growth.svg)

Each question is asked about {samples} things, {rounds} times each: the busiest members, teams and models
there are, and others drawn from all; in a process that has read the law. Every call counts but a first one
that fills caches. A page has 50 acts, each decoded and held against its row.
"""
_QUESTIONS = """\
Milliseconds: half of the calls take at most so long / 95 of 100 do. The target is {limit:.0f} for the second,
at a million acts, on both databases.
"""
_STARTS = """\
A process that has not read the law does that before it answers: it verifies every act of it from the pinned
registry id on, and checks that each was allowed. What a member's own programs have proven once they remember.
"""
_VERIFYING = """\
Every signature, right and hash is checked, and every table compared with what the acts say. One core is
measured in processor time, the bare signatures (ECDSA P-256 over SHA-256, keys loaded) in the same run. The
target is 70 % of that rate on one core.
"""


def document(
    measured: Sequence[Measured], machine: Iterable[tuple[str, str]], samples: int, rounds: int
) -> str:
    """The whole page."""
    parts = [
        _TEXT.format(samples=samples, rounds=rounds),
        "## The machine",
        _table([["", ""], *([name, value] for name, value in machine)]),
        "## Questions",
        _QUESTIONS.format(limit=LIMIT),
        _table(questions(measured)),
        "## The first question",
        _STARTS,
        _table(starts(measured)),
        "## Verifying",
        _VERIFYING,
        _table(verified(measured)),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def questions(measured: Sequence[Measured]) -> list[list[str]]:
    """One row for each question, one column for each ledger: half of the calls, and 95 of 100."""
    names = dict.fromkeys(name for one in measured for name in one.questions)
    rows = [["question", "calls", *(_named(one) for one in measured)]]
    for name in names:
        found = [one.questions.get(name) for one in measured]
        calls = max(len(one.times) for one in found if one)
        rows.append([name, str(calls), *(_times(one) if one else "" for one in found)])
    return rows


def starts(measured: Sequence[Measured]) -> list[list[str]]:
    """One row for each ledger: what a process pays before its first question."""
    head = ["ledger", "acts of the law", "read for the first time", "remembered"]
    times = ((f"{one.cold:.2f} s", f"{one.warm:.2f} s") for one in measured)
    return [
        head,
        *([_named(one), f"{one.law:,}", *both] for one, both in zip(measured, times, strict=True)),
    ]


def verified(measured: Sequence[Measured]) -> list[list[str]]:
    """One row for each ledger."""
    rows = [["ledger", "bare P-256", "one core", "share of bare", "all cores", "the whole ledger"]]
    for one in measured:
        if one.rates is not None:
            rates = one.rates
            rows.append(
                [
                    _named(one),
                    f"{rates.bare:,.0f} signatures/s",
                    f"{rates.one:,.0f} acts/s",
                    f"{100 * rates.share:.0f} %",
                    f"{rates.all:,.0f} acts/s on {rates.cores}",
                    f"{rates.seconds:.1f} s",
                ]
            )
    return rows


def text(rows: Sequence[Sequence[str]]) -> str:
    """For the terminal."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = ([f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "\n".join("  ".join(row).rstrip() for row in padded)


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *others = rows
    lines = [head, ["---"] * len(head), *others]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _named(measured: Measured) -> str:
    return f"{measured.ground.database}, {measured.ground.acts:,}"


def _times(found: Timed) -> str:
    tail = _figure(found.tail)
    return f"{_figure(found.middle)} / {f'**{tail}**' if found.tail > LIMIT else tail}"


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
