"""The report's charts, drawn by matplotlib: labelled where the eye is, and told in words beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from registry.audit.report import svg, words
from registry.audit.report.canvas import SMALL, Canvas, drawing
from registry.audit.report.facts import Refused, Series
from registry.audit.report.period import Period

_WIDE, _NARROW, _HALF = 900, 344, 380  # pixels
_BESIDE: Final = 176  # pixels for names beside what is drawn; narrow drawings have them above it
_DATE: Final = 92  # pixels that a date needs
_DATES: Final = 30  # pixels below the lowest row
_ALARMING = ("failed", "refused")


@dataclass(frozen=True)
class _Along:
    """The buckets of a period, side by side between two places."""

    period: Period
    left: float
    right: float

    @property
    def step(self) -> float:
        return (self.right - self.left) / len(self.period.buckets)

    def middle(self, place: int) -> float:
        return self.left + (place + 0.5) * self.step


def activity(period: Period, series: Sequence[Series]) -> str:
    """One row of bars for each kind of act, over the same days; each row has a scale of its own."""
    if not series:
        return ""
    told = "; ".join(f"{one.label}: {words.number(one.total)}" for one in series)
    label = f"Acts by {period.unit}, {words.span(period.first, period.last)}. {told}."
    with drawing():
        wide = _rows(period, series, Canvas(_WIDE, 62 * len(series) + _DATES), 62, _BESIDE)
        narrow = _rows(period, series, Canvas(_NARROW, 88 * len(series) + _DATES), 88, 0)
    return svg.inline(wide, label, "activity", "wide") + svg.inline(narrow, label, "activity-n", "narrow")


def _rows(period: Period, series: Sequence[Series], canvas: Canvas, row: int, left: int) -> bytes:
    along = _Along(period, left, canvas.width)
    high = row - (26 if left else 44)
    for place, one in enumerate(series):
        top = canvas.height - place * row
        ground = top - row + 6
        _weekends(canvas, along, ground, high)
        canvas.rule(left, canvas.width, ground)
        _bars(canvas, along, one, ground, high)
        canvas.text(0, top - (34 if left else 16), one.label, weight="bold")
        side, at, below = ("left", 0.0, 51) if left else ("right", canvas.width, 16)
        canvas.text(at, top - below, words.number(one.total), ha=side, color=svg.MUTED)
    _dates(canvas, along, _DATES + 6)
    return canvas.written()


def _weekends(canvas: Canvas, along: _Along, ground: float, high: float) -> None:
    buckets = along.period.buckets
    if along.period.unit == "day" and len(buckets) > 7:
        days = [place for place, day in enumerate(buckets) if day.weekday() >= 5]
        canvas.boxes(
            [(along.left + place * along.step, ground, along.step, high) for place in days], svg.WASH
        )


def _bars(canvas: Canvas, along: _Along, one: Series, ground: float, high: float) -> None:
    highest = max(one.counts, default=0)
    if not highest:
        return
    wide = along.step * 0.74
    boxes = [
        # One among thousands is seen, too.
        (along.middle(place) - wide / 2, ground, wide, max(count / highest, 0.03) * high)
        for place, count in enumerate(one.counts)
        if count
    ]
    canvas.boxes(boxes, svg.ALARM if one.key in _ALARMING else svg.BAR)
    place = one.counts.index(highest)
    side, at = _side(along, place, wide / 2)
    canvas.text(at, ground + high + 4, words.number(highest), ha=side, size=SMALL, color=svg.MUTED)


def _side(along: _Along, place: int, reach: float) -> tuple[str, float]:
    """How what is written at a bucket is aligned, and where, so that it stays within the drawing."""
    middle = along.middle(place)
    if middle - along.left < 30:
        return "left", middle - reach
    return ("right", middle + reach) if along.right - middle < 30 else ("center", middle)


def _dates(canvas: Canvas, along: _Along, ground: float) -> None:
    """As many dates below the lowest row as there is room for, the first and the last among them."""
    last = len(along.period.buckets) - 1
    gaps = max(1, int((along.right - along.left) / _DATE) - 1)
    for place in sorted({round(last * step / gaps) for step in range(gaps + 1)}):
        side = "left" if place == 0 else "right" if place == last else "center"
        at = {"left": along.left, "right": along.right}.get(side, along.middle(place))
        said = _date(along.period.buckets[place], along.period, side != "center")
        canvas.text(at, ground - 17, said, ha=side, size=SMALL, color=svg.MUTED)


def _date(day: date, period: Period, outer: bool) -> str:
    """A bucket's day; with its year at either end of a long axis, without its day where there are months."""
    said = words.day(day, year=outer or period.unit == "month")
    if period.unit == "month":
        return said.partition(" ")[2]
    return said if period.unit == "week" else words.day(day, year=False)


def refused(period: Period, people: Sequence[Refused]) -> str:
    """Who was refused, and when: a dot for each day, as large as there were attempts."""
    if not people:
        return ""
    told = "; ".join(f"{words.inert(one.name)}: {words.number(one.total)}" for one in people)
    label = f"Refused attempts by member and {period.unit}. {told}."
    with drawing():
        wide = _lines(period, people, Canvas(_WIDE, 30 * len(people) + _DATES + 4), 30, _BESIDE)
        narrow = _lines(period, people, Canvas(_NARROW, 46 * len(people) + _DATES + 4), 46, 0)
    return svg.inline(wide, label, "refused", "wide") + svg.inline(narrow, label, "refused-n", "narrow")


def _lines(period: Period, people: Sequence[Refused], canvas: Canvas, row: int, left: int) -> bytes:
    along = _Along(period, left, canvas.width - (60 if left else 0))
    _weekends(canvas, along, _DATES, row * len(people))
    most = max((count for one in people for count in one.counts), default=0) or 1
    for place, one in enumerate(people):
        line = _DATES + row * (len(people) - place - 1) + (15 if left else 14)
        canvas.rule(along.left, along.right, line)
        base = line - 4 if left else line + 15
        canvas.text(0, base, _cut(one.name))
        canvas.text(canvas.width, base, words.number(one.total), ha="right", color=svg.MUTED)
        counts = [(along.middle(at), line, count / most) for at, count in enumerate(one.counts) if count]
        # The area tells how many there were: so the radius goes with the root.
        canvas.dots([(x, y, (4 + 80 * share) ** 0.5) for x, y, share in counts], svg.ALARM)
    canvas.rule(along.left, along.right, _DATES)
    _dates(canvas, along, _DATES)
    return canvas.written()


def parts(rows: Sequence[tuple[str, int, int]], name: str, title: str) -> str:
    """Bars for parts of wholes, one below the other: (what, how many have it, of how many)."""
    if not rows:
        return ""
    told = "; ".join(f"{what}: {words.number(part)} of {words.number(whole)}" for what, part, whole in rows)
    with drawing():
        return svg.inline(_parts(rows, Canvas(_HALF, 50 * len(rows) + 4)), f"{title}. {told}.", name, "half")


def _parts(rows: Sequence[tuple[str, int, int]], canvas: Canvas) -> bytes:
    for place, (what, part, whole) in enumerate(rows):
        top = canvas.height - 50 * place
        said = f"{words.number(part)} of {words.number(whole)}"
        canvas.text(0, top - 15, what)
        canvas.text(canvas.width, top - 15, said, ha="right", color=svg.MUTED)
        canvas.boxes([(0, top - 34, canvas.width, 11)], svg.LINE)
        if part:
            canvas.boxes([(0, top - 34, canvas.width * part / max(whole, part), 11)], svg.BAR)
    return canvas.written()


def growth(points: Sequence[tuple[str, int]]) -> str:
    """The ledger's acts, counted up over its whole life."""
    known = [(date.fromisoformat(day), acts) for day, acts in points if words.is_day(day)]
    if not known:
        return ""
    (first, _), (last, acts) = known[0], known[-1]
    label = (
        f"Acts in the ledger, from {words.day(first)} to {words.day(last)}: {words.number(acts)} at the end."
    )
    with drawing():
        return svg.inline(_rising(known, Canvas(_HALF, 190)), label, "growth", "half")


def _rising(known: Sequence[tuple[date, int]], canvas: Canvas) -> bytes:
    ground, wide, high = 24.0, canvas.width - 8, canvas.height - 62
    (first, _), (last, acts) = known[0], known[-1]
    days, most = max((last - first).days, 1), max(acts, 1)
    points = [((day - first).days / days * wide, ground + count / most * high) for day, count in known]
    if len(points) == 1:
        points = [(0.0, ground), (wide, points[0][1])]
    canvas.slope(points, ground)
    canvas.rule(0, canvas.width, ground)
    canvas.dots([(*points[-1], 3.2)], svg.BAR)
    canvas.text(canvas.width, canvas.height - 16, f"{words.number(acts)} acts", ha="right", weight="bold")
    canvas.text(0, 6, words.day(first), size=SMALL, color=svg.MUTED)
    canvas.text(canvas.width, 6, words.day(last), ha="right", size=SMALL, color=svg.MUTED)
    return canvas.written()


def _cut(name: str, most: int = 22) -> str:
    """A name that fits beside the dots; the table has it whole."""
    shown = words.inert(name)
    return shown if len(shown) <= most else f"{shown[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
