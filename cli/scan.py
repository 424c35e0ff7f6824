"""What is hostile or damaged in a model's files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json, Source, registry_of

if TYPE_CHECKING:
    from registry.onnx.findings import Finding
    from registry.scanning import Report


def register(app: typer.Typer) -> None:
    """Add ``scan``."""
    app.command()(scan)


def scan(
    context: typer.Context,
    source: Source,
    parent: Annotated[
        str | None,
        typer.Option(
            "--parent",
            metavar="PATH|REF",
            help="The model that this one was made from: control flow that it does not have is refused.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Look for what is hostile or damaged: exit code 5 where something is that a push would refuse.

    Example: registry scan ./downloaded-model
    """
    from registry.onnx.child import prewarm
    from registry.onnx.findings import at_least
    from registry.screening import scan as look

    from .output import document

    prewarm()
    with registry_of(context, source, parent) as opened:
        report = look(opened, source, parent=parent)
    ok = not any(map(at_least, report.findings))
    if json:
        document({"ok": ok, "findings": [_told(one) for one in report.findings]})
    else:
        _show(source, report, ok)
    if not ok:
        raise typer.Exit(5)


def _told(finding: Finding) -> dict[str, Any]:
    from registry.scanning import rules

    rule = rules()[finding.code]
    return {**finding.to_dict(), "title": rule.title, "why": rule.why}


def _show(source: str, report: Report, ok: bool) -> None:
    from registry.scanning import may_allow, rules, serious

    from .output import clean, pairs, table

    if report.findings:
        rows = [(one.severity, one.code, _place(one), one.message) for one in report.findings]
        table(("severity", "code", "on", "what"), rows)
        typer.echo()
        codes = dict.fromkeys(one.code for one in report.findings)
        pairs([(code, f"{rules()[code].title}. {rules()[code].why}") for code in codes])
        typer.echo()
    if ok:
        typer.echo(clean(f"{source}: nothing that a push refuses"))
        return
    critical = {one.code for one in report.findings if not may_allow(one)}
    typer.echo(clean(f"{source}: a push refuses {', '.join(serious(report))}"))
    if not critical:
        typer.echo(f"what you know and accept: {' '.join(f'--allow {code}' for code in serious(report))}")


def _place(finding: Finding) -> str:
    return f"{finding.path}: {finding.on}" if finding.on else finding.path
