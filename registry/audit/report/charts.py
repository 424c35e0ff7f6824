"""The report's charts, drawn by matplotlib: labelled where the eye is, and told in words beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

from registry.audit.report import svg, words
from registry.audit.report.canvas import SMALL, axes_at, cut, drawing, figure_of, write, written
from registry.audit.report.facts import Refused, Series
from registry.audit.report.period import Period

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE, _NARROW, _HALF = 900, 344, 440  # pixels
_DATE: Final = 92  # pixels that a date needs


def activity(period: Period, series: Sequence[Series]) -> str:
    """One row of bars for each kind of act, over the same days; each row has a scale of its own."""
    told = "; ".join(f"{one.label}: {words.number(one.total)}" for one in series)
    label = f"Acts by {period.unit}, {words.span(period.first, period.last)}. {told}."
    with drawing():
        wide = _rows(period, series, _WIDE, 62, 176)
        narrow = _rows(period, series, _NARROW, 88, 0)
    return svg.inline(wide, label, "activity", "wide") + svg.inline(narrow, label, "activity-n", "narrow")


def _rows(period: Period, series: Sequence[Series], width: int, row: int, left: int) -> bytes:
    height = row * len(series) + 30
    figure = figure_of(width, height)
    for place, one in enumerate(series):
        top = height - place * row
        axes = _panel(figure, (left, top - row + 6, width - left - 6, row - (26 if left else 44)), period)
        _bars(axes, one, svg.ALARM if one.key == "refused" else svg.BAR)
        _named(figure, one, top, left, width)
    _dates(axes, period, width - left)
    return written(figure)


def _named(figure: Figure, one: Series, top: float, left: int, width: int) -> None:
    """The row's name and total: beside the bars, or above them where there is no room."""
    write(figure, 0, top - (34 if left else 16), one.label, weight="bold")
    if left:
        write(figure, 0, top - 51, words.number(one.total), color=svg.MUTED)
    else:
        write(figure, width, top - 16, words.number(one.total), ha="right", color=svg.MUTED)


def _panel(figure: Figure, box: tuple[float, float, float, float], period: Period) -> Axes:
    axes = axes_at(figure, box)
    axes.set_xlim(-0.6, len(period.buckets) - 0.4)
    axes.spines["bottom"].set_visible(True)
    axes.spines["bottom"].set_color(svg.LINE)
    if period.unit == "day" and len(period.buckets) > 7:
        weekends = [(place - 0.5, 1.0) for place, day in enumerate(period.buckets) if day.weekday() >= 5]
        across = axes.get_xaxis_transform()  # days along, the whole panel up
        axes.broken_barh(weekends, (0, 1), transform=across, facecolor=svg.WASH, linewidth=0)
    return axes


def _bars(axes: Axes, one: Series, colour: str) -> None:
    highest = max(one.counts, default=0)
    axes.set_ylim(0, max(highest, 1) * 1.02)
    shown = [(place, count) for place, count in enumerate(one.counts) if count]
    least = max(highest, 1) * 0.03  # one among thousands is seen, too
    axes.bar(
        [place for place, _ in shown], [max(count, least) for _, count in shown], width=0.74, color=colour
    )
    if highest:
        _peak(axes, one.counts.index(highest), highest, len(one.counts))


def _peak(axes: Axes, place: int, highest: int, buckets: int) -> None:
    side = "left" if place < buckets * 0.06 else "right" if place > buckets * 0.94 else "center"
    at = place + {"left": -0.4, "right": 0.4, "center": 0}[side]
    said = words.number(highest)
    axes.annotate(
        said,
        (at, highest),
        xytext=(0, 3),
        textcoords="offset points",
        ha=side,
        va="bottom",
        fontsize=SMALL,
        color=svg.MUTED,
        annotation_clip=False,
        parse_math=False,
    )


def _dates(axes: Axes, period: Period, width: float) -> None:
    """As many dates below the lowest row as there is room for, the first and the last among them."""
    room = max(2, int(width / _DATE))
    last = len(period.buckets) - 1
    places = sorted({round(last * step / max(room - 1, 1)) for step in range(room)}) if last else [0]
    for place in places:
        side = "left" if place == 0 else "right" if place == last else "center"
        axes.annotate(
            _date(period.buckets[place], period),
            (place + {"left": -0.45, "right": 0.45, "center": 0}[side], 0),
            xytext=(0, -5),
            textcoords="offset points",
            ha=side,
            va="top",
            fontsize=SMALL,
            color=svg.MUTED,
            annotation_clip=False,
        )


def _date(day: date, period: Period) -> str:
    return f"{day:%b %Y}" if period.unit == "month" else words.day(day, year=False)


def refused(period: Period, people: Sequence[Refused]) -> str:
    """Who was refused, and when: a dot for each day, as large as there were attempts."""
    told = "; ".join(f"{one.name}: {words.number(one.total)}" for one in people)
    label = f"Refused attempts by member and {period.unit}. {told}."
    with drawing():
        wide = _dots(period, people, _WIDE, 30, 176)
        narrow = _dots(period, people, _NARROW, 46, 0)
    return svg.inline(wide, label, "refused", "wide") + svg.inline(narrow, label, "refused-n", "narrow")


def _dots(period: Period, people: Sequence[Refused], width: int, row: int, left: int) -> bytes:
    height = row * len(people) + 34
    figure = figure_of(width, height)
    box = (left, 30, width - left - (56 if left else 6), row * len(people))
    axes = _panel(figure, box, period)
    axes.set_ylim(0, len(people))
    most = max((count for one in people for count in one.counts), default=1) or 1
    drop = 0.5 if left else 0.32
    for place, one in enumerate(people):
        line = len(people) - place - 1 + drop
        axes.axhline(line, color=svg.LINE, linewidth=0.8, zorder=1)
        _dotted(axes, one.counts, line, most)
        middle = 30 + row * line
        write(figure, 0, middle if left else middle + 14, cut(one.name), va="center" if left else "baseline")
        write(
            figure,
            width,
            middle if left else middle + 14,
            words.number(one.total),
            ha="right",
            va="center" if left else "baseline",
            color=svg.MUTED,
        )
    _dates(axes, period, box[2])
    return written(figure)


def _dotted(axes: Axes, counts: Sequence[int], line: float, most: int) -> None:
    shown = [(place, count) for place, count in enumerate(counts) if count]
    sizes = [16 + 300 * count / most for _, count in shown]  # areas, in square pixels
    axes.scatter(
        [place for place, _ in shown],
        [line] * len(shown),
        s=sizes,
        color=svg.ALARM,
        alpha=0.8,
        linewidth=0,
        zorder=2,
        clip_on=False,
    )


def parts(rows: Sequence[tuple[str, int, int]], name: str) -> str:
    """Bars for parts of wholes, one below the other: (what, how many have it, of how many)."""
    told = "; ".join(f"{what}: {words.number(part)} of {words.number(whole)}" for what, part, whole in rows)
    with drawing():
        return svg.inline(_parts(rows), f"{told}.", name, "half")


def _parts(rows: Sequence[tuple[str, int, int]]) -> bytes:
    row, width = 50, _HALF
    figure = figure_of(width, row * len(rows))
    for place, (what, part, whole) in enumerate(rows):
        top = row * (len(rows) - place)
        write(figure, 0, top - 15, what)
        write(
            figure,
            width,
            top - 15,
            f"{words.number(part)} of {words.number(whole)}",
            ha="right",
            color=svg.MUTED,
        )
        axes = axes_at(figure, (0, top - 34, width, 11))
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.barh([0.5], [1], height=1, color=svg.LINE)
        axes.barh([0.5], [part / whole if whole else 0], height=1, color=svg.BAR)
    return written(figure)


def growth(points: Sequence[tuple[str, int]]) -> str:
    """The ledger's acts, counted up over its whole life."""
    points = [(day, acts) for day, acts in points if words.is_day(day)]
    if not points:
        return ""
    (first, _), (last, acts) = points[0], points[-1]
    label = (
        f"Acts in the ledger, from {words.day(first)} to {words.day(last)}: {words.number(acts)} at the end."
    )
    with drawing():
        return svg.inline(_rising(points), label, "growth", "half")


def _rising(points: Sequence[tuple[str, int]]) -> bytes:
    width, height = _HALF, 190
    figure = figure_of(width, height)
    axes = axes_at(figure, (0, 24, width - 8, height - 62))
    along = [date.fromisoformat(day).toordinal() for day, _ in points]
    up = [count for _, count in points]
    axes.set_xlim(min(along), max(max(along), min(along) + 1))
    axes.set_ylim(0, max(up) or 1)
    axes.fill_between(along, up, color=svg.BAR, alpha=0.16, linewidth=0)
    axes.plot(along, up, color=svg.BAR, linewidth=2, solid_capstyle="round", clip_on=False)
    axes.scatter(along[-1:], up[-1:], s=36, color=svg.BAR, zorder=3, clip_on=False, linewidth=0)
    axes.spines["bottom"].set_visible(True)
    axes.spines["bottom"].set_color(svg.LINE)
    write(figure, width, height - 16, f"{words.number(up[-1])} acts", ha="right", weight="bold")
    for at, side, day in ((0, "left", points[0][0]), (width, "right", points[-1][0])):
        write(figure, at, 6, words.day(day), ha=side, color=svg.MUTED, size=SMALL)
    return written(figure)
