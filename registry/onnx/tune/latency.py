"""How long one model takes beside another: the same input in turns, so that a busy machine slows both."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from registry.onnx.evaluate.batches import Feeds
from registry.onnx.session import ModelSession
from registry.onnx.tune.trial import MILLION

ROUNDS = 15
WARMING = 2  # rounds that do not count
MOST = 3.0  # seconds: no further round begins after that


def ratio_ppm(
    child: ModelSession,
    parent: ModelSession,
    feeds: Feeds,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """The median time of the child's run by that of the parent's, in parts per million (at least 1)."""
    ours, theirs, begun = [], [], clock()
    for at in range(WARMING + ROUNDS):
        if at > WARMING and clock() - begun > MOST:
            break
        first, second, third = clock(), _ran(parent, feeds, clock), _ran(child, feeds, clock)
        if at >= WARMING:
            theirs.append(second - first)
            ours.append(third - second)
    return max(1, round(MILLION * median(ours) / max(median(theirs), 1e-9)))


def _ran(session: ModelSession, feeds: Feeds, clock: Callable[[], float]) -> float:
    session.run(None, feeds)
    return clock()
