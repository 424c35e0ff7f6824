"""Draws how a model's quantized weights spread over their levels: one panel for each, the largest first.

The same profile gives the same bytes with the same release of matplotlib: no dates, no random
identifiers, and no settings of the user's own.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any, Final

from registry.errors import InvalidInput
from registry.onnx.profile.values import Levels, Profile, TensorProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS: Final = ("png", "svg")
PANELS: Final = 24  # weights drawn; more would be too small to read
_COLUMNS = 3
_PANEL = (4.2, 2.1)  # inches
_TOP, _EDGE = 0.85, 0.15  # inches above the panels, and around them
_TITLE = 46  # characters of a weight's name
_DETAIL = 78  # of the line below it
_HEAD = 110  # characters of the headline
_DPI = 110
_HEADROOM = 1.08  # of the axis over the highest bar
_INK, _BAR, _END, _STRIP = "#24292f", "#4c78a8", "#e45756", "#54a24b"
_METADATA: Final[dict[str, dict[str, Any]]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}
_SETTINGS: Final[dict[str, Any]] = {
    "svg.hashsalt": "hallmark",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 8,
}


def draw(profile: Profile, kind: str) -> bytes:
    """The picture as a PNG or an SVG file. Raises InvalidInput for another ``kind``."""
    if kind not in FORMATS:
        raise InvalidInput(f"no picture of type {kind!r}", hint=f"name a file that ends in {_endings()}")
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a name in letters that the font lacks: boxes
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        buffer = io.BytesIO()
        _figure(profile).savefig(buffer, format=kind, dpi=_DPI, metadata=_METADATA[kind])
        return buffer.getvalue()


def _endings() -> str:
    return " or ".join(f".{one}" for one in FORMATS)


def _figure(profile: Profile) -> Figure:
    from matplotlib.figure import Figure

    shown = [one for one in profile.weights if one.levels is not None and one.levels.counts is not None]
    panels = shown[:PANELS]
    rows = max(1, -(-len(panels) // _COLUMNS))
    columns = min(_COLUMNS, max(1, len(panels)))
    width, height = _COLUMNS * _PANEL[0] + 2 * _EDGE, rows * _PANEL[1] + _TOP + _EDGE
    figure = Figure(figsize=(width, height), facecolor="white")
    _headline(figure, profile, len(panels), height)
    for at, one in enumerate(panels):
        row, column = divmod(at, columns)
        left = _EDGE + column * _PANEL[0] + 0.45
        bottom = height - _TOP - (row + 1) * _PANEL[1] + 0.3
        box = (left / width, bottom / height, (_PANEL[0] - 0.7) / width, (_PANEL[1] - 0.8) / height)
        _panel(figure.add_axes(box), one)
    return figure


def _headline(figure: Figure, profile: Profile, drawn: int, height: float) -> None:
    facts = profile.facts
    name = shortened(profile.source or profile.path, _HEAD)
    total = len(profile.weights)
    what = f"{facts.mode}, {facts.format}" if facts.mode != "float" else "float"
    told = (
        f"{drawn} of {total} quantized weights, the largest first"
        if drawn < total
        else f"{total} quantized weights"
    )
    if not drawn:
        told = "the file stores no quantized weights"
    _write(figure, name, height - 0.3, height, size=12, weight="bold")
    _write(figure, f"{what}; {told}.  Bars: how often each level occurs,", height - 0.52, height)
    end = "in red at the ends of the range (cut off where far higher). Green: the levels that occur at all."
    _write(figure, end, height - 0.68, height)


def _write(figure: Figure, text: str, inches: float, height: float, **how: Any) -> None:
    figure.text(0.02, inches / height, text, color=_INK, va="center", parse_math=False, **how)


def _panel(axes: Axes, one: TensorProfile) -> None:
    levels = one.levels
    assert levels is not None
    _bars(axes, levels)
    grain = one.facts.granularity
    if one.facts.block_size:
        grain = f"blocks of {one.facts.block_size}"
    operator = (one.operators or (one.facts.operator,))[0].rpartition(".")[2]
    axes.text(
        0,
        1.2,
        shortened(one.facts.name, _TITLE),
        transform=axes.transAxes,
        color=_INK,
        family="DejaVu Sans Mono",
        weight="bold",
        parse_math=False,
    )
    used = f"{levels.used}/{levels.possible} levels, {levels.saturation:.2%} at the ends"
    told = shortened(f"{operator}, {one.facts.type} {grain}: {used}", _DETAIL)
    axes.text(0, 1.06, told, transform=axes.transAxes, color="#57606a", size=7, parse_math=False)


def _bars(axes: Axes, levels: Levels) -> None:
    import numpy as np

    values, counts = levels.values, levels.counts
    assert values is not None
    assert counts is not None
    total = max(1, int(counts.sum()))
    shares = counts / total
    middles = (values[1:] + values[:-1]) / 2
    step = values[1] - values[0]
    edges = np.concatenate(([values[0] - step / 2], middles, [values[-1] + (values[-1] - values[-2]) / 2]))
    ends = np.isin(values, [end.value for end in levels.ends])
    top = _height(shares, ends)
    _steps(axes, np.where(ends, 0, shares), edges, _BAR)
    _steps(axes, np.where(ends, shares, 0), edges, _END)
    _strip(axes, edges, counts > 0, top)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(-0.1 * top, top)
    _ticks(axes, values, top)


def _steps(axes: Axes, heights: Any, edges: Any, color: str) -> None:
    """Bars without gaps; as one artist whose size is not asked for, since the axes have theirs."""
    from matplotlib.patches import StepPatch

    axes.add_artist(StepPatch(heights, edges, fill=True, color=color, lw=0))


def _height(shares: Any, ends: Any) -> float:
    """Of the axis: room for the inner bars; a bar at an end may be cut off at four times their height."""
    inner = float(shares[~ends].max(initial=0.0))
    return _HEADROOM * (min(float(shares.max()), 4 * inner) if inner else float(shares.max())) or 1.0


def _strip(axes: Axes, edges: Any, used: Any, top: float) -> None:
    """Runs of levels that occur, as bars below the histogram."""
    import numpy as np
    from matplotlib.patches import Rectangle

    steps = np.flatnonzero(np.diff(np.concatenate(([0], used.astype(np.int8), [0]))))
    for start, stop in zip(steps[::2], steps[1::2], strict=True):
        corner, width = (edges[start], -0.08 * top), edges[stop] - edges[start]
        axes.add_artist(Rectangle(corner, width, 0.05 * top, color=_STRIP, lw=0))


def _ticks(axes: Axes, values: Any, top: float) -> None:
    """A quarter of the range apart, and the largest share."""
    low, high = float(values[0]), float(values[-1])
    whole = all(float(value).is_integer() for value in (low, high)) and high - low > 2
    quarter = (high + whole - low) / 4
    places = [*(low + at * quarter for at in range(4)), high]
    axes.set_xticks(places, [f"{place:.4g}" for place in places])
    axes.set_yticks([0, top / _HEADROOM], ["0", f"{top / _HEADROOM:.2%}"])
    axes.tick_params(labelsize=7, length=2, color="#8c959f", labelcolor="#57606a")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#8c959f")


def shortened(text: str, limit: int) -> str:
    """At most ``limit`` printable characters: what is too long loses its middle, where names differ least."""
    plain = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    if len(plain) <= limit:
        return plain
    tail = limit * 2 // 3
    return f"{plain[: limit - tail - 1]}…{plain[-tail:]}"
