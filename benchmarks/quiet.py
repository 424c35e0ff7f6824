"""Waiting for a shared machine to be quiet, and noticing when it was not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_LOOK = 0.5  # seconds
_BUSY = 0.15  # of one core: what others may use before a measurement begins
_DISTURBED = 0.30  # of one core, while it runs: the kernel writing back for us counts as others
_TICK = os.sysconf("SC_CLK_TCK")


class Quiet:
    """Spends up to ``patience`` seconds of the whole run on waiting, and on repeating what was disturbed."""

    def __init__(self, patience: float) -> None:
        self._left = patience

    def measured(self, measure: Callable[[], float]) -> float:
        """Measure in quiet, as long as there is patience."""
        while True:
            self._wait()
            others, began = _others(), time.monotonic()
            value = measure()
            took = time.monotonic() - began
            if self._left <= 0 or _others() - others < _DISTURBED * took:
                return value
            self._left -= took

    def _wait(self) -> None:
        while self._left > 0:
            others = _others()
            time.sleep(_LOOK)
            if _others() - others < _BUSY * _LOOK:
                return
            self._left -= _LOOK


def _others() -> float:
    """Seconds of processor time that all but this process and its children have used so far."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = map(int, fields)
    ours = os.times()
    return (user + nice + system + interrupts + soft + stolen) / _TICK - sum(ours[:4])
