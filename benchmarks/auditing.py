"""Audit: what an answer costs, on ledgers of two sizes and on both databases; and verifying all of it.

The ledger of a million acts is too much for each run: ``python -m benchmarks.audit`` measures that.
"""

from __future__ import annotations

from benchmarks.audit import measuring
from benchmarks.audit.grounds import Ground, grounds
from benchmarks.audit.measuring import LIMIT, Measured
from benchmarks.ledgers.making import aloud
from benchmarks.measure import Entry, Limit, absolute, ratio
from benchmarks.workplace import Workplace

TITLE = "Audit"
_SIZES = [10_000, 100_000]
_SAMPLES = 12
_VERIFYING = Limit(1 / 0.7)  # of the time that the bare signatures take


def measure(place: Workplace) -> list[Entry]:
    """All of it in this process, but for the verifying on all cores."""
    with grounds(place.root, _SIZES, aloud) as made:
        return [entry for ground in made for entry in _entries(ground, _rounds(ground, place.rounds))]


def _rounds(ground: Ground, count: int) -> list[Measured]:
    return [measuring.measure(ground, _SAMPLES, 1) for _ in range(count)]


def _entries(ground: Ground, rounds: list[Measured]) -> list[Entry]:
    where = f"{ground.acts:,} acts on {ground.database}"
    found: list[Entry] = []
    for name in rounds[0].questions:
        tails = [one.questions[name].tail for one in rounds]
        middles = [one.questions[name].middle for one in rounds]
        what = f"{name}, {where}, 95 of 100 within"
        found.append(absolute(what, "half of them", tails, middles, Limit(LIMIT), unit="ms"))
    rates = [one.rates for one in rounds if one.rates is not None]
    ours, bare = [1000 / one.one for one in rates], [1000 / one.bare for one in rates]
    found.append(ratio(f"audit verify, {where}, each act", "ECDSA P-256", ours, bare, _VERIFYING, unit="ms"))
    return found
