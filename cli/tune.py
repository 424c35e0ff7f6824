"""Finding the best recipe for a model, and publishing what it makes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Alias, Json, Label, Source, session

if TYPE_CHECKING:
    from registry.tuning import Found, Tuned

_SPAN = re.compile(r"([0-9]{1,6})([smh]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}  # seconds


def register(app: typer.Typer) -> None:
    """Add ``tune``."""
    app.command()(tune)


def tune(
    context: typer.Context,
    source: Source,
    to: Annotated[str, typer.Option("--to", metavar="REF", help="NAMESPACE/MODEL to publish to.")],
    validation: Annotated[
        Path,
        typer.Option(
            metavar="FILE.npz|DIR", help="Samples that the answers are compared on.", readable=False
        ),
    ],
    min_agreement: Annotated[
        float, typer.Option(metavar="SHARE", help="Of answers that must be the parent's.")
    ] = 0.99,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npz|DIR",
            help="Other samples, for static recipes; without, there are none.",
            readable=False,
        ),
    ] = None,
    objective: Annotated[str, typer.Option(metavar="size|latency", help="What shall be small.")] = "size",
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="After it no trial begins: 90s, 10m, 2h.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="OUT.png|.svg", help="Draw what was tried into this file.", readable=False),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Go on from what was tried before (default), or not.")
    ] = True,
    proof: Annotated[
        bool, typer.Option("--proof/--no-proof", help="Prove the lineage, and sign that too.")
    ] = True,
    model: Annotated[
        str | None, typer.Option(metavar="PATH", help="The ONNX file, where the source has several.")
    ] = None,
    label: Label = None,
    alias: Alias = None,
    json: Json = False,
) -> None:
    """Search the smallest or fastest quantized model that still answers like its parent, and publish it.

    Tries some thirty recipes, then leaves the noisiest layers of promising ones in
    float. Exit code 2 where none agrees enough; nothing is published then.

    Example: registry tune resnet50.onnx --validation val.npz --calibration calib.npz --to vision/resnet50
    """
    from registry import quantizing, tuning

    from .output import document
    from .trials import live

    form = _form(plot)
    wish = tuning.wish_of(min_agreement, objective, _seconds(budget), not resume)
    with session(context).open() as opened:
        quantizing.check_target(opened, to)
        with live(json) as (watch, say):
            found = tuning.search(
                opened,
                source,
                validation,
                wish,
                calibration=calibration,
                model=model,
                watch=watch,
                say=say,
            )
        if not json:
            _print(found)
        if plot is not None:
            _draw(found, plot, form)
        done = tuning.publish(
            opened, found, to, calibration=calibration, label=label, aliases=alias or (), proof=proof
        )
    if json:
        document(_told(found, done, plot))
    else:
        _print_published(done, plot)


def _form(plot: Path | None) -> str:
    form = "png" if plot is None else plot.suffix[1:].lower()
    if form not in ("png", "svg"):
        raise typer.BadParameter("the name ends in .png or .svg", param_hint="--plot")
    if plot is not None and not plot.absolute().parent.is_dir():  # said before minutes of work
        raise typer.BadParameter("there is no such directory", param_hint="--plot")
    return form


def _seconds(budget: str | None) -> float | None:
    if budget is None:
        return None
    found = _SPAN.fullmatch(budget)
    if found is None:
        raise typer.BadParameter(f"{budget!r} is no time; write 90s, 10m or 2h", param_hint="--budget")
    return float(int(found[1]) * _UNITS[found[2]])


def _draw(found: Found, plot: Path, form: str) -> None:
    from registry import disk
    from registry.onnx.tune.picture import draw

    from .output import say

    if all(trial.failed for trial in found.trials):
        say("there is nothing to draw: no recipe made a model")
        return
    disk.replace(plot.absolute(), draw(found.trials, found.goal, found.parent_size, form), 0o644)


def _print(found: Found) -> None:
    from registry.onnx.tune.space import described

    from .output import pairs, say, table
    from .trials import HEADINGS, row

    table(HEADINGS, map(row, found.trials), right=HEADINGS[1:])
    typer.echo()
    best = described(found.best.recipe) if found.best else None
    pairs(
        [
            ("chosen", best),
            *(("because" if not at else "", reason) for at, reason in enumerate(found.reasons)),
            ("tried before", found.remembered or None),
        ]
    )
    if not found.complete:
        say("time ran out before everything was tried; the same command again goes on from here")


def _print_published(done: Tuned, plot: Path | None) -> None:
    from .output import pairs

    pushed = done.quantized.pushed
    pairs(
        [
            ("reference", pushed.ref),
            ("digest", f"sha256:{pushed.digest}"),
            ("made from", done.quantized.parent),
            ("evaluation", f"entry {done.seq}"),
            ("ledger", f"entry {pushed.seq}"),
            ("plot", plot),
        ]
    )


def _told(found: Found, done: Tuned, plot: Path | None) -> dict[str, Any]:
    pushed, best = done.quantized.pushed, found.best
    return {
        "reference": str(pushed.ref),
        "version": pushed.ref.version,
        "digest": f"sha256:{pushed.digest}",
        "seq": pushed.seq,
        "parent": found.source,
        "chosen": best.to_dict() if best else None,
        "because": list(found.reasons),
        "evaluation": {"seq": done.seq, **done.evaluation.to_dict()},
        "trials": [trial.to_dict() for trial in found.trials],
        "remembered": found.remembered,
        "complete": found.complete,
        "plot": plot,
    }
