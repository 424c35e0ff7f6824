"""Publishing a version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Alias, Allow, Json, Label, Meta, pairs_of, session


def register(app: typer.Typer) -> None:
    """Add ``push``."""
    app.command()(push)


def push(
    context: typer.Context,
    path: Annotated[
        Path, typer.Argument(help="An ONNX file, or a directory: all its files.", readable=False)
    ],  # whether it is readable is found, and explained, where it is read
    ref: Annotated[str, typer.Argument(metavar="REF", help="NAMESPACE/MODEL; the first push creates it.")],
    label: Label = None,
    alias: Alias = None,
    meta: Meta = None,
    allow: Allow = None,
    parent: Annotated[
        str | None,
        typer.Option(metavar="PATH|REF", help="The float model it was made from: prove that, and sign it."),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz|DIR", help="The data of a static quantization.", readable=False),
    ] = None,
    canaries: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help="Inputs to keep a few of, with the answers.", readable=False),
    ] = None,
    json: Json = False,
) -> None:
    """Scan, sign, encrypt and publish a model as the next version.

    Example: registry push ./resnet50-int8 vision/resnet50 --label 1.4.0-int8 --meta owner=vision
    """
    from registry.lineage import against
    from registry.onnx.child import prewarm
    from registry.push import push as publish

    from .output import document, pairs, size

    metadata = pairs_of(meta)
    if calibration is not None and parent is None:
        raise typer.BadParameter("it belongs to --parent", param_hint="--calibration")
    with session(context).open() as opened:
        prewarm()  # the process that the scan looks at the model in
        done = publish(
            opened,
            path,
            ref,
            label=label,
            aliases=alias or (),
            metadata=metadata,
            allow=allow or (),
            canaries=canaries,
            proving=None if parent is None else against(opened, parent, calibration),
        )
    if json:
        document(
            {
                "reference": str(done.ref),
                "model": done.ref.model,
                "version": done.ref.version,
                "digest": f"sha256:{done.digest}",
                "seq": done.seq,
                "size": done.size,
                "stored": done.stored,
                "reused": done.reused,
                "allowed": list(done.allowed),
                "lineage": done.lineage,
            }
        )
        return
    files = f"{done.stored} stored" + (f", {done.reused} already there" if done.reused else "")
    pairs(
        [
            ("reference", done.ref),
            ("version", done.ref.version),
            ("digest", f"sha256:{done.digest}"),
            ("files", f"{files}, {size(done.size)}"),
            ("allowed", ", ".join(done.allowed)),
            ("lineage", done.lineage),
            ("ledger", f"entry {done.seq}"),
        ]
    )
