"""When things happen: two years of office hours, nights and weekends, in a company that grows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from benchmarks.ledgers.chance import Chance, Weighted
from registry import acts

DAYS = 730
SECOND = 1_000_000  # microseconds, in which moments are counted from the beginning
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
LONG = DAYS * DAY
_OFFICE = (1, 1, 1, 1, 1, 2, 4, 12, 40, 70, 80, 75, 50, 65, 80, 78, 65, 40, 18, 10, 8, 6, 3, 2)  # by hour
_WEEKEND = 0.06  # of what people do on a working day
_RAMP = 0.25  # of today's traffic was there in the beginning


class Moments:
    """Draws moments. ``end`` is when the ledger ends."""

    def __init__(self, chance: Chance, end: datetime) -> None:
        self._chance = chance
        self.begin = end - timedelta(days=DAYS)
        first = self.begin.weekday()
        growth = [_RAMP + (1 - _RAMP) * day / DAYS for day in range(DAYS)]
        working = [_WEEKEND if (first + day) % 7 > 4 else 1.0 for day in range(DAYS)]
        self._days = Weighted(list(enumerate(growth)))
        self._working = Weighted([(day, growth[day] * working[day]) for day in range(DAYS)])
        self._hours = Weighted(list(enumerate(_OFFICE)))

    def machine(self) -> int:
        """At any hour of any day."""
        return self._days.draw(self._chance) * DAY + self._chance.below(DAY)

    def human(self) -> int:
        """Mostly in the office."""
        day: int = self._working.draw(self._chance)
        hour: int = self._hours.draw(self._chance)
        return day * DAY + hour * HOUR + self._chance.below(HOUR)

    def founding(self) -> int:
        """Of the law: more in the first months."""
        return int(self.human() * self._chance.random() ** 0.6)

    def clock(self, moment: int) -> datetime:
        """The time of a moment."""
        return self.begin + timedelta(microseconds=moment)

    def text(self, moment: int) -> str:
        """As acts write it."""
        day, rest = divmod(moment, DAY)
        hour, rest = divmod(rest, HOUR)
        minute, rest = divmod(rest, MINUTE)
        second, micro = divmod(rest, SECOND)
        return f"{_date(self.begin, day)}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z"


@lru_cache(maxsize=4096)
def _date(begin: datetime, day: int) -> str:
    return acts.timestamp((begin + timedelta(days=day)).astimezone(UTC))[:10]


def midnight(text: str) -> datetime:
    """The beginning of a day, in UTC. Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
