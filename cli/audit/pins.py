"""What a home demands of witnesses, and the checkpoints and cosignatures that go between."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Json, session

if TYPE_CHECKING:
    from registry.witnesses import Report, Standing


def register(app: typer.Typer) -> None:
    """Add ``witnesses``, ``cosignatures`` and ``checkpoint``."""
    app.command()(witnesses)
    app.command()(cosignatures)
    app.command()(checkpoint)


def witnesses(
    context: typer.Context,
    vkeys: Annotated[
        list[str] | None, typer.Argument(metavar="VKEY", help="The witnesses, with --require.")
    ] = None,
    require: Annotated[
        int | None,
        typer.Option(min=1, max=64, metavar="K", help="Demand the cosignatures of K of these witnesses."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Demand what this C2SP tlog-policy file says: groups of witnesses too."
        ),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Demand no witness any more.")] = False,
    json: Json = False,
) -> None:
    """Show, or set, whose cosignatures this home demands before it trusts a version.

    With a demand, pull, run and verify refuse a version that not enough witnesses have
    seen: so nobody, not even who runs the registry, can show you a history of your own.

    Example: registry audit witnesses --require 2 VKEY1 VKEY2 VKEY3
    """
    from registry import witnesses as deeds
    from registry.crypto import quorum
    from registry.crypto.quorum import Policy

    from ..output import document

    given = sum((require is not None, policy is not None, none))
    if given > 1 or bool(vkeys) != (require is not None):
        raise typer.BadParameter("give --require K VKEY..., or --policy FILE, or --none, or nothing")
    with session(context).open() as opened:
        if require is not None:
            deeds.require(opened, require, vkeys or [])
        elif policy is not None:
            from registry import disk

            deeds.demand(opened, Policy.parse(disk.read(policy, quorum.LIMIT)))
        elif none:
            deeds.demand(opened, Policy.parse(b"quorum none\n"))
        found = deeds.report(opened)
    if json:
        document(found.to_dict())
        return
    _tell(found)


def _tell(found: Report) -> None:
    from ..output import pairs, table

    if found.policy is None:
        pairs([("demanded", "no witness"), ("ledger", f"{found.size} acts")])
        return
    table(
        ("name", "witness", "has seen", "when (UTC)"),
        [(one.name, one.key.name, *_last(one)) for one in found.standings],
        right=("has seen",),
    )
    met = f"{found.witnessed} of {found.size} acts"
    pairs([("witnessed", met), ("quorum", found.policy.quorum), ("trouble", found.trouble)])


def _last(one: Standing) -> tuple[str, str]:
    if not one.size:
        return "nothing", ""
    return str(one.size), datetime.fromtimestamp(one.time, UTC).strftime("%Y-%m-%d %H:%M") if one.time else ""


def cosignatures(
    context: typer.Context,
    add: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep the cosignatures on this checkpoint, from witnesses outside."
        ),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(metavar="VKEY", help="With --add: a witness that this home does not demand."),
    ] = None,
    json: Json = False,
) -> None:
    """List who has cosigned the ledger; or keep cosignatures that came back from witnesses outside.

    --add takes a cosigned checkpoint, or a submission (registry audit checkpoint --old)
    with the witness's answer under it.

    Example: registry audit cosignatures --add cosigned
    """
    from registry import witnesses as deeds
    from registry.witnessing import text_of

    from ..output import document, table

    with session(context).open() as opened:
        if add is not None:
            rows = [(row.name, row.key, row.size) for row in deeds.add(opened, text_of(add), witness or ())]
        else:
            rows = deeds.listed(opened)
    if json:
        document({"cosignatures": [dict(zip(("witness", "key", "size"), row, strict=True)) for row in rows]})
        return
    table(("witness", "key", "acts"), rows, right=("acts",))


def checkpoint(
    context: typer.Context,
    old: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="As a submission to a witness that is at N acts (C2SP tlog-witness)."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where it goes, else to stdout.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the ledger's newest checkpoint with the cosignatures on it (C2SP signed note).

    Example: registry audit checkpoint --old 1200 -o submission
    """
    import sys

    from registry import disk
    from registry import witnesses as deeds

    from ..output import document, pairs

    with session(context).open() as opened:
        text = deeds.checkpoint(opened) if old is None else deeds.submission(opened, old)
    if output is not None:
        disk.replace(output, text.encode(), 0o644)
    if json:
        document({"checkpoint": text, "file": output})
    elif output is None:
        sys.stdout.write(text)
    else:
        pairs([("written to", output)])
