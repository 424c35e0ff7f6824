"""What is compared: series of measurements taken in turns, and the ratios between them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.quiet import Quiet

Values: TypeAlias = Sequence[float]


@dataclass(frozen=True)
class Limit:
    """A target: ``value`` is the most, or with ``least`` the least, that a median may be."""

    value: float
    least: bool = False

    def holds(self, found: float) -> bool:
        return found >= self.value if self.least else found <= self.value


@dataclass(frozen=True)
class Row:
    """One line of the report: ``what`` beside ``base``.

    ``ours`` and ``theirs`` are in ``unit``. ``figures`` is what the limit speaks of, one for each pair of
    measurements: a ratio, or the value of ``ours`` itself where ``figure_unit`` is that of ``ours``.
    """

    what: str
    base: str
    ours: Values
    theirs: Values
    figures: Values
    unit: str = "s"
    figure_unit: str = "×"  # noqa: RUF001 (the multiplication sign is meant)
    limit: Limit | None = None

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the limit; None where there is none."""
        return None if self.limit is None else self.limit.holds(statistics.median(self.figures))


@dataclass(frozen=True)
class Skipped:
    """A comparison that could not be made here, and why."""

    what: str
    reason: str


Entry: TypeAlias = Row | Skipped


def ratio(
    what: str, base: str, ours: Values, theirs: Values, limit: Limit | None = None, *, unit: str = "s"
) -> Row:
    """How often ``theirs`` fits into ``ours``, pair by pair."""
    return Row(
        what, base, ours, theirs, [one / other for one, other in _pairs(ours, theirs)], unit, limit=limit
    )


def throughput(what: str, base: str, ours: Values, theirs: Values, limit: Limit | None = None) -> Row:
    """The share of their bytes per second that ours reach, from the seconds of both."""
    figures = [100 * other / one for one, other in _pairs(ours, theirs)]
    return Row(what, base, ours, theirs, figures, figure_unit="%", limit=limit)


def absolute(
    what: str, base: str, ours: Values, theirs: Values, limit: Limit | None = None, *, unit: str = "s"
) -> Row:
    """``ours`` against a fixed limit; ``theirs`` only stands beside it."""
    return Row(what, base, ours, theirs, ours, unit, unit, limit)


def in_turns(
    rounds: int, contenders: Mapping[str, Callable[[], float]], quiet: Quiet | None = None
) -> dict[str, list[float]]:
    """Measure every contender once a round, each round in the opposite order, so that what else the
    machine does falls on all alike. A round that nobody counts comes first: it fills caches."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(-1, rounds):
        order = list(contenders) if number % 2 else list(contenders)[::-1]
        for name in order:
            if number < 0:
                contenders[name]()
            else:
                found[name].append(quiet.measured(contenders[name]) if quiet else contenders[name]())
    return found


def _pairs(ours: Values, theirs: Values) -> list[tuple[float, float]]:
    return list(zip(ours, theirs, strict=True))
