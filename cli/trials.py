"""Trials of a tuning as rows, and a table of them that lives while the search goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from registry.onnx.tune.search import Standing
    from registry.onnx.tune.trial import Trial

HEADINGS: Final = ("recipe", "agreement", "SQNR dB", "size", "time / parent's")
_NEWEST = 14  # trials that the live table shows
_REASON = 60  # characters of why a recipe failed


def row(trial: Trial) -> tuple[str, ...]:
    """One cell for each of ``HEADINGS``."""
    from registry.onnx.tune.choice import percent
    from registry.onnx.tune.space import described

    from .output import size

    if trial.failed is not None:
        return described(trial.recipe), "failed", "", "", trial.failed[:_REASON]
    return (
        described(trial.recipe),
        percent(trial.agreement_ppm),
        f"{trial.sqnr_mdb / 1000:.1f}",
        size(trial.size),
        f"{trial.latency_ppm / 1_000_000:.2f}",
    )


@contextmanager
def live(as_json: bool) -> Iterator[tuple[Callable[[Standing], None], Callable[[str], None]]]:
    """What to tell where the search stands, and what to tell remarks: both reach a person on stderr.

    Where nobody is watching, only the remarks do.
    """
    from .output import clean, say

    if as_json or not sys.stderr.isatty():
        yield (lambda _: None), say
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(stderr=True), transient=True, refresh_per_second=4) as shown:
        yield (
            lambda standing: shown.update(_drawn(standing)),
            lambda text: shown.console.print(Text(clean(text))),
        )


def _drawn(standing: Standing) -> Any:
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from registry.onnx.tune.space import described

    from .output import clean

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == HEADINGS[0] else "right")
    for trial in standing.trials[-_NEWEST:]:
        cells = (Text(clean(cell)) for cell in row(trial))
        table.add_row(*cells, style="bold" if trial == standing.best else "")
    now = f"{len(standing.trials)} tried, of {standing.planned} at least"
    if standing.trying is not None:
        now += f"; now {described(standing.trying)}"
    return Group(table, Text(now))
