"""What every command shares: the global options, ``--json``, and how a registry is opened."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from registry.context import Context


@dataclass
class Session:
    """The global options of one call, and whether its command was asked for JSON."""

    home: Path | None = None
    identity: Path | None = None
    debug: bool = False
    json: bool = False

    def home_path(self) -> Path:
        from registry.home import default_home

        return self.home or default_home()

    def passphrase(self) -> bytes | None:
        """``REGISTRY_PASSPHRASE``, or what a person types where the identity needs it."""
        if (given := os.environ.get("REGISTRY_PASSPHRASE")) is not None:
            return given.encode() or None
        return _typed(self.identity or self.home_path() / "identity.pem")

    def passphrase_of(self, file: Path) -> bytes | None:
        """``REGISTRY_PASSPHRASE``, or what a person types for this file."""
        if (given := os.environ.get("REGISTRY_PASSPHRASE")) is not None:
            return given.encode() or None
        return _typed(file)

    def ledger_passphrase(self) -> bytes | None:
        """``REGISTRY_LEDGER_PASSPHRASE``, or what a person types; None where the identity's opens both."""
        if (given := os.environ.get("REGISTRY_LEDGER_PASSPHRASE")) is not None:
            return given.encode() or None
        if self.identity is None or "REGISTRY_PASSPHRASE" in os.environ:
            return None
        return _typed(self.home_path() / "ledger.pem")

    def new_passphrase(self, file: Path) -> bytes | None:
        """``REGISTRY_PASSPHRASE``, or what a person types twice for a new file; nothing for none."""
        if (given := os.environ.get("REGISTRY_PASSPHRASE")) is not None:
            return given.encode() or None
        if not sys.stdin.isatty():
            return None
        asked = f"Passphrase for {file} (empty for none)"
        typed: str = typer.prompt(
            asked,
            default="",
            show_default=False,
            hide_input=True,
            confirmation_prompt="The same again",
            err=True,
        )
        return typed.encode() or None

    def open(self) -> Context:
        """The registry that this call is about. Raises HomeNotFound."""
        from registry.context import Context

        from .output import progress

        return Context(
            self.home_path(),
            identity_file=self.identity,
            passphrase=self.passphrase(),
            ledger_passphrase=self.ledger_passphrase(),
            progress=progress(self.json),
        )


def _typed(file: Path) -> bytes | None:
    """The passphrase of an encrypted file, from a person; None where there is nobody to ask, or no need."""
    try:
        encrypted = b"ENCRYPTED PRIVATE KEY" in file.read_bytes()[: 64 << 10]
    except OSError:
        return None
    if not (encrypted and sys.stdin.isatty()):
        return None
    return typer.prompt(f"Passphrase of {file}", hide_input=True, err=True).encode() or None


def session(context: typer.Context) -> Session:
    """The session of a command's context."""
    found = context.find_object(Session)
    return found if found is not None else Session()


@contextmanager
def registry_of(context: typer.Context, *sources: str | None) -> Iterator[Context | None]:
    """The registry, where one of the models named is in it: files of one's own need none."""
    from registry.opening import is_path

    if all(source is None or is_path(source) for source in sources):
        yield None
        return
    with session(context).open() as opened:
        yield opened


def pairs_of(meta: list[str] | None) -> dict[str, str]:
    """``--meta K=V``, each time it was given. Raises typer's usage error."""
    return dict(map(_pair, meta or []))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--meta")
    return name, value


def _note_json(context: typer.Context, value: bool) -> bool:
    session(context).json = value
    return value


Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document on stdout.", callback=_note_json, is_eager=True),
]
Purpose = Annotated[
    str, typer.Option(metavar="NAME", help="What for; it is recorded, and policies may ask for it.")
]
Source = Annotated[
    str, typer.Argument(metavar="PATH|REF", help="An ONNX file, a directory with one, or a version.")
]
Label = Annotated[str | None, typer.Option(metavar="L", help="An immutable name of this version.")]
Alias = Annotated[
    list[str] | None, typer.Option(metavar="A", help="An alias to move to this version; may be given again.")
]
Meta = Annotated[list[str] | None, typer.Option(metavar="K=V", help="Signed metadata; may be given again.")]
Allow = Annotated[
    list[str] | None,
    typer.Option(metavar="CODE", help="A finding of the scan to accept, on record; may be given again."),
]
Ref = Annotated[
    str, typer.Argument(metavar="REF", help="NAMESPACE/MODEL[:VERSION|:LABEL|:ALIAS][@sha256:DIGEST]")
]
