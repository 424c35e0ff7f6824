"""The audit report: one page to read, to print, and to send on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options import Json, session

if TYPE_CHECKING:
    from registry.audit.report.facts import Facts, Finding


def register(app: typer.Typer) -> None:
    """Add ``report``."""
    app.command()(report)


def report(
    context: typer.Context,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="From which day on: a date, or a span such as 30d or 12w.")
    ] = "30d",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the page here, not to stdout."),
    ] = None,
    stale_days: Annotated[
        int, typer.Option(min=1, max=36_500, metavar="N", help="Rights count as unused after so many days.")
    ] = 90,
    json: Json = False,
) -> None:
    """Write the audit report: one HTML page that needs nothing else, to read, print and send on.

    What needs attention comes first; then activity, refusals, who holds what, rights that nobody uses,
    versions without lineage or evaluation, and the ledger itself. For admins and auditors.

    Example: registry audit report --since 30d -o report.html
    """
    from registry import disk
    from registry.audit.report import findings, gather, page

    from ..output import document, pairs
    from .answers import past

    with session(context).open() as opened:
        now = opened.now()
        facts = gather(opened, past(since, now) or now, now, stale_days)
    found = findings.findings(facts)
    if output is not None:
        disk.replace(output, page.render(facts).encode(), 0o600)
    if json:
        document(_document(facts, found, output))
    elif output is None:
        typer.echo(page.render(facts), nl=False)
    else:
        pairs([("written", output), *((one.level, one.title) for one in found)])


def _document(facts: Facts, found: list[Finding], output: Path | None) -> dict[str, Any]:
    """The same in numbers, for a program."""
    from dataclasses import asdict

    told = asdict(facts)
    return {
        **told,
        "made": facts.made.isoformat(),
        "period": {"first": facts.period.first.isoformat(), "last": facts.period.last.isoformat()},
        "findings": [asdict(one) for one in found],
        "written": str(output) if output else None,
    }
