"""The audit: questions to the ledger, and proofs for those who do not trust the answers."""

from __future__ import annotations

import typer

from . import proofs, questions, report, search, verify, watch, witness

_FAMILIES = (search, questions, proofs, verify, witness, report, watch)  # in the order of the help


def register(app: typer.Typer) -> None:
    """Add ``audit`` with its commands."""
    audit = typer.Typer(help="Who did what, when, and was it allowed; with proofs.", no_args_is_help=True)
    for family in _FAMILIES:
        family.register(audit)
    app.add_typer(audit, name="audit")
