"""``python -m benchmarks.lineage_detection [--trials N]``: tampering that lineage verdicts tell from honesty.

Each trial tampers with one honest child of this project's quantizer, of a parent and recipe drawn at random,
and judges the result twice: from the two files alone, and with the calibration data and the recipe that the
file claims. With all classes it writes docs/lineage-detection.md, the honest children's table included.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice, product
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnxruntime

from benchmarks import lineage_children
from support.lineage import judging, qura, recipes, tampering
from support.lineage.parents import PARENTS
from support.lineage.recipes import RecipeChild
from support.lineage.surgery import NotApplicable

Trials: TypeAlias = Iterator[tuple[RecipeChild, bytes]]  # the honest child, and what was made of it
REPLAYED, DERIVED = judging.HELD
ROUNDING = "rounding directions towards a target, {bits} bit"
_PAGE = Path(__file__).resolve().parent.parent / "docs" / "lineage-detection.md"
_GROUPS = ("weights", "structure", "activations")
_MISSES = 4000  # draws in vain, at most: not every file has what a class tampers with
_SEED = 4


@dataclass
class Class:
    """Verdicts on one class of tampering; ``alone`` from the files, ``again`` with calibration data."""

    name: str
    group: str
    alone: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def add(self, honest: RecipeChild, changed: bytes) -> None:
        self.alone.append(judging.judge(changed, honest.parent).verdict)
        self.again.append(judging.replay(changed, honest.parent, honest.recipe).verdict)
        if self.again[-1] in judging.HELD or self.alone[-1] in judging.HELD:
            self.missed.append(f"{honest.name}: {self.alone[-1]}, {self.again[-1]}")

    @staticmethod
    def share(verdicts: Sequence[str], words: Sequence[str]) -> float:
        """Of the trials, those whose verdict is none of ``words``."""
        return sum(verdict not in words for verdict in verdicts) / max(len(verdicts), 1)


@cache
def pool(half: str | None = None) -> tuple[RecipeChild, ...]:
    """Honest children that can be quantized again in milliseconds: of small parents, of both halves."""
    made: list[RecipeChild] = []
    for parent in PARENTS:
        if parent.tiny and half in (None, parent.half):
            found = recipes.children(parent, recipes.short_recipes())
            made += [each for each in found if isinstance(each, RecipeChild)]
    return tuple(made)


def run(trials: int, wanted: Sequence[str] = ()) -> list[Class]:
    """Every class, or those whose name has one of ``wanted`` in it."""
    found = []
    for group, name, make in _classes():
        if wanted and not any(word in name for word in wanted):
            continue
        found.append(Class(name, group))
        began = time.monotonic()
        for honest, changed in islice(make(), trials):
            found[-1].add(honest, changed)
        seconds = time.monotonic() - began
        print(f"{name}: {len(found[-1].alone)} in {seconds:.0f} s", file=sys.stderr, flush=True)
    return found


def _classes() -> Iterator[tuple[str, str, Callable[[], Trials]]]:
    """Group and name of each class, and what makes its trials."""
    groups = {
        "weights": tampering.WEIGHTS,
        "structure": tampering.STRUCTURE,
        "activations": tampering.ACTIVATIONS,
    }
    for group, members in groups.items():
        for name, tamper in members.items():
            yield group, name, partial(drawn, name, partial(_from_bytes, tamper))
    for name, knowing in tampering.WITH_PARENT.items():
        yield "weights", name, partial(drawn, name, knowing)
    for bits in qura.RECIPES:
        yield "weights", ROUNDING.format(bits=bits), partial(_rounded, bits)


def _from_bytes(tamper: tampering.Tamper, honest: RecipeChild, rng: np.random.Generator) -> bytes:
    return tamper(honest.model, rng)


def drawn(name: str, tamper: Callable[[RecipeChild, np.random.Generator], bytes]) -> Trials:
    """Trials of one class: a child and dice drawn for each, the same ones in every run."""
    rng = np.random.default_rng([_SEED, *name.encode()])
    misses = 0
    while misses < _MISSES:
        honest, dice = pool()[int(rng.integers(len(pool())))], np.random.default_rng(rng.integers(1 << 32))
        try:
            changed = tamper(honest, dice)
        except NotApplicable:
            misses += 1
            continue
        yield honest, changed


def _rounded(bits: int) -> Trials:
    for attack in attacks(bits):
        yield qura.honest(bits), qura.attacked(attack)


def attacks(bits: int) -> Iterator[qura.Attack]:
    """Every target and corner, with one seed after the other."""
    for seed, corner, target in product(range(10), range(4), range(10)):
        yield qura.Attack(bits, target, corner, seed)


def table(found: Sequence[Class]) -> str:
    """One line for each class; shares of the trials."""
    heading = ("group", "tampering", "trials", "files alone: below derived", "with calibration: not replayed")
    rows = [heading, ("---", "---", *("---:",) * (len(heading) - 2))]
    for each in sorted(found, key=lambda one: _GROUPS.index(one.group)):
        alone, again = Class.share(each.alone, judging.HELD), Class.share(each.again, (REPLAYED,))
        rows.append((each.group, each.name, str(len(each.alone)), _percent(alone), _percent(again)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _percent(share: float) -> str:
    """Rounded down: 100 % means all of them."""
    return f"{math.floor(100 * share)} %"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lineage_detection", description=__doc__)
    parser.add_argument(
        "classes", nargs="*", metavar="CLASS", help="part of a name; default: all, and the page"
    )
    parser.add_argument(
        "--trials", type=int, default=100, metavar="N", help="of each class (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, default=_PAGE, metavar="FILE", help="default: %(default)s")
    parser.add_argument(
        "--honest",
        type=Path,
        nargs="*",
        metavar="FILE",
        help="tallies that lineage_children saved: not run again",
    )
    asked = parser.parse_args()
    onnxruntime.set_default_logger_severity(4)
    found = run(asked.trials, asked.classes)
    print(table(found))
    for each in found:
        print("\n".join([f"\n{each.name}: held", *each.missed[:10]]) if each.missed else "", end="")
    if not asked.classes:
        from benchmarks import lineage_page

        tally = lineage_children.Tally() if asked.honest else lineage_children.run(PARENTS)
        for saved in asked.honest or ():
            tally.take(saved.read_text(encoding="utf-8"))
        page = lineage_page.page(found, tally, asked.trials)
        asked.output.write_text(page, encoding="utf-8")
        print(f"\nwritten to {asked.output}")


if __name__ == "__main__":
    main()
