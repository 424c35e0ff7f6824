"""Inspect and scan, together, beside onnx.load and onnx.checker of the same file."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import process
from benchmarks.measure import Entry, Limit, absolute, in_turns, ratio
from benchmarks.workplace import Workplace

TITLE = "Inspect and scan"
_LARGE = 2048  # MiB
_TIMES = Limit(3.0)
_MODELS = (
    ("inline", 1, "fp32, 1 MiB in one file"),
    ("inline", 50, "fp32, 50 MiB in one file"),
    ("int8", 50, "int8, 50 MiB of external data"),
    ("inline", 250, "fp32, 250 MiB in one file"),
    ("int8", 250, "int8, 250 MiB of external data"),
    ("fp32", _LARGE, "fp32, 2 GiB of external data"),
)
_BESIDE = "onnx.load and onnx.checker"
_SCRIPT = "import onnx, sys; onnx.load(sys.argv[1]); onnx.checker.check_model(sys.argv[1])"


def measure(place: Workplace) -> list[Entry]:
    """Time in process, time of the whole commands, and memory; the file is in the page cache."""
    rows: list[Entry] = []
    for kind, mib, title in _MODELS:
        rows += _compared(place, place.model(kind, mib), mib, title)
    return rows


def _compared(place: Workplace, model: Path, mib: int, title: str) -> list[Entry]:
    peaks: dict[str, list[dict[str, Any]]] = {"ours": [], "plain": []}
    rounds = place.rounds if mib < _LARGE else min(place.rounds, 3)
    found = in_turns(
        rounds,
        {
            "plain": partial(_probe, "plain", model, peaks["plain"]),
            "ours": partial(_probe, "ours", model, peaks["ours"]),
            "script": partial(process.seconds, [sys.executable, "-c", _SCRIPT, str(model)]),
            "commands": partial(_commands, model),
        },
        place.quiet,
    )
    return [
        ratio(f"in process, {title}", _BESIDE, found["ours"], found["plain"], _TIMES),
        ratio(
            f"`registry inspect` and `registry scan`, {title}",
            f"a script with {_BESIDE}",
            found["commands"],
            found["script"],
            _TIMES,
        ),
        _memory(peaks, mib, title),
    ]


def _memory(peaks: dict[str, list[dict[str, Any]]], mib: int, title: str) -> Entry:
    """What is held at the worst moment, above the idle process, by it and by one that loads the model."""
    ours = [_mib(one["peak"] - one["idle"] + one["children"]) for one in peaks["ours"]]
    theirs = [_mib(one["peak"] - one["idle"]) for one in peaks["plain"]]
    limit = Limit(3.0 * mib) if mib >= 50 else None
    return absolute(f"memory, {title}", _BESIDE, ours, theirs, limit, unit="MiB")


def _probe(verb: str, model: Path, peaks: list[dict[str, Any]]) -> float:
    found = process.probe("looking", verb, model)
    peaks.append(found)
    took: float = found["seconds"]
    return took


def _commands(model: Path) -> float:
    return sum(
        process.seconds([*process.registry(), verb, str(model), "--json"]) for verb in ("inspect", "scan")
    )


def _mib(count: int) -> float:
    return count / (1 << 20)
