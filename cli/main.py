"""The command line: the commands put together, the global options, and the one error boundary."""

from __future__ import annotations

import io
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from . import (
    attest,
    audit,
    catalog,
    demonstrate,
    evaluate,
    fetch,
    grants,
    identity,
    inspect,
    lineage,
    members,
    policies,
    publish,
    quantize,
    scan,
    setup,
    tune,
    upkeep,
)
from .options import Session

_HELP = """A model registry with a signed artifact store.

Quantized models are recorded with hashes, signatures and quantization facts,
stored encrypted, and verified before they run.

Exit codes: 0 done; 1 our bug; 2 usage or invalid input; 3 not found;
4 denied; 5 untrusted; 6 conflict; 7 unavailable.
"""

app = typer.Typer(
    name="registry",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_FAMILIES = (
    setup,
    publish,
    fetch,
    catalog,
    inspect,
    scan,
    quantize,
    tune,
    evaluate,
    lineage,
    attest,
    identity,
    members,
    grants,
    policies,
    audit,
    upkeep,
    demonstrate,
)
for family in _FAMILIES:
    family.register(app)

_current = Session()


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"hallmark {version('hallmark-registry')}")
        raise typer.Exit


@app.callback()
def registry(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(envvar="REGISTRY_HOME", metavar="DIR", help="The registry's home directory."),
    ] = None,
    identity: Annotated[
        Path | None,
        typer.Option(envvar="REGISTRY_IDENTITY", metavar="FILE", help="The identity to act with."),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    _current.home, _current.identity, _current.debug = home, identity, debug
    context.obj = _current


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal of few letters is no reason to fail
    try:
        app()
        code = 0
    except SystemExit as stop:
        gone = isinstance(stop.__context__, BrokenPipeError)  # of which Typer makes exit code 1
        code = 0 if gone else stop.code if isinstance(stop.code, int) else 1
    except Exception as error:
        code = _report(error)
    sys.exit(_flushed() or code)


def _flushed() -> int:
    """Write out what stdout still holds, here, where a failure becomes an exit code."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()  # whoever reads a pipe may have seen enough
    except OSError as error:
        return _report(error)
    return 0


def _silence() -> None:
    """Whatever is written to stdout from now on, at the exit of Python too, goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: Exception) -> int:
    from registry.errors import DiskTrouble, RegistryError

    from .output import complaint, document, say

    if _current.debug:
        traceback.print_exception(error)
    if isinstance(error, OSError) and error.filename is None:
        # Errors of files are translated where files are opened: this one is stdout's.
        _silence()
        error = DiskTrouble("the output could not be written", on=error.strerror, hint="free some space")
    if not isinstance(error, RegistryError):
        say(f"error: this is a bug in Hallmark: {type(error).__name__}: {error}")
        say("  next: run it again with --debug before the command, and report what it prints")
        return 1
    if _current.json:
        document({"ok": False, "error": error.to_dict()})
    for line in complaint(error):
        say(line)
    return error.exit_code
