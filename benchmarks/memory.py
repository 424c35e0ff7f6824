"""Peak memory: push and pull above the idle process, checkout above a plain ONNX Runtime session."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from benchmarks import process
from benchmarks.measure import Entry, Limit, absolute, in_turns, ratio
from benchmarks.workplace import Home, Workplace

TITLE = "Memory"
_ROUNDS = 3  # peaks hardly vary
_MODEL = 256  # MiB
_LARGE = 4096  # MiB
_BOUND = Limit(200.0)  # MiB


def measure(place: Workplace) -> list[Entry]:
    """Peaks of whole processes that have imported everything beforehand."""
    home = place.home()
    rows: list[Entry] = []
    for size in dict.fromkeys((64, place.size, *([_LARGE] if place.large else []))):
        rows += _moving(place, home, size)
    return rows + _checkout(place, home, "fp32") + _checkout(place, home, "int8")


def _moving(place: Workplace, home: Home, size: int) -> list[Entry]:
    model = place.model("fp32", size)
    found = in_turns(
        _ROUNDS, {"push": partial(_push, home, model), "pull": partial(_pull, place, home, model)}
    )
    if size == _LARGE:
        shutil.rmtree(model.parent)
    whole = [float(size)] * _ROUNDS
    return [
        absolute(
            f"{verb}, {size} MiB, above the idle process",
            "the file's size",
            found[verb],
            whole,
            _BOUND,
            unit="MiB",
        )
        for verb in ("push", "pull")
    ]


def _push(home: Home, model: Path) -> float:
    took = process.probe("deed", home.path, "push", model, home.name())
    home.forget_blobs()
    return _mib(took["peak"] - took["idle"])


def _pull(place: Workplace, home: Home, model: Path) -> float:
    target, ref = place.fresh("-pulled"), home.push(model)
    took = process.probe("deed", home.path, "pull", ref, target)
    shutil.rmtree(target)
    home.forget_blobs()
    return _mib(took["peak"] - took["idle"])


def _checkout(place: Workplace, home: Home, kind: str) -> list[Entry]:
    model = place.model(kind, _MODEL)
    ref = home.push(model)
    found = in_turns(
        _ROUNDS,
        {
            "plain": lambda: _mib(process.probe("plain", "session", model)["peak"]),
            "ours": lambda: _mib(process.probe("deed", home.path, "session", ref)["peak"]),
        },
    )
    home.forget_blobs()
    more = [one - other for one, other in zip(found["ours"], found["plain"], strict=True)]
    size = [float(_MODEL)] * _ROUNDS
    return [
        ratio(
            f"checkout and session, {kind}",
            "session from the path",
            found["ours"],
            found["plain"],
            unit="MiB",
        ),
        ratio(f"the difference, {kind}", "the model's size", more, size, Limit(1.3), unit="MiB"),
    ]


def _mib(count: int) -> float:
    return count / (1 << 20)
