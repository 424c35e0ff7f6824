"""The ledger, and whether everything is as it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json, session

if TYPE_CHECKING:
    from registry import acts


def register(app: typer.Typer) -> None:
    """Add ``log``, ``fsck`` and ``gc``."""
    app.command()(log)
    app.command()(fsck)
    app.command()(gc)


def log(
    context: typer.Context,
    limit: Annotated[
        int, typer.Option(min=1, max=1_000_000, metavar="N", help="How many entries at most.")
    ] = 20,
    json: Json = False,
) -> None:
    """Show the newest entries of the audit ledger, newest first.

    Example: registry log --limit 50
    """
    from registry.catalog import log as find

    from .output import document, table
    from .times import short

    with session(context).open() as opened:
        found = find(opened, limit)
    if json:
        document({"entries": [{**one, "envelope": one["envelope"].decode()} for one in found]})
        return
    rows = [
        (
            one["seq"],
            one["time"][:16].replace("T", " "),
            "" if one["kind"] == "refusal" else one["actor"],
            one["kind"],
            short(_subject(one)),
        )
        for one in found
    ]
    table(("entry", "time (UTC)", "actor", "act", "on"), rows, right=("entry",))


def _subject(one: dict[str, Any]) -> str:
    """What an entry is about, and in a few words what it says."""
    from registry import acts
    from registry.crypto import dsse
    from registry.errors import Malformed

    place = f"{one['model']}:{one['number']}" if one["number"] else one["model"] or one["target"]
    place = "the registry" if place in (None, "", "/") else place
    try:
        body = acts.decode(dsse.Envelope.from_bytes(one["envelope"]).payload).body
    except Malformed:  # 'registry fsck' finds what is wrong; here are the index's own words
        return str(place)
    return f"{place}{_details(body)}"


def _details(body: acts.Body) -> str:
    from registry import acts

    match body:
        case acts.Alias():
            return f": {body.name}"
        case acts.Grant():
            end = f" until {body.until}" if body.until else ""
            return f": {', '.join(body.actions)} to {body.grantee}{end}"
        case acts.Revoke():
            return f": {', '.join(body.actions)} from {body.grantee}"
        case acts.Enroll():
            return f" as {body.role}"
        case acts.TeamAdd() | acts.TeamRemove():
            return f": {body.name}"
        case acts.Pull():
            return f" for {body.purpose}"
        case acts.Failure():
            return f": step {body.step} failed ({body.code})"
        case acts.Refusal() if body.code:
            return f": {body.attempt or 'an act'} refused: {body.message}"
        case acts.Refusal():
            return f": {body.count} more refused of {body.member or 'unknown callers'}, since {body.since}"
    return ""


def fsck(context: typer.Context, json: Json = False) -> None:
    """Replay the ledger, compare every table with the replay, and read every blob.

    Needs no key. Blobs that no act names are orphans: harmless, and removed by 'registry gc'.

    Example: registry fsck
    """
    from registry.fsck import fsck as check
    from registry.fsck import require_clean

    from .output import document, pairs, table

    with session(context).open() as opened:
        found = check(opened)
    if json:
        document(
            {
                "ok": not found.findings,
                "acts": found.acts,
                "blobs": found.blobs,
                "findings": [
                    {"code": one.code, "on": one.on, "detail": one.detail} for one in found.findings
                ],
                "orphans": found.orphans,
                "under_way": found.under_way,
            }
        )
        if found.findings:
            raise typer.Exit(5)
        return
    if found.findings:
        table(("problem", "on", "detail"), [(one.code, one.on, one.detail) for one in found.findings])
    pairs(
        [
            ("ledger", f"{found.acts} acts replayed"),
            ("blobs", f"{found.blobs} read"),
            (
                "orphans",
                f"{len(found.orphans)} blob(s) no act names; 'registry gc' removes them"
                if found.orphans
                else None,
            ),
            (
                "under way",
                f"{len(found.under_way)} blob(s) of pushes still running" if found.under_way else None,
            ),
            ("problems", len(found.findings) or "none"),
        ]
    )
    require_clean(found)


def gc(context: typer.Context, json: Json = False) -> None:
    """Remove blobs that no act names, but never those of a push still under way.

    Example: registry gc
    """
    from registry.fsck import gc as collect

    from .output import document, pairs, size

    with session(context).open() as opened:
        done = collect(opened)
    if json:
        document({"removed": done.removed, "kept": done.kept, "freed": done.freed})
        return
    pairs(
        [
            ("removed", f"{len(done.removed)} blob(s), {size(done.freed)}"),
            ("kept", f"{len(done.kept)} blob(s) of pushes that may still run" if done.kept else None),
        ]
    )
