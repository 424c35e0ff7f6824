"""The whole ledger replayed, from the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from ..options import Json, session


def register(app: typer.Typer) -> None:
    """Add ``verify``."""
    app.command()(verify)


def verify(
    context: typer.Context,
    start: Annotated[
        int | None,
        typer.Option(
            "--from",
            min=0,
            metavar="SEQ",
            help="Ask for signatures and rights from this entry on only; 0 begins anew.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, max=256, metavar="N", help="Processes; by default one for each processor."),
    ] = None,
    json: Json = False,
) -> None:
    """Replay the whole ledger: every signature, right and hash, and every table against it.

    Names the first thing that is wrong. A run that was interrupted goes on where it was;
    what was verified before is hashed again, and must be the same to the last byte.

    Example: registry audit verify
    """
    import time

    from registry.audit.verify.verifying import verify as replay

    from ..output import document, pairs, say
    from ..times import short

    began = time.monotonic()
    with session(context).open() as opened:
        done = replay(opened, start=start, jobs=jobs)
    seconds = time.monotonic() - began
    if done.resumed:
        say(
            f"went on from entry {done.start}, which a run of {short(done.resumed)} reached;"
            " --from 0 begins anew"
        )
    if json:
        document({"ok": True, **done.to_dict(), "seconds": round(seconds, 3)})
        return
    asked = "every entry" if not done.start else f"of the entries from {done.start} on"
    pairs(
        [
            ("ledger", f"{done.acts} acts, {done.law} of them of the law: it holds"),
            ("signatures", asked),
            ("tables", f"{done.tables}, as the acts say"),
            ("took", f"{seconds:.1f} s, {done.acts / max(seconds, 0.001):,.0f} acts a second"),
        ]
    )
