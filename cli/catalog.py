"""Looking at what there is, moving aliases, yanking versions."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from .options import Json, Ref, session


def register(app: typer.Typer) -> None:
    """Add ``list``, ``show``, ``alias`` and ``yank``."""
    app.command("list")(list_models)
    app.command()(show)
    app.command()(alias)
    app.command()(yank)


def list_models(
    context: typer.Context,
    namespace: Annotated[str | None, typer.Argument(metavar="NAMESPACE", help="Only this namespace.")] = None,
    json: Json = False,
) -> None:
    """List the models, with their newest versions and aliases.

    Example: registry list vision
    """
    from registry.catalog import list_models as find

    from .output import document, say, size, table

    with session(context).open() as opened:
        found = find(opened, namespace)
    if json:
        document({"models": found})
        return
    if not found:
        say("No models yet. Next: registry push model.onnx NAMESPACE/MODEL")
        return
    rows = [
        (
            one["model"],
            one["newest"],
            _aliases(one["aliases"]),
            ", ".join(one["quantization"]),
            size(one["size"]),
            _when(one["time"]),
        )
        for one in found
    ]
    table(("model", "newest", "aliases", "quantization", "size", "pushed"), rows, right=("newest", "size"))


def _aliases(named: dict[str, int]) -> str:
    return ", ".join(f"{name}→{number}" for name, number in named.items())


def _when(time: str) -> str:
    return f"{time[:10]} {time[11:16]}"


def show(context: typer.Context, ref: Ref, json: Json = False) -> None:
    """Show a version: files, quantization facts, attestations, metadata, and the model's history.

    Example: registry show vision/resnet50:3
    """
    from registry.catalog import show as find

    from .output import document, pairs, size, table

    with session(context).open() as opened:
        found = find(opened, ref)
    if json:
        document(found)
        return
    pairs(
        [
            ("reference", found["reference"]),
            ("digest", f"sha256:{found['digest']}"),
            ("label", found["label"]),
            ("publisher", found["publisher"]),
            ("pushed", found["time"]),
            ("size", f"{size(found['size'])} in {len(found['files'])} file(s)"),
            ("yanked", found["yanked"]),
            ("lineage", ", ".join(found["lineage"])),
            ("allowed", ", ".join(found["allowed"])),
            *((f"meta {one['name']}", one["value"]) for one in found["version_metadata"]),
        ]
    )
    typer.echo()
    table(
        ("file", "size", "sha256"),
        [(one["path"], size(one["size"]), one["sha256"]) for one in found["files"]],
    )
    _facts(found)
    typer.echo()
    history = [
        (one["number"], one["label"], ", ".join(one["aliases"]), _when(one["time"]), one["yanked"])
        for one in found["history"]
    ]
    table(("version", "label", "aliases", "pushed", "yanked"), history)


def _facts(found: dict[str, Any]) -> None:
    from .output import clean, table

    for facts in found["quantization"]:
        opsets = [one for one in found["opsets"] if one["path"] == facts["path"]]
        named = ", ".join(f"{one['domain'] or 'ai.onnx'} {one['version']}" for one in opsets)
        weights = f"{facts['quantized_weights']} quantized, {facts['float_weights']} float weights"
        kind = f"{facts['mode']}, {facts['format']}"
        typer.echo("\n" + clean(f"{facts['path']}: {kind}; {weights}; operator sets {named}"))
        tensors = [one for one in found["quantized_tensors"] if one["path"] == facts["path"]]
        if tensors:
            kinds = Counter(map(_kind, tensors))
            rows = [(count, *kind) for kind, count in sorted(kinds.items(), reverse=True)]
            table(("tensors", "role", "type", "symmetric", "granularity"), rows, right=("tensors",))


def _kind(one: dict[str, Any]) -> tuple[str, ...]:
    symmetric = {True: "yes", False: "no", None: ""}[one["symmetric"]]
    block = f" of {one['block_size']}" if one["block_size"] else ""
    axis = f" (axis {one['axis']})" if one["axis"] is not None else ""
    return (one["role"], one["type"], symmetric, f"{one['granularity']}{block}{axis}")


def alias(
    context: typer.Context,
    ref: Ref,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The alias, such as prod.")],
    json: Json = False,
) -> None:
    """Point an alias at a version; an alias of that name moves.

    Example: registry alias vision/resnet50:3 prod
    """
    from registry.catalog import alias as point

    from .output import document, pairs

    with session(context).open() as opened:
        exact, seq = point(opened, ref, name)
    if json:
        document({"reference": str(exact), "alias": f"{exact.model}:{name}", "seq": seq})
    else:
        pairs([("alias", f"{exact.model}:{name}"), ("now is", exact), ("ledger", f"entry {seq}")])


def yank(
    context: typer.Context,
    ref: Ref,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why nobody should use it.")],
    json: Json = False,
) -> None:
    """Withdraw a version: it stays recorded, and is released to nobody.

    Example: registry yank vision/resnet50:2 --reason "calibrated on the wrong data"
    """
    from registry.catalog import yank as withdraw

    from .output import document, pairs

    with session(context).open() as opened:
        exact, seq = withdraw(opened, ref, reason)
    if json:
        document({"reference": str(exact), "reason": reason, "seq": seq})
    else:
        pairs([("yanked", exact), ("reason", reason), ("ledger", f"entry {seq}")])
