"""What a model's graph says about its quantization."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json, Source, registry_of

if TYPE_CHECKING:
    from registry.onnx.profile.values import Profile, TensorProfile

_LARGE = 256  # elements: of a few numbers, many are always at the ends
_NAMED = 5  # of each kind that the summary names


def register(app: typer.Typer) -> None:
    """Add ``inspect``."""
    app.command()(inspect)


def inspect(
    context: typer.Context,
    source: Source,
    layers: Annotated[
        bool, typer.Option("--layers", help="List every weight, activation and layer.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="OUT.png|.svg", help="Draw each weight's levels into this file.", readable=False
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="PATH", help="The ONNX file, where there are several."),
    ] = None,
    json: Json = False,
) -> None:
    """Say what a model's graph says of its quantization, whatever the file claims about itself.

    Example: registry inspect resnet50-int8.onnx --layers --plot levels.png
    """
    from registry.inspecting import inspect as look

    from .output import document, pairs

    with registry_of(context, source) as opened:
        found = look(opened, source, model=model, plot=plot)
    if json:
        document({**found.to_dict(), "plot": plot})
        return
    pairs([*_summary(found), ("plot", plot)])
    if layers:
        _tables(found)


def _summary(found: Profile) -> Iterator[tuple[str, object]]:
    from .output import size

    facts = found.facts
    yield "model", found.source
    yield "digest", f"sha256:{found.digest}"
    yield "file", found.path
    yield "producer", found.producer
    yield "mode", facts.mode
    yield "format", facts.format
    yield "opsets", ", ".join(f"{domain} {version}" for domain, version in facts.opsets)
    yield "operators", ", ".join(f"{name} x{count}" for name, count in facts.operators)
    yield "weights", f"{facts.quantized_weights} quantized, {facts.float_weights} float"
    yield "types", _types(found)
    yield "at the ends", _extreme(found)
    whole = f"{size(found.size.bytes)}; in float32 {size(found.size.float32)}"
    yield "size", f"{whole} ({found.size.ratio:.2f} times as much)"
    yield "integer", _integer(found)
    yield "float", _floats(found)
    yield "claims", _claims(found)


def _types(found: Profile) -> str:
    """The kinds of quantized weights, with how many there are of each."""
    kinds = Counter(f"{one.facts.type} {_grain(one)}" for one in found.weights)
    return ", ".join(f"{name} x{count}" for name, count in kinds.most_common())


def _grain(one: TensorProfile) -> str:
    symmetry = "symmetric" if one.facts.symmetric else "asymmetric"
    if one.facts.block_size:
        return f"{symmetry} blocks of {one.facts.block_size}"
    return f"{symmetry} {one.facts.granularity}"


def _extreme(found: Profile) -> str:
    large = [one for one in found.weights if prod(one.facts.shape or ()) >= _LARGE] or found.weights
    levels = [(one.levels.saturation, one.facts.name) for one in large if one.levels is not None]
    if not levels:
        return ""
    share, name = max(levels)
    return f"at most {share:.2%} of a weight's values ({_line(name)})"


def _integer(found: Profile) -> str:
    """How many layers compute on integers, and what keeps the others from it."""
    if not found.layers:
        return ""
    whole = sum(layer.integer for layer in found.layers)
    kept = Counter(f"{layer.operator}: {layer.why}" for layer in found.layers if not layer.integer)
    lines = [f"{whole} of {len(found.layers)} layers compute on integers"]
    lines += [f"{count} x {why}" for why, count in kept.most_common(_NAMED)]
    return "\n".join([*lines, *_more(len(kept))])


def _floats(found: Profile) -> str:
    """The float weights that cost most, and what all of them cost."""
    from .output import size

    if not found.floats:
        return ""
    share = found.size.floats / (found.size.bytes or 1)
    lines = [f"{len(found.floats)} weights stayed float: {size(found.size.floats)}, {share:.1%} of the model"]
    matter = [one for one in found.floats if one.kind not in ("bias", "parameter")]
    lines += [
        f"{_line(one.name)} ({_short(one.operator)}, {size(one.bytes)}, {one.share:.1%}): {one.why}"
        for one in matter[:_NAMED]
    ]
    return "\n".join([*lines, *_more(len(matter))])


def _claims(found: Profile) -> str:
    """What the file says of itself that its graph does not bear out."""
    wrong = found.disagreements
    lines = [f"{len(found.claims) - len(wrong)} hold, {len(wrong)} do not" if found.claims else "none"]
    for one in wrong[:_NAMED]:
        lines.append(f"{_line(one.key)}: {_line(one.claim)}, but the graph says: {_line(one.graph)}")
    return "\n".join([*lines, *_more(len(wrong))])


def _more(count: int) -> list[str]:
    return [f"and {count - _NAMED} more; --json lists all"] if count > _NAMED else []


def _tables(found: Profile) -> None:
    from .output import size, table

    weights = [one for one in found.tensors if one.facts.role != "activation"]
    if weights:
        typer.echo()
        rows = [_weight(one) for one in weights]
        heads = ("weight", "operator", "type", "granularity", "scale", "at ends", "levels")
        table(heads, rows, right=("at ends", "levels"))
    others = [_activation(one) for one in found.tensors if one.facts.role == "activation"]
    if others:
        typer.echo()
        table(("activation", "operator", "type", "scale", "zero point"), others)
    if found.layers:
        typer.echo()
        layers = [(_line(one.name), _short(one.operator), one.mode, _runs(one.why)) for one in found.layers]
        table(("layer", "operator", "mode", "computes on"), layers)
    if found.floats:
        typer.echo()
        floats = [
            (_line(one.name), _short(one.operator), size(one.bytes), f"{one.share:.1%}", one.kind)
            for one in found.floats
        ]
        table(("float weight", "operator", "bytes", "share", "kind"), floats, right=("bytes", "share"))


def _weight(one: TensorProfile) -> tuple[object, ...]:
    levels = one.levels  # none where the file stores floats that are rounded at run time
    used = f"{levels.used}/{levels.possible}" if levels is not None and levels.used is not None else ""
    return (
        _line(one.facts.name),
        _short((one.operators or (one.facts.operator,))[0]),
        one.facts.type,
        _grain(one),
        _range(one),
        "" if levels is None else f"{levels.saturation:.2%}",
        used,
    )


def _activation(one: TensorProfile) -> tuple[object, ...]:
    zero = "computed" if one.zero_point is None else _span(one.zero_point.minimum, one.zero_point.maximum)
    return _line(one.facts.name), _short(one.facts.operator), one.facts.type, _range(one), zero


def _range(one: TensorProfile) -> str:
    if one.scale is None:
        return "computed" if one.facts.role == "activation" else ""
    return _span(one.scale.minimum, one.scale.maximum)


def _span(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "none finite"
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"


def _runs(why: str) -> str:
    return f"float: {why}" if why else "integers"


def _short(operator: str) -> str:
    """Without the domain: a table has little room."""
    return operator.rpartition(".")[2]


def _line(text: str) -> str:
    """Without line breaks and runs of spaces: no part of a name must pass for a line of ours."""
    return " ".join(text.split())
