"""How the answers' times grow with the ledger, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.audit.grounds import POSTGRES, SQLITE
from benchmarks.audit.measuring import LIMIT, Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Those that differ in how they are found; all others are drawn without a name.
_NAMED = {
    "search --actor": "#3264a8",
    "search --text": "#b4531f",
    "search several filters": "#6b4fa0",
    "search --group-by model, any filter": "#1f7a5a",
    "stale-grants": "#a8324a",
    "blast-radius": "#8a6d00",
}
_SETTINGS: Any = {
    "svg.hashsalt": "audit",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_OTHERS, _INK, _SIGN = "#c3c8cf", "#22262b", "#5c646e"


def draw(measured: Sequence[Measured], file: Path) -> None:
    """Write the picture as SVG, and as PNG beside it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_SETTINGS):
        figure = Figure(figsize=(11, 5.2), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, database in ((left, SQLITE), (right, POSTGRES)):
            _panel(axes, [one for one in measured if one.ground.database == database], database)
        left.set_ylabel("95 of 100 answers within (ms)")
        handles, names = right.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)
        figure.savefig(file, metadata={"Date": None})
        figure.savefig(file.with_suffix(".png"), dpi=130)


def _panel(axes: Axes, measured: Sequence[Measured], database: str) -> None:
    axes.set_title(database, loc="left", color=_INK, fontweight="bold")
    axes.set_xscale("log")
    axes.set_yscale("log")
    sizes = [one.ground.acts for one in measured]
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_yticks([1, 3, 10, 30, 100, 300], ["1", "3", "10", "30", "100", "300"])
    axes.set_xlabel("acts in the ledger")
    axes.axhline(LIMIT, color=_SIGN, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(sizes[0], 1.06 * LIMIT, f"target {LIMIT:.0f} ms", color=_SIGN)
    names = dict.fromkeys(name for one in measured for name in one.questions)
    others = [name for name in names if name not in _NAMED]
    for name in [*others, *_NAMED]:
        values = [one.questions[name].tail for one in measured if name in one.questions]
        if len(values) == len(sizes):
            width, label = (2.0, name) if name in _NAMED else (0.8, "")
            label = f"the {len(others)} others" if name in others[:1] else label
            style: dict[str, Any] = {
                "linewidth": width,
                "markersize": 2 * width,
                "color": _NAMED.get(name, _OTHERS),
            }
            axes.plot(sizes, values, label=label or None, marker="o", **style)
    axes.grid(axis="y", color="#eceef1", linewidth=0.6)
