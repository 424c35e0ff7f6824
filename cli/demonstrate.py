"""The demonstration."""

from __future__ import annotations

import typer

from .options import Json


def register(app: typer.Typer) -> None:
    """Add ``demo``."""
    app.command()(demo)


def demo(json: Json = False) -> None:
    """Show the whole job in a throw-away home: quantize, push, pull, verify, run, tamper, refuse.

    Exits with 1 if any step does not do what it says.

    Example: registry demo
    """
    from .demo.story import tell

    tell(as_json=json)
