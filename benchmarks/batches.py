"""Many calls of one thing, each timed by itself: what takes too little to be measured alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
Pick = Callable[[list[float]], float]


def middle(times: list[float]) -> float:
    """The median."""
    return statistics.median(times)


def tail(times: list[float]) -> float:
    """What 95 of 100 calls stay below."""
    return statistics.quantiles(times, n=20)[-1]


def batch(call: Callable[[T], object], cases: Iterable[T], pick: Pick = middle) -> float:
    """One figure for a call of every case, in milliseconds."""
    times = []
    for case in cases:
        began = time.perf_counter()
        call(case)
        times.append(1000 * (time.perf_counter() - began))
    return pick(times)
