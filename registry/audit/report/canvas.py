"""The paper that charts are drawn on: measured in pixels, with none of the user's own settings."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from registry.audit.report import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGE, SMALL = 13.0, 11.5  # pixels: names and numbers; dates
_PX = 72  # figures are made at 72 dots per inch: a point is a pixel of the page
_SETTINGS: Final[dict[str, Any]] = {
    "svg.hashsalt": "hallmark",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
}
_NO_METADATA: Final[dict[str, Any]] = {"Date": None, "Creator": None, "Format": None, "Type": None}


@contextmanager
def drawing() -> Iterator[None]:
    """Our settings alone, and no talk of letters that a font lacks: the page brings its own."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        yield


def figure_of(width: float, height: float) -> Figure:
    """An empty drawing, so many pixels wide and high."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / _PX, height / _PX), dpi=_PX)


def axes_at(figure: Figure, box: tuple[float, float, float, float]) -> Axes:
    """Axes at a place in pixels (left, bottom, width, height), with no frame, ticks or ground."""
    width, height = (float(side) * _PX for side in figure.get_size_inches())
    left, bottom, wide, high = box
    axes = figure.add_axes((left / width, bottom / height, wide / width, high / height))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.patch.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def write(
    figure: Figure, x: float, y: float, said: str, *, size: float = LARGE, color: str = svg.INK, **how: Any
) -> None:
    """A line of text whose corner is so many pixels from the left and from the bottom."""
    width, height = (float(side) * _PX for side in figure.get_size_inches())
    figure.text(x / width, y / height, said, fontsize=size, color=color, parse_math=False, **how)


def cut(name: str, most: int = 22) -> str:
    """A name that fits beside the dots; the table has it whole."""
    return name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def written(figure: Figure) -> bytes:
    """The drawing as SVG, without a ground."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    bytes_ = io.BytesIO()
    figure.patch.set_visible(False)
    FigureCanvasSVG(figure).print_figure(bytes_, format="svg", dpi=_PX, metadata=_NO_METADATA)
    return bytes_.getvalue()
