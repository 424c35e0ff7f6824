"""The hostile corpus: each case is made by a function named for its flaw, and has the code that refuses it.

``python tests/hostile/corpus.py DIRECTORY`` (with tests/ on the path) writes every case below a directory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

MODEL = "model.onnx"
FAMILIES = (
    "wires",
    "names",
    "carriers",
    "operators",
    "functions",
    "loops",
    "external",
    "storage",
    "scales",
    "packings",
    "explosions",
)

Files = Mapping[str, bytes]  # a version's files by path; MODEL among them
Build = Callable[[], Files]


@dataclass(frozen=True)
class Case:
    """One hostile version: its flaw's name, the code of the finding, how bad that is here, how it is made."""

    name: str
    code: str
    severity: str
    build: Build
    parent: Build | None = None


_cases: dict[str, Case] = {}


def case(
    code: str, severity: str = "", *, name: str = "", parent: Build | None = None
) -> Callable[[Build], Build]:
    """Enter what the function makes into the corpus. ``severity``: the rule's own where it is not given."""

    def enter(build: Build) -> Build:
        called = name or build.__name__.strip("_").replace("_", "-")
        assert called not in _cases, f"two cases are called {called}"
        _cases[called] = Case(called, code, severity, build, parent)
        return build

    return enter


def cases() -> Mapping[str, Case]:
    """Every case by its name."""
    for family in FAMILIES:
        import_module(f"hostile.{family}")
    return _cases


def write(directory: Path) -> None:
    """Write each case's files below ``directory``."""
    for one in cases().values():
        for path, data in one.build().items():
            place = directory / one.name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)


if __name__ == "__main__":
    from hostile import corpus  # not this module, which is __main__: the families enter their cases there

    corpus.write(Path(sys.argv[1]))
