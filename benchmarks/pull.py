"""Pull of one big file from a directory store, beside ``cp`` and a durable ``cp`` of the same plaintext."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from benchmarks import process
from benchmarks.measure import Entry, Limit, in_turns, ratio
from benchmarks.push import copy
from benchmarks.workplace import DATA, Home, Workplace

TITLE = "Pull"
_CP, _DURABLE, _PULL, _DEED = "cp", "cp, then sync -f", "pull", "deed"


def measure(place: Workplace) -> list[Entry]:
    """Compare the whole process and the deed in process."""
    model, home = place.model("fp32", place.size), place.home()
    data, ref = model.parent / DATA, home.push(model)
    blob = max((home.path / "blobs").rglob("*"), key=lambda path: path.stat().st_size)
    contenders = {
        _CP: partial(copy, place, data, partial(place.settle, data)),
        _DURABLE: partial(copy, place, data, partial(place.settle, data), durable=True),
        _PULL: partial(_pull, place, home, ref, blob),
        _DEED: partial(_deed, place, home, ref, blob),
    }
    found = in_turns(place.rounds, contenders, place.quiet)
    home.forget_blobs()
    size = f"{place.size} MiB"
    return [
        ratio(f"registry pull, {size}", _CP, found[_PULL], found[_CP], Limit(1.5)),
        ratio(f"registry pull, {size}", _DURABLE, found[_PULL], found[_DURABLE]),
        ratio(f"pull in process, {size}", _CP, found[_DEED], found[_CP], Limit(1.5)),
        ratio(f"pull in process, {size}", _DURABLE, found[_DEED], found[_DURABLE]),
    ]


def _pull(place: Workplace, home: Home, ref: str, blob: Path) -> float:
    place.settle(blob)
    target = place.fresh("-pulled")
    took = process.seconds([*home.command, "pull", ref, "-o", str(target)])
    shutil.rmtree(target)
    return took


def _deed(place: Workplace, home: Home, ref: str, blob: Path) -> float:
    place.settle(blob)
    target = place.fresh("-pulled")
    took: float = process.probe("deed", home.path, "pull", ref, target)["seconds"]
    shutil.rmtree(target)
    return took
