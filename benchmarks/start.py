"""From the command to its first output, whole processes."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from benchmarks import probes, process
from benchmarks.measure import Entry, Limit, absolute, in_turns, ratio
from benchmarks.workplace import Home, Workplace

TITLE = "Start"
_PLAIN = Path(probes.__path__[0]) / "plain.py"
_LIBRARIES = "import sqlalchemy, typer"
_ALL = "import sqlalchemy, typer, cryptography, onnxruntime"


def measure(place: Workplace) -> list[Entry]:
    """``run`` beside a script that loads the same plaintext; ``--help`` and ``list`` beside bare imports."""
    home = place.home()
    small = _run(place, home, place.model("inline", 1), "1 MiB")
    large = _run(place, home, place.model("fp32", 256), "256 MiB")
    return [*small, *large, *_commands(place, home)]


def _run(place: Workplace, home: Home, model: Path, size: str) -> list[Entry]:
    ref = home.push(model)
    found = in_turns(
        2 * place.rounds,
        {
            "plain": partial(process.seconds, [sys.executable, str(_PLAIN), str(model)]),
            "run": partial(process.seconds, [*home.command, "run", ref, "--input", "random"]),
        },
        place.quiet,
    )
    return [
        ratio(
            f"registry run, {size}",
            "plain script with ONNX Runtime",
            found["run"],
            found["plain"],
            Limit(1.5),
        )
    ]


def _commands(place: Workplace, home: Home) -> list[Entry]:
    found = in_turns(
        2 * place.rounds,
        {
            "pass": partial(_python, "pass"),
            "libraries": partial(_python, _LIBRARIES),
            "all": partial(_python, _ALL),
            "runtime": partial(_python, "import onnxruntime"),
            "help": partial(process.seconds, [*home.command, "--help"]),
            "list": partial(process.seconds, [*home.command, "list"]),
        },
        place.quiet,
    )
    return [
        ratio("importing all libraries that run needs", "import onnxruntime", found["all"], found["runtime"]),
        absolute("registry --help", "python -c pass", found["help"], found["pass"], Limit(0.25)),
        absolute("registry list", f"python -c '{_LIBRARIES}'", found["list"], found["libraries"], Limit(0.6)),
    ]


def _python(code: str) -> float:
    return process.seconds([sys.executable, "-c", code])
