"""Push of one big file into a directory store, beside ``cp``, a durable ``cp``, and two other tools."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import process
from benchmarks.measure import Entry, Limit, Skipped, in_turns, ratio
from benchmarks.rivals import Rival, find_rival
from benchmarks.workplace import DATA, Home, Workplace, forget

TITLE = "Push"
_CP, _DURABLE, _PUSH, _DEED, _HASH, _RIVAL = "cp", "cp, then sync -f", "push", "deed", "hash", "rival"


def measure(place: Workplace) -> list[Entry]:
    """Compare the whole process and the deed in process."""
    model, home = place.model("fp32", place.size), place.home()
    data = model.parent / DATA
    rival = find_rival(place.root)
    warm = partial(place.settle, data)
    contenders = {
        _CP: partial(copy, place, data, warm),
        _DURABLE: partial(copy, place, data, warm, durable=True),
        _PUSH: partial(_push, home, model, warm),
        _DEED: partial(_deed, home, model, warm),
        _HASH: partial(_hash, data, warm),
    }
    if isinstance(rival, Rival):
        contenders[_RIVAL] = partial(_rival, rival, place, model, data, warm)
    found = in_turns(place.rounds, contenders, place.quiet)
    size = f"{place.size} MiB"
    rows: list[Entry] = [
        ratio(f"registry push, {size}", _CP, found[_PUSH], found[_CP], Limit(1.5)),
        ratio(f"registry push, {size}", _DURABLE, found[_PUSH], found[_DURABLE]),
        ratio(f"push in process, {size}", _CP, found[_DEED], found[_CP], Limit(1.5)),
        ratio(f"push in process, {size}", _DURABLE, found[_DEED], found[_DURABLE]),
        ratio(f"SHA-256 alone, {size}", _CP, found[_HASH], found[_CP]),
    ]
    if isinstance(rival, Rival):
        rows.insert(2, ratio(f"registry push, {size}", rival.title, found[_PUSH], found[_RIVAL], Limit(0.5)))
    else:
        rows.insert(2, Skipped("registry push beside model_signing and age", rival))
    return rows + _cold(place, home, model, data)


def _cold(place: Workplace, home: Home, model: Path, data: Path) -> list[Entry]:
    def cold() -> None:
        place.settle(data)
        forget(data)

    contenders = {
        _DURABLE: partial(copy, place, data, cold, durable=True),
        _PUSH: partial(_push, home, model, cold),
    }
    found = in_turns(place.rounds, contenders, place.quiet)
    what = f"registry push, {place.size} MiB, file not in the page cache"
    return [ratio(what, _DURABLE, found[_PUSH], found[_DURABLE])]


def copy(place: Workplace, data: Path, before: Callable[[], None], *, durable: bool = False) -> float:
    """Seconds of ``cp`` to the same disk, with ``durable`` until the file system has been synced."""
    before()
    target = place.fresh(".copy")
    try:
        took = process.seconds(["cp", data, target])
        return took + process.seconds(["sync", "-f", target]) if durable else took
    finally:
        target.unlink(missing_ok=True)


def _push(home: Home, model: Path, before: Callable[[], None]) -> float:
    before()
    took = process.seconds([*home.command, "push", str(model), home.name()])
    home.forget_blobs()
    return took


def _deed(home: Home, model: Path, before: Callable[[], None]) -> float:
    before()
    took: float = process.probe("deed", home.path, "push", model, home.name())["seconds"]
    home.forget_blobs()
    return took


def _hash(data: Path, before: Callable[[], None]) -> float:
    before()
    took: float = process.probe("digest", data)["seconds"]
    return took


def _rival(rival: Rival, place: Workplace, model: Path, data: Path, before: Callable[[], None]) -> float:
    before()
    made = place.fresh(".sig"), place.fresh(".age")
    try:
        took = sum(process.seconds(command) for command in rival.commands(model.parent, data, *made))
    finally:
        for path in made:
            path.unlink(missing_ok=True)
    subprocess.run(["sync", "-f", place.root], check=True)
    return took
