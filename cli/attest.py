"""Further signed statements about a version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Json, Ref, session


def register(app: typer.Typer) -> None:
    """Add ``attest`` and ``attestations``."""
    app.command()(attest)
    app.command()(attestations)


def attest(
    context: typer.Context,
    ref: Ref,
    kind: Annotated[str, typer.Option("--type", metavar="TYPE", help="The predicate's type, a URI.")],
    predicate: Annotated[
        Path,
        typer.Option(
            "--predicate", metavar="FILE.json", help="A JSON object: what is stated.", readable=False
        ),
    ],
    json: Json = False,
) -> None:
    """Sign a statement about a version (in-toto Statement v1); policies count them.

    Example: registry attest vision/resnet50:3 --type https://example.com/review/v1 --predicate review.json
    """
    from registry.attesting import attest as sign

    from .output import document, pairs

    with session(context).open() as opened:
        exact, seq = sign(opened, ref, kind, predicate)
    if json:
        document({"reference": str(exact), "type": kind, "seq": seq})
    else:
        pairs([("attested", exact), ("type", kind), ("ledger", f"entry {seq}")])


def attestations(context: typer.Context, ref: Ref, json: Json = False) -> None:
    """List the attestations of a version, each verified; with --json what they state as well.

    Example: registry attestations vision/resnet50:3
    """
    from registry.attesting import attestations as find

    from .output import document, pairs, table
    from .times import short

    with session(context).open() as opened:
        exact, found = find(opened, ref)
    if json:
        document({"reference": str(exact), "attestations": found})
        return
    pairs([("reference", exact), ("verified", f"{len(found)} attestation(s)")])
    typer.echo()
    rows = [
        (
            one["type"],
            _signer(one),
            one["seq"],
            short(one["time"])[:16],
        )
        for one in found
    ]
    table(("type", "signer", "entry", "time (UTC)"), rows, right=("entry",))


def _signer(one: dict[str, Any]) -> str:
    """By name, with the teams that policies count them in."""
    teams = f" of {', '.join(one['teams'])}" if one["teams"] else ""
    return f"{one['signer']}{teams}" if one["active"] else f"{one['signer']} (disabled)"
