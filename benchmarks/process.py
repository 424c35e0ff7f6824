"""Child processes: how long they took, and what they report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_TREE = Path(__file__).resolve().parent.parent  # from where ``-m benchmarks.probes`` is found


class Failed(Exception):
    """A measured process ended with an error: its figure would be a lie."""


def seconds(command: Sequence[str | os.PathLike[str]], env: Mapping[str, str] | None = None) -> float:
    """Run a command to its end; return the seconds on the clock. Raises Failed."""
    began = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=_environment(env))
    took = time.perf_counter() - began
    if done.returncode:
        shown = " ".join(map(str, command))
        raise Failed(f"{shown} ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return took


def probe(name: str, *arguments: object, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run one of ``benchmarks.probes`` in a process of its own; return the JSON object that it prints."""
    command = [sys.executable, "-m", f"benchmarks.probes.{name}", *map(str, arguments)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, env=_environment(env), cwd=_TREE
    )
    if done.returncode:
        raise Failed(
            f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode(errors='replace')}"
        )
    reported: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return reported


def registry() -> list[str]:
    """The command ``registry`` of the running environment."""
    script = Path(sys.executable).parent / "registry"
    return (
        [str(script)]
        if script.exists()
        else [sys.executable, "-c", "from registry_cli.main import main; main()"]
    )


def beside(name: str) -> str | None:
    """A program of the running environment, or of the machine."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def _environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """Nothing that changes what the registry does, and compiled modules kept, as in any installation."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    ours.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**ours, **(extra or {})}
