"""The time that a report is about: whole days in UTC, in buckets few enough to draw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

from registry.errors import InvalidInput

_DAYS, _WEEKS = 62, 420  # days in a period whose buckets are days, or weeks; longer ones have months


@dataclass(frozen=True)
class Period:
    """From the first day to the last, both counted in, in UTC."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Period:
        """As many days before it, as far as the calendar has them."""
        last = max(self.first.toordinal() - 1, 1)
        return Period(date.fromordinal(max(last - self.days + 1, 1)), date.fromordinal(last))

    @cached_property
    def unit(self) -> str:
        """What one bucket is: "day", "week" (begun on a Monday), or "month"."""
        return "day" if self.days <= _DAYS else "week" if self.days <= _WEEKS else "month"

    @cached_property
    def buckets(self) -> tuple[date, ...]:
        """The first day of each bucket, in order, without gaps."""
        found = [self.bucket(self.first)]
        while (following := self._next(found[-1])) <= self.last:
            found.append(following)
        return tuple(found)

    def bucket(self, day: date) -> date:
        """The first day of the bucket that a day is in; it may lie before the period."""
        if self.unit == "week":
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self.unit == "month" else day

    def _next(self, bucket: date) -> date:
        if self.unit == "month":
            return (bucket + timedelta(days=32)).replace(day=1)
        return bucket + timedelta(days=7 if self.unit == "week" else 1)

    @cached_property
    def places(self) -> dict[str, int]:
        """For each day of the period, as events write it, the number of its bucket."""
        number = {bucket: place for place, bucket in enumerate(self.buckets)}
        each = (self.first + timedelta(days=count) for count in range(self.days))
        return {day.isoformat(): number[self.bucket(day)] for day in each}

    def counts(self, by_day: dict[str, int]) -> tuple[int, ...]:
        """Numbers by day as numbers by bucket; days outside the period do not count."""
        found = [0] * len(self.buckets)
        for day, count in by_day.items():
            if (place := self.places.get(day)) is not None:
                found[place] += count
        return tuple(found)


def period(since: datetime, now: datetime) -> Period:
    """The days from that of ``since`` to today. Raises InvalidInput for one that has not come."""
    first, last = since.astimezone(UTC).date(), now.astimezone(UTC).date()
    if first > last:
        raise InvalidInput(
            "the period begins in the future", on=first.isoformat(), hint="such as --since 30d"
        )
    return Period(first, last)
