"""The command line as tests call it: a process of its own, or in this process where speed matters."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

PYTHON = (sys.executable, "-W", "error", "-c")
MAIN = "from registry_cli.main import main; main()"
ENTRY = (*PYTHON, MAIN)
_COLOURING = {"FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
_UNUSUAL = {*_COLOURING, "PYTHONUNBUFFERED"}  # people's output is buffered
LIMIT = 120  # seconds


@dataclass(frozen=True)
class Result:
    """How a call ended: its exit code and what came on either stream."""

    code: int
    out: str
    err: str

    def document(self) -> Any:
        """The one JSON document that stdout holds. Fails where it holds anything else."""
        document = json.loads(self.out)
        assert self.out.endswith("}\n")
        return document

    def next(self) -> str:
        """The next step that the error names."""
        hints = [line for line in self.err.splitlines() if line.startswith("  next: ")]
        assert len(hints) == 1, self.err
        return hints[0].removeprefix("  next: ")

    def done(self) -> Result:
        """This result, of a call that must have succeeded."""
        assert self.code == 0, self.err or self.out
        return self


def environment(**extra: str) -> dict[str, str]:
    """The caller's environment without a registry in it, as people have it, 80 columns wide."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("REGISTRY_") and name not in _UNUSUAL
    }
    return {**kept, "COLUMNS": "80", **extra}


def spawn(
    *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None, first: str = ""
) -> Result:
    """``registry ARGUMENTS`` in a process of its own, which runs the Python text ``first`` before."""
    ended = subprocess.run(
        [*PYTHON, f"{first}\n{MAIN}", *map(_text, arguments)],
        cwd=cwd,
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    out, err = (stream.decode("utf-8", "surrogateescape") for stream in (ended.stdout, ended.stderr))
    return Result(ended.returncode, out, err)


def call(*arguments: object, env: Mapping[str, str] | None = None) -> Result:
    """``registry ARGUMENTS`` in this process: the same entry, errors and exit codes."""
    from registry_cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment(**(env or {})), clear=True),
        mock.patch.object(sys, "argv", ["registry", *map(_text, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
    return Result(code, out.getvalue(), err.getvalue())


def _text(argument: object) -> str:
    return os.fsdecode(argument) if isinstance(argument, str | bytes | os.PathLike) else str(argument)


def snapshot(directory: Path) -> dict[str, bytes | None]:
    """Every path below the directory, with a file's bytes: equal snapshots, equal directories."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
    }
