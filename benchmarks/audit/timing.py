"""Calls timed one by one: how long half of them take at most, and 95 of 100."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.audit.cases import Call
from registry.context import Context


@dataclass(frozen=True)
class Timed:
    """The times of one question's calls, in milliseconds."""

    times: tuple[float, ...]

    @property
    def middle(self) -> float:
        return statistics.median(self.times)

    @property
    def tail(self) -> float:
        """What 95 of 100 calls stay below."""
        return statistics.quantiles(self.times, n=20, method="inclusive")[-1]


def timed(context: Context, cases: Mapping[str, Sequence[Call]], rounds: int) -> dict[str, Timed]:
    """Every call of every question ``rounds`` times, all of which count; once before, to fill caches."""
    return {
        name: Timed(tuple(one for call in calls for one in _times(context, call, rounds)))
        for name, calls in cases.items()
    }


def _times(context: Context, call: Call, rounds: int) -> list[float]:
    call(context)
    return [_once(context, call) for _ in range(rounds)]


def _once(context: Context, call: Call) -> float:
    began = time.perf_counter()
    call(context)
    return 1000 * (time.perf_counter() - began)
