"""Quantizing a float model into the registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Alias, Allow, Json, Label, Meta, Source, pairs_of, session

if TYPE_CHECKING:
    from registry.quantizing import Quantized

# As people type them, and as a recipe says them.
_FORMATS = {"qdq": "QDQ", "qoperator": "QOperator"}
_METHODS = {
    "minmax": "MinMax",
    "entropy": "Entropy",
    "percentile": "Percentile",
    "distribution": "Distribution",
}
_MODES = ("static", "dynamic", "weight-only")


def register(app: typer.Typer) -> None:
    """Add ``quantize``."""
    app.command()(quantize)


def quantize(
    context: typer.Context,
    source: Source,
    to: Annotated[str, typer.Option("--to", metavar="REF", help="NAMESPACE/MODEL to publish to.")],
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Options together, which others override: cnn, transformer, edge, small or accurate.",
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="static, dynamic or weight-only. Left away: weight-only for 4 bits, static with "
            "--calibration, else dynamic.",
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npz|DIR",
            help="Samples by input name, for static: arrays of the input's shape, or with one axis more.",
            readable=False,
        ),
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="qdq (default) or qoperator.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(metavar="METHOD", help="minmax (default), entropy, percentile or distribution."),
    ] = None,
    bits: Annotated[int | None, typer.Option(metavar="4|8", help="Of a weight.")] = None,
    kind: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Of weights: int8, uint8, int4, uint4, nf4 or fp4."),
    ] = None,
    activations: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="Of activations, static: uint8, int8, uint16 or int16."),
    ] = None,
    per_channel: Annotated[
        bool | None,
        typer.Option("--per-channel/--per-tensor", help="A scale for each channel (default), or one."),
    ] = None,
    symmetric: Annotated[
        bool | None,
        typer.Option("--symmetric/--asymmetric", help="Weights with zero in the middle (default), or not."),
    ] = None,
    symmetric_activations: Annotated[
        bool | None, typer.Option("--symmetric-activations", help="Signed, with zero in the middle.")
    ] = None,
    reduce_range: Annotated[
        bool | None, typer.Option("--reduce-range", help="7-bit weights, for x86 without VNNI.")
    ] = None,
    block_size: Annotated[
        int | None, typer.Option(metavar="N", help="Weights to one scale, weight-only: 16 to 256.")
    ] = None,
    bins: Annotated[
        int | None, typer.Option(metavar="N", help="Of histograms; entropy takes the square of them.")
    ] = None,
    percentile: Annotated[
        float | None, typer.Option(metavar="P", help="Of activations that are kept; 99.999.")
    ] = None,
    optimize: Annotated[
        bool | None, typer.Option("--optimize", help="Fold batch norms and constants first.")
    ] = None,
    embeddings: Annotated[
        bool | None, typer.Option("--embeddings", help="Embedding tables too, weight-only of 4 bits.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NODE", help="A node to leave in float, by name or by an output; may be given again."
        ),
    ] = None,
    keep_parent: Annotated[
        bool, typer.Option("--keep-parent", help="Publish the float model too, as REF-fp32.")
    ] = False,
    allow: Allow = None,
    proof: Annotated[
        bool, typer.Option("--proof/--no-proof", help="Prove the lineage, and sign that too.")
    ] = True,
    label: Label = None,
    alias: Alias = None,
    meta: Meta = None,
    model: Annotated[
        str | None, typer.Option(metavar="PATH", help="The ONNX file, where the source has several.")
    ] = None,
    json: Json = False,
) -> None:
    """Quantize a float model by a recipe, and publish the result with the recipe signed.

    Example: registry quantize ./resnet50.onnx --to vision/resnet50-int8 --calibration samples.npz
    """
    from registry.onnx.quantize.presets import choose
    from registry.quantizing import quantize as make

    recipe = choose(
        preset,
        calibrated=calibration is not None,
        bits=bits,
        mode=_among(mode, {name: name for name in _MODES}, "--mode"),
        format=_among(form, _FORMATS, "--format"),
        calibration=_among(method, _METHODS, "--method"),
        weight_type=None if kind is None else kind.upper(),
        activation_type=None if activations is None else activations.upper(),
        per_channel=per_channel,
        symmetric_weights=symmetric,
        symmetric_activations=symmetric_activations,
        reduce_range=reduce_range,
        block_size=block_size,
        bins=bins,
        percentile=None if percentile is None else round(percentile * 1000),
        optimize=optimize,
        embeddings=embeddings,
        exclude=tuple(exclude) if exclude else None,
    )
    with session(context).open() as opened:
        done = make(
            opened,
            source,
            to,
            recipe,
            calibration=calibration,
            keep_parent=keep_parent,
            model=model,
            label=label,
            aliases=alias or (),
            metadata=pairs_of(meta),
            allow=allow or (),
            proof=proof,
        )
    _show(done, json)


def _among(value: str | None, names: dict[str, str], option: str) -> str | None:
    if value is None:
        return None
    if value.lower() not in names:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(names)}", param_hint=option)
    return names[value.lower()]


def _show(done: Quantized, json: bool) -> None:
    from .output import document, pairs, size

    if json:
        document(_told(done))
        return
    recipe = done.recipe
    how = [recipe.mode, recipe.format, recipe.weight_type, recipe.calibration]
    where = "per channel" if recipe.per_channel else f"blocks of {recipe.block_size}"
    how.append(where if recipe.per_channel or recipe.block_size else "per tensor")
    pairs(
        [
            ("reference", done.pushed.ref),
            ("digest", f"sha256:{done.pushed.digest}"),
            ("file", done.path),
            ("recipe", ", ".join(filter(None, how))),
            ("parent", done.parent),
            ("samples", done.samples),
            ("size", f"{size(done.size)} of {size(done.before)}, {done.size / max(done.before, 1):.0%}"),
            ("lineage", done.pushed.lineage),
            ("ledger", f"entry {done.pushed.seq}"),
        ]
    )


def _told(done: Quantized) -> dict[str, Any]:
    return {
        "reference": str(done.pushed.ref),
        "model": done.pushed.ref.model,
        "version": done.pushed.ref.version,
        "digest": f"sha256:{done.pushed.digest}",
        "seq": done.pushed.seq,
        "path": done.path,
        "recipe": done.recipe.to_dict(),
        "parent": done.parent,
        "origin": str(done.origin) if done.origin else None,
        "samples": done.samples,
        "size": done.size,
        "parent_size": done.before,
        "lineage": done.pushed.lineage,
    }
