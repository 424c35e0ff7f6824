"""The audit: questions to the ledger, and proofs for those who do not trust the answers."""

from __future__ import annotations

from importlib import import_module

import typer

# In the order in which the help lists them.
_FAMILIES = ("search", "questions", "proofs", "verify", "witness", "report", "watch")


def register(app: typer.Typer) -> None:
    """Add ``audit`` with its commands."""
    audit = typer.Typer(help="Who did what, when, and was it allowed; with proofs.", no_args_is_help=True)
    for family in _FAMILIES:
        try:
            import_module(f".{family}", __name__).register(audit)
        except ModuleNotFoundError:
            continue
    app.add_typer(audit, name="audit")
