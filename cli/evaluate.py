"""Measuring a model against the one that it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json, Source, registry_of

if TYPE_CHECKING:
    from registry.evaluating import Evaluated

_SHOWN = 10  # layers, for people who do not ask for all


def register(app: typer.Typer) -> None:
    """Add ``evaluate``."""
    app.command()(evaluate)


def evaluate(
    context: typer.Context,
    ref: Source,
    against: Annotated[
        str, typer.Option("--against", metavar="PARENT", help="The model it was made from: PATH or REF.")
    ],
    data: Annotated[
        Path,
        typer.Option("--data", metavar="FILE.npz|DIR", help="Samples, by input name.", readable=False),
    ],
    model: Annotated[
        str | None, typer.Option(metavar="PATH", help="The ONNX file, where the version has several.")
    ] = None,
    parent_model: Annotated[
        str | None, typer.Option(metavar="PATH", help="The parent's, where that has several.")
    ] = None,
    layers: Annotated[
        bool | None,
        typer.Option(
            "--layers/--no-layers", help="Print every layer, or measure none; by default the noisiest."
        ),
    ] = None,
    attest: Annotated[
        bool, typer.Option("--attest/--no-attest", help="Sign the numbers, where REF is a version.")
    ] = True,
    json: Json = False,
) -> None:
    """Measure how far a model's answers are from its parent's, output by output and layer by layer.

    Example: registry evaluate vision/resnet50:3 --against vision/resnet50-fp32:1 --data validation.npz
    """
    from registry import evaluating

    from .output import document, progress

    with registry_of(context, ref, against) as opened:
        done = evaluating.evaluate(
            opened,
            ref,
            against,
            data,
            model=model,
            parent_model=parent_model,
            layers=layers is not False,
            sign=attest,
            progress=progress(json),
        )
    if json:
        document(_told(done))
    else:
        _print(done, layers)


def _told(done: Evaluated) -> dict[str, Any]:
    from dataclasses import asdict

    told = done.evaluation.to_dict()
    return {"reference": done.child, **told, "layers": [asdict(one) for one in done.layers], "seq": done.seq}


def _print(done: Evaluated, layers: bool | None) -> None:
    from .output import pairs, table

    found = done.evaluation
    pairs(
        [
            ("model", done.child),
            ("parent", done.parent),
            ("data", f"{found.data.samples} sample(s), sha256:{found.data.digest}"),
            ("agreement", _percent(found.agreement_ppm)),
            ("ledger", None if done.seq is None else f"entry {done.seq}"),
        ]
    )
    typer.echo()
    numbers = ("top-1", "cosine", "SQNR dB", "largest error")
    rows = [
        (one.name, _percent(one.agreement_ppm), _cosine(one.cosine_ppm), _db(one.sqnr_mdb), one.largest_error)
        for one in found.outputs
    ]
    table(("output", *numbers), rows, right=numbers)
    if layers is not False:
        _print_layers(done, every=layers is True)


def _print_layers(done: Evaluated, *, every: bool) -> None:
    from .output import say, table

    if not done.layers:
        say("no layer could be compared: the graphs do not match, or have nothing inside")
        return
    noisy = sorted(done.layers, key=lambda one: one.sqnr_mdb)[: None if every else _SHOWN]
    shown = done.layers if every else noisy
    typer.echo()
    numbers = ("SQNR dB", "largest error")
    rows = [(one.parent, one.operator, _db(one.sqnr_mdb), one.largest_error) for one in shown]
    table(("layer", "operator", *numbers), rows, right=numbers)
    if len(shown) < len(done.layers):
        say(f"the noisiest {len(shown)} of {len(done.layers)} layers; --layers prints them all")


def _percent(ppm: int | None) -> str | None:
    return None if ppm is None else f"{ppm / 10_000:.2f} %"


def _cosine(ppm: int | None) -> str | None:
    return None if ppm is None else f"{ppm / 1_000_000:.6f}"


def _db(millidecibel: int | None) -> str | None:
    if millidecibel is None:
        return None
    return "equal" if millidecibel == 200_000 else f"{millidecibel / 1000:.1f}"
