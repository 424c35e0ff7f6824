"""Chance that is the same for the same seed, on every machine."""

from __future__ import annotations

import hashlib
import random
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


def stream(seed: str, size: int, *words: object) -> bytes:
    """``size`` bytes that these words name (SHAKE256)."""
    return hashlib.shake_256("\0".join(map(str, (seed, *words))).encode()).digest(size)


class Chance:
    """Numbers drawn for one purpose. Only ``random.random`` is used, whose sequence Python keeps."""

    def __init__(self, seed: str, purpose: str) -> None:
        self.random = random.Random(f"{seed} {purpose}").random

    def below(self, limit: int) -> int:
        """A whole number from 0 up to, not including, ``limit``."""
        return int(self.random() * limit)

    def between(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + self.below(high - low + 1)

    def yes(self, share: float) -> bool:
        """True in ``share`` of all cases."""
        return self.random() < share

    def one(self, things: Sequence[T]) -> T:
        """Any of these, each as often as the others."""
        return things[int(self.random() * len(things))]

    def early(self, things: Sequence[T], power: float) -> T:
        """Any of these, the first ones far more often: a few are popular, most are not."""
        return things[int(len(things) * self.random() ** power)]

    def late(self, things: Sequence[T], power: float) -> T:
        """Any of these, the last ones more often."""
        return things[len(things) - 1 - int(len(things) * self.random() ** power)]


class Weighted(Generic[T]):
    """Things of which each is drawn as often as its weight says."""

    def __init__(self, weights: Sequence[tuple[T, float]]) -> None:
        self._things = [thing for thing, _ in weights]
        self._sums = list(accumulate(weight for _, weight in weights))

    def draw(self, chance: Chance) -> T:
        """One of them."""
        return self._things[bisect_right(self._sums, chance.random() * self._sums[-1])]
