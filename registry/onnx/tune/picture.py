"""The Pareto picture: each trial by what it costs and how far it agrees; the front, the bound, the choice."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from registry.onnx.tune.choice import Goal, best, front, percent
from registry.onnx.tune.space import described
from registry.onnx.tune.trial import MILLION, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMS = ("png", "svg")
_MODES = {"static": ("#2a6fdb", "o"), "dynamic": ("#1f9e77", "s"), "weight-only": ("#d1711c", "^")}
_INK, _FAINT, _CHOSEN = "#222222", "#9a9a9a", "#c2185b"
_SIZE = (9.0, 5.6)  # inches
_DOTS = 120  # per inch, of a PNG


def draw(trials: Sequence[Trial], goal: Goal, parent_size: int, form: str) -> bytes:
    """The picture as "png" or "svg"; the same trials give the same bytes. At least one trial made a model."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "hallmark", "svg.fonttype": "none", "font.size": 9.5}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        FigureCanvasAgg(figure)
        _paint(figure.add_subplot(), trials, goal, parent_size)
        written = io.BytesIO()
        clean: dict[str, Any] = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(written, format=form, dpi=_DOTS, metadata=clean)
    return written.getvalue()


def _paint(axes: Axes, trials: Sequence[Trial], goal: Goal, parent_size: int) -> None:
    made = [trial for trial in trials if trial.failed is None]
    unit = parent_size if goal.objective == "size" else MILLION
    along = {trial: 100 * trial.cost(goal.objective) / unit for trial in made}
    edge = front(made, goal.objective)
    chosen = best(made, goal)
    axes.axhline(goal.agreement_ppm / 10_000, color=_INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axes.step(
        [along[one] for one in edge], [_up(one) for one in edge], where="post", color=_FAINT, zorder=1, lw=1.4
    )
    for mode, (colour, marker) in _MODES.items():
        some = [trial for trial in made if trial.recipe.mode == mode]
        for left, fill in ((False, colour), (True, "white")):
            shown = [trial for trial in some if bool(trial.recipe.exclude) == left]
            if shown:
                axes.scatter(
                    [along[one] for one in shown],
                    [_up(one) for one in shown],
                    s=44,
                    marker=marker,
                    facecolor=fill,
                    edgecolor=colour,
                    linewidth=1.2,
                    zorder=3,
                    label=mode + (", some layers in float" if left else ""),
                )
    if chosen is not None:
        axes.scatter(
            [along[chosen]],
            [_up(chosen)],
            s=190,
            facecolor="none",
            edgecolor=_CHOSEN,
            linewidth=2,
            zorder=4,
            label="chosen",
        )
    axes.scatter([100], [100], s=110, marker="*", color=_INK, zorder=3, label="parent")
    _frame(axes, [100.0, *map(_up, made), goal.agreement_ppm / 10_000], goal)
    axes.set_title(
        f"chosen: {described(chosen.recipe)}" if chosen else "no recipe meets the bound", loc="left"
    )


def _frame(axes: Axes, heights: Sequence[float], goal: Goal) -> None:
    what = "size" if goal.objective == "size" else "time of one run"
    axes.set_xlabel(f"{what}, % of the parent's")
    axes.set_ylabel("answers that agree with the parent's, %")
    low, high = min(heights), max(heights)
    space = max(high - low, 0.2) * 0.09
    axes.set_ylim(low - space, high + space)
    axes.annotate(
        f"bound {percent(goal.agreement_ppm)}",
        (1, goal.agreement_ppm / 10_000),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 3),
        textcoords="offset points",
        ha="right",
        color=_INK,
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(x=0.06)
    axes.legend(frameon=False, loc="best")


def _up(trial: Trial) -> float:
    return trial.agreement_ppm / 10_000
