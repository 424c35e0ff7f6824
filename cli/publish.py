"""Publishing a version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, session


def register(app: typer.Typer) -> None:
    """Add ``push``."""
    app.command()(push)


def push(
    context: typer.Context,
    path: Annotated[
        Path, typer.Argument(help="An ONNX file, or a directory: all its files.", readable=False)
    ],  # whether it is readable is found, and explained, where it is read
    ref: Annotated[str, typer.Argument(metavar="REF", help="NAMESPACE/MODEL; the first push creates it.")],
    label: Annotated[str | None, typer.Option(metavar="L", help="An immutable name of this version.")] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(metavar="A", help="An alias to move to this version; may be given again."),
    ] = None,
    meta: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="Signed metadata; may be given again.")
    ] = None,
    json: Json = False,
) -> None:
    """Sign, encrypt and publish a model as the next version.

    Example: registry push ./resnet50-int8 vision/resnet50 --label 1.4.0-int8 --meta owner=vision
    """
    from registry.push import push as publish

    from .output import document, pairs, size

    metadata = dict(map(_pair, meta or []))
    with session(context).open() as opened:
        done = publish(opened, path, ref, label=label, aliases=alias or (), metadata=metadata)
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
            ("ledger", f"entry {done.seq}"),
        ]
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--meta")
    return name, value
