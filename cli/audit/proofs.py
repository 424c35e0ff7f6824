"""Proofs for an outsider: of one act, and of a range of the ledger; and checking them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options import Json, session

if TYPE_CHECKING:
    from registry.audit.event import Event
    from registry.crypto.witnessed import Demand

_ID = "The registry's id, from whom you trust, and not from whoever brought the file."


def register(app: typer.Typer) -> None:
    """Add ``prove``, ``check`` and ``export``."""
    app.command()(prove)
    app.command()(check)
    app.command()(export)


def prove(
    context: typer.Context,
    seq: Annotated[int, typer.Argument(metavar="SEQ", min=0, help="Which entry of the ledger.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The proof to write.")],
    json: Json = False,
) -> None:
    """Write a proof of one act that anybody can check with the registry id alone.

    It shows the act as it was signed, its place in the ledger, and every act of the
    law that gave its signer the right: so it names members, teams and models.

    Example: registry audit prove 4711 -o act.proof.json
    """
    from registry import disk
    from registry.audit.proving import prove as proof_of

    from ..output import document, size

    with session(context).open() as opened:
        done = proof_of(opened, seq)
    disk.create(output, done.data, 0o600)
    if json:
        document({"file": str(output), "bytes": len(done.data), **done.checked.to_dict()})
        return
    _show([("proof", f"{output}, {size(len(done.data))}"), *_event(done.checked.event)])


def export(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new directory.")],
    since: Annotated[
        Path | None,
        typer.Option(metavar="CHECKPOINT", help="A checkpoint's file, or an earlier export; else all of it."),
    ] = None,
    json: Json = False,
) -> None:
    """Write what the ledger has gained since a checkpoint, for an outsider to check.

    Every act, exactly as it was signed, and a proof that nothing is left out between
    the two checkpoints. For auditors and admins.

    Example: registry audit export --since january -o february
    """
    from registry.audit.exporting import export as write

    from ..output import document, size

    with session(context).open() as opened:
        done = write(opened, _note(since), output)
    if json:
        document(done.to_dict())
        return
    _show(
        [
            ("export", f"{done.directory}, {size(done.bytes)}"),
            ("acts", _range(done.start, done.end)),
            ("root", done.root),
            ("registry", done.registry_id),
        ]
    )


def check(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="A proof, or an exported directory.")],
    registry_id: Annotated[str, typer.Option("--registry-id", metavar="ID", help=_ID)],
    since: Annotated[
        Path | None,
        typer.Option(metavar="CHECKPOINT", help="A checkpoint, or export, of yours: DIR must go on from it."),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(metavar="VKEY", help="A witness that must have seen it; may be given again."),
    ] = None,
    quorum: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="How many of the witnesses; without it, all.")
    ] = None,
    witnesses: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The witnesses, in a file (C2SP tlog-policy)."),
    ] = None,
    json: Json = False,
) -> None:
    """Check a proof or an export: with no registry, no database and no network.

    Example: registry audit check act.proof.json --registry-id 5f0c...
    """
    known, demand = _pinned(registry_id), _demand(witness or [], quorum, witnesses)
    if path.is_dir():
        _check_range(path, known, demand, _note(since), json)
    else:
        if since is not None:
            raise typer.BadParameter("a proof of one act begins nowhere", param_hint="--since")
        _check_proof(path, known, demand, json)


def _check_proof(path: Path, registry_id: str, demand: Demand | None, json: bool) -> None:
    from registry import disk
    from registry.audit.checking import check_proof
    from registry.audit.document import MAX_PROOF

    from ..output import document

    found = check_proof(disk.read(path, MAX_PROOF), registry_id, demand)
    if json:
        document({"ok": True, **found.to_dict()})
        return
    _show(
        [
            ("proven", str(path)),
            *_event(found.event),
            ("by right of", found.right),
            ("in time", found.in_time),
            ("entry", f"{found.event.seq} of {found.size}"),
            ("root", found.root),
            ("law", f"{found.law} acts, from the genesis act on"),
            ("seen by", ", ".join(found.witnesses)),
        ]
    )


def _check_range(path: Path, registry_id: str, demand: Demand | None, held: str | None, json: bool) -> None:
    from registry.audit.ranges import check_range

    from ..output import document, progress
    from ..times import short

    found = check_range(path, registry_id, demand, held=held, progress=progress(json))
    if json:
        document({"ok": True, **found.to_dict()})
        return
    _show(
        [
            ("proven", str(path)),
            ("acts", _range(found.start, found.end)),
            ("from", f"{short(found.first)} to {short(found.last)} UTC" if found.first else None),
            ("law", f"{found.law} acts, from the genesis act on"),
            ("root", found.root),
            ("goes on from", found.since),
            ("seen by", ", ".join(found.witnesses)),
        ]
    )


def _event(event: Event) -> list[tuple[str, Any]]:
    from ..times import short

    place = f"{event.on}:{event.version}" if event.version else event.on
    said = event.action if event.outcome == "allowed" else f"{event.action} ({event.outcome}: {event.code})"
    return [
        ("who", event.actor or "somebody unknown"),
        ("did", said),
        ("on", "the registry" if place == "/" else place),
        ("detail", event.detail),
        ("when", f"{short(event.time)} UTC"),
        ("from", ", ".join(part for part in (event.host, event.program) if part)),
        ("act", event.digest),
    ]


def _range(start: int, end: int) -> str:
    return f"{end - start}: entries {start} to {end - 1}" if end > start else f"none: nothing new at {end}"


def _show(rows: list[tuple[str, Any]]) -> None:
    from ..output import pairs

    pairs(rows)


def _note(path: Path | None) -> str | None:
    """A checkpoint: in a file, or in an exported directory."""
    from registry import disk
    from registry.crypto.checkpoint import MAX_NOTE
    from registry.errors import Malformed

    if path is None:
        return None
    file = path / "checkpoint" if path.is_dir() else path
    try:
        return disk.read(file, MAX_NOTE).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("the file is not a checkpoint", on=str(file)) from error


def _demand(vkeys: list[str], quorum: int | None, file: Path | None) -> Demand | None:
    """Which witnesses must have seen it: those named, or those of a policy. None: nobody."""
    import time

    from registry import disk
    from registry.crypto.quorum import LIMIT, Policy
    from registry.crypto.witnessed import Demand

    if quorum is not None and not vkeys:
        raise typer.BadParameter("a quorum is of witnesses: name them with --witness", param_hint="--quorum")
    if vkeys and file is not None:
        raise typer.BadParameter("name witnesses here or in a file, not both", param_hint="--witnesses")
    if file is not None:
        return Demand(Policy.parse(disk.read(file, LIMIT)), int(time.time()))
    return Demand(Policy.of(quorum or len(vkeys), vkeys), int(time.time())) if vkeys else None


def _pinned(text: str) -> str:
    import re

    found = re.fullmatch(r"(?:sha256:)?([0-9a-f]{64})", text.strip())
    if found is None:
        raise typer.BadParameter("a registry id is 64 hexadecimal digits", param_hint="--registry-id")
    return found[1]
