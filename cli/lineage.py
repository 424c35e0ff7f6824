"""Lineage: proving that a model is the quantization of its parent, and family trees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json, Ref, Source, registry_of, session

if TYPE_CHECKING:
    from registry.lineage import Proved

_SHOWN = 12  # tensors that are not explained, for people
_UNPROVEN = "unexplained"

Parent = Annotated[
    str, typer.Option("--parent", metavar="PATH|REF", help="The float model it was made from.")
]
Calibration = Annotated[
    Path | None,
    typer.Option(
        "--calibration", metavar="FILE.npz|DIR", help="The data of a static quantization.", readable=False
    ),
]


def register(app: typer.Typer) -> None:
    """Add ``lineage`` with its commands."""
    lineage = typer.Typer(help="Prove which model was made from which.", no_args_is_help=True)
    lineage.command()(prove)
    lineage.command()(verify)
    lineage.command()(show)
    app.add_typer(lineage, name="lineage")


def prove(
    context: typer.Context,
    ref: Source,
    parent: Parent,
    calibration: Calibration = None,
    model: Annotated[
        str | None, typer.Option(metavar="PATH", help="The ONNX file, where the version has several.")
    ] = None,
    json: Json = False,
) -> None:
    """Prove that a quantized model was made from its parent; a version's verdict is signed.

    Exit code 5 where something is unexplained.

    Example: registry lineage prove vision/resnet50:3 --parent vision/resnet50-fp32:1 --calibration calib.npz
    """
    from registry import lineage

    from .output import document

    with registry_of(context, ref, parent) as opened:
        proved = lineage.prove(opened, ref, parent, calibration=calibration, model=model)
    if json:
        document(_told(proved))
    else:
        _print(proved)
    if proved.lineage.verdict == _UNPROVEN:
        raise typer.Exit(5)


def _told(proved: Proved) -> dict[str, Any]:
    full = proved.lineage.to_dict(every=True)
    return {"reference": proved.child, **proved.predicate, **full, "seq": proved.seq}


def _print(proved: Proved) -> None:
    from .output import pairs, table

    found = proved.lineage
    pairs(
        [
            ("model", proved.child),
            ("parent", proved.parent),
            ("verdict", found.verdict),
            *(("because" if not at else "", reason) for at, reason in enumerate(found.reasons)),
            ("recipe", found.recipe),
            ("ledger", None if proved.seq is None else f"entry {proved.seq}"),
        ]
    )
    odd = [one for one in found.tensors if one.verdict in ("non-nearest", "unexplained")]
    if odd:
        typer.echo()
        table(("tensor", "verdict", "reason"), [(one.name, one.verdict, one.reason) for one in odd[:_SHOWN]])
    if found.nodes:
        typer.echo()
        table(
            ("node", "operator", "reason"),
            [(one.name, one.operator, one.reason) for one in found.nodes[:_SHOWN]],
        )


def verify(
    context: typer.Context,
    ref: Ref,
    parent: Annotated[
        str | None,
        typer.Option("--parent", metavar="PATH|REF", help="Where the parent lies, if not in the registry."),
    ] = None,
    calibration: Calibration = None,
    json: Json = False,
) -> None:
    """Make every lineage proof of a version again, from both models.

    Example: registry lineage verify vision/resnet50:3 --calibration calib.npz
    """
    from registry import lineage

    from .output import document, table

    with session(context).open() as opened:
        found = lineage.verify(opened, ref, parent=parent, calibration=calibration)
    if json:
        document({"ok": True, "proofs": [{**vars(one), "ref": str(one.ref)} for one in found]})
        return
    rows = [(one.verdict, one.parent, one.signer, one.seq) for one in found]
    table(("confirmed", "parent", "signer", "entry"), rows, right=("entry",))


def show(
    context: typer.Context,
    ref: Ref,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="OUT.svg", help="Draw the tree into a file, too.")
    ] = None,
    json: Json = False,
) -> None:
    """Draw the family tree of a version: what it was made from, and what was made from it.

    Example: registry lineage show vision/resnet50:3 --svg family.svg
    """
    from registry.family import family

    from . import trees
    from .output import document, say

    with session(context).open() as opened:
        roots = family(opened, ref)
    if svg is not None:
        trees.draw(roots, svg)
    if json:
        document({"trees": [root.to_dict() for root in roots], "svg": svg})
        return
    trees.show(roots)
    if svg is not None:
        say(f"drawn: {svg}")
