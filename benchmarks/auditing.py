"""Audit: what an answer costs on both databases, and what verifying all of it costs.

A ledger of a million acts is too much for each run: ``python -m benchmarks.audit`` measures that.
"""

from __future__ import annotations

from benchmarks.audit import measuring
from benchmarks.audit.grounds import SQLITE, Ground, grounds
from benchmarks.audit.measuring import LIMIT, Measured
from benchmarks.ledgers.making import aloud
from benchmarks.measure import Entry, Limit, absolute, ratio
from benchmarks.workplace import Workplace

TITLE = "Audit"
_ACTS = 50_000
_SAMPLES = 8
_VERIFYING = Limit(1 / 0.7)  # of the time that the bare signatures take


def measure(place: Workplace) -> list[Entry]:
    """All of it in this process, but for the verifying on all cores."""
    with grounds(place.root, [_ACTS], aloud) as made:
        found = {ground.database: _rounds(ground, place.rounds) for ground in made}
    ours, *others = found.values()
    asked = [_question(name, ours, others[0] if others else None) for name in ours[0].questions]
    return [*asked, *(_verified(database, rounds) for database, rounds in found.items())]


def _rounds(ground: Ground, count: int) -> list[Measured]:
    return [measuring.measure(ground, _SAMPLES, 1) for _ in range(count)]


def _question(name: str, ours: list[Measured], others: list[Measured] | None) -> Entry:
    """SQLite beside PostgreSQL; where there is none, beside the median."""
    tails = [one.questions[name].tail for one in ours]
    base = "PostgreSQL" if others else "half of them"
    theirs = [one.questions[name].tail for one in others or ()] or [
        one.questions[name].middle for one in ours
    ]
    return absolute(f"{name}, {_ACTS:,} acts, {SQLITE}", base, tails, theirs, Limit(LIMIT), unit="ms")


def _verified(database: str, rounds: list[Measured]) -> Entry:
    rates = [one.rates for one in rounds if one.rates is not None]
    ours, bare = [1000 / one.one for one in rates], [1000 / one.bare for one in rates]
    what = f"audit verify, {_ACTS:,} acts, {database}, each act"
    return ratio(what, "ECDSA P-256 verification", ours, bare, _VERIFYING, unit="ms")
