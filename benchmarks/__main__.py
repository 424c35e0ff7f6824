"""``python -m benchmarks [FAMILY]...``: all families write docs/benchmarks.md, a selection only prints."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from types import ModuleType

from benchmarks import (
    access,
    auditing,
    inspecting,
    lineage_speed,
    machine,
    memory,
    process,
    pull,
    push,
    report,
    s3,
    start,
)
from benchmarks.quiet import Quiet
from benchmarks.report import Section
from benchmarks.workplace import Workplace, workplace

_FAMILIES: dict[str, ModuleType] = {
    "push": push,
    "pull": pull,
    "memory": memory,
    "start": start,
    "s3": s3,
    "access": access,
    "inspect": inspecting,
    "lineage": lineage_speed,
    "audit": auditing,
}
_TREE = Path(__file__).resolve().parent.parent
_PAGE = _TREE / "docs" / "benchmarks.md"
_COPIES = 6  # of the big file, that lie on the disk at once, at most


def main() -> None:
    asked = _arguments()
    chosen = [name for name in _FAMILIES if not asked.family or name in asked.family]
    asked.directory = asked.directory.absolute()
    asked.directory.mkdir(exist_ok=True)
    facts, began = machine.describe(asked.directory), time.monotonic()
    sections = []
    with workplace(asked.directory, (_COPIES * asked.size + (16384 if asked.large else 2048)) << 20) as root:
        place = Workplace(root, asked.size, asked.rounds, asked.large, Quiet(asked.patience))
        for name in chosen:
            sections.append(Section(_FAMILIES[name].TITLE, _FAMILIES[name].measure(place)))
            print(report.text(sections[-1]), flush=True)
    print(f"\n{time.monotonic() - began:.0f} seconds in all")
    output = asked.output or (_PAGE if len(chosen) == len(_FAMILIES) else None)
    if output:
        output.write_text(report.document(sections, facts, _command()), encoding="utf-8")
        print(f"written to {output}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("family", nargs="*", metavar="FAMILY", help=", ".join(_FAMILIES))
    parser.add_argument(
        "--size", type=int, default=1024, metavar="MIB", help="the big model (default: %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, metavar="N", help="counted measurements (default: %(default)s)"
    )
    parser.add_argument("--large", action="store_true", help="measure the memory for 4 GiB, too")
    parser.add_argument(
        "--directory", type=Path, default=_TREE / ".cache", help="where to work (default: .cache)"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=0,
        metavar="SECONDS",
        help="on a machine that others use: spend so long on waiting for quiet and on repeating",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the page there")
    asked = parser.parse_args()
    if unknown := set(asked.family) - set(_FAMILIES):
        parser.error(f"no such family: {', '.join(sorted(unknown))}")
    return asked


def _command() -> str:
    return " ".join(["python -m benchmarks", *sys.argv[1:]])


if __name__ == "__main__":
    try:
        main()
    except process.Failed as error:
        sys.exit(f"error: {error}")
