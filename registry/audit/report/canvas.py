"""The paper that charts are drawn on: matplotlib's, measured in pixels, without the user's own settings."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from registry.audit.report import svg

LARGE, SMALL = 13.0, 11.5  # pixels: names and numbers; dates
_PX = 72  # figures are made at 72 dots per inch: a point is a pixel of the page
_SETTINGS: Final[dict[str, Any]] = {
    "svg.hashsalt": "hallmark",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
}
_NO_METADATA: Final[dict[str, Any]] = {"Date": None, "Creator": None, "Format": None, "Type": None}
_MOVE, _LINE, _CURVE, _CLOSE = 1, 2, 4, 79  # matplotlib.path.Path's codes
_ROUND: Final = 4 / 3 * (2**0.5 - 1)  # how far the handles of a quarter circle lie, in radii
Box = tuple[float, float, float, float]  # left, bottom, width, height
Point = tuple[float, float]


@contextmanager
def drawing() -> Iterator[None]:
    """Our settings alone, and no talk of letters that a font lacks: the page brings its own."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        yield


class Canvas:
    """A drawing so many pixels wide and high, counted from the lower left. To be used within ``drawing``."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self._figure = Figure(figsize=(width / _PX, height / _PX), dpi=_PX)
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.set_xlim(0, width)
        self._axes.set_ylim(0, height)

    def text(
        self, x: float, y: float, said: str, *, size: float = LARGE, color: str = svg.INK, **how: Any
    ) -> None:
        """A line of text on the base line ``y``, to the right of ``x`` unless ``ha`` says otherwise."""
        self._axes.text(x, y, said, fontsize=size, color=color, parse_math=False, **how)

    def boxes(self, boxes: Iterable[Box], colour: str) -> None:
        """Filled boxes of one colour."""
        corners = [corner for box in boxes for corner in _corners(box)]
        self._fill(corners, [_MOVE, _LINE, _LINE, _LINE, _CLOSE], colour)

    def _fill(self, points: Sequence[Point], codes: list[int], colour: str) -> None:
        """Many shapes of as many points as ``codes`` has, filled, as one path."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        if points:
            path = Path(points, codes * (len(points) // len(codes)))
            self._axes.add_artist(PathPatch(path, facecolor=colour, linewidth=0, clip_on=False))

    def rule(self, left: float, right: float, y: float) -> None:
        """A hairline from left to right."""
        self.boxes([(left, y - 0.4, right - left, 0.8)], svg.LINE)

    def dots(self, dots: Sequence[tuple[float, float, float]], colour: str) -> None:
        """Dots at (x, y) with a radius."""
        points = [point for x, y, radius in dots for point in _circle(x, y, radius)]
        self._fill(points, [_MOVE, *[_CURVE] * 12, _CLOSE], colour)

    def slope(self, points: Sequence[Point], ground: float) -> None:
        """A curve through the points, and what is below it down to ``ground``."""
        from matplotlib.patches import Polygon

        ends = [(points[-1][0], ground), (points[0][0], ground)]
        self._axes.add_artist(Polygon([*points, *ends], facecolor=svg.BAR, alpha=0.16, linewidth=0))
        along, up = zip(*points, strict=True)
        self._axes.plot(along, up, color=svg.BAR, linewidth=2, solid_capstyle="round", clip_on=False)

    def written(self) -> bytes:
        """The drawing as SVG, without a ground."""
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        file = io.BytesIO()
        self._figure.patch.set_visible(False)
        FigureCanvasSVG(self._figure).print_figure(file, format="svg", dpi=_PX, metadata=_NO_METADATA)
        return file.getvalue()


def _corners(box: Box) -> Iterator[Point]:
    left, bottom, width, height = box
    right, top = left + width, bottom + height
    yield from ((left, bottom), (right, bottom), (right, top), (left, top), (left, bottom))


def _circle(x: float, y: float, radius: float) -> Iterator[Point]:
    """Four cubic curves around, from the right, and the end."""
    far, near = radius, radius * _ROUND
    yield x + far, y
    for across, up in ((1, 0), (0, 1), (-1, 0), (0, -1)):  # where the quarter begins; it ends a quarter on
        yield x + across * far - up * near, y + up * far + across * near
        yield x - up * far + across * near, y + across * far + up * near
        yield x - up * far, y + across * far
    yield x + far, y
