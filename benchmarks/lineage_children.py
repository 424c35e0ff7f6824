"""``python -m benchmarks.lineage_children [--half HALF] [PARENT]...``: what verdicts honest children get.

Every parent of tests/support/lineage, every producer (plain ONNX Runtime calls of today and of two older
releases; this project's own quantizer) and every mode. The project's own children are judged from the files
alone, and with their recipes and calibration data: those must be "replayed", all others at least "derived".
Small children of plain ONNX Runtime calls are judged once more with the data, their recipe not told.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_TREE = Path(__file__).resolve().parent.parent
sys.path.append(str(_TREE / "tests"))

from support.lineage import children, judging, older, recipes  # noqa: E402
from support.lineage.modes import short_modes  # noqa: E402
from support.lineage.parents import DEVELOPMENT, PARENTS, TEST, Parent  # noqa: E402

REPLAYED, DERIVED = judging.HELD
_VERDICTS = ("replayed", "derived", "non-nearest", "unexplained")


@dataclass
class Tally:
    """Verdicts by (half, parent, producer), the reasons of whatever is below what it should be, and what the
    quantizers refused."""

    counts: dict[tuple[str, str, str], Counter[str]] = field(default_factory=dict)
    below: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, parent: Parent, producer: str, name: str, verdict: str, reasons: Iterable[str]) -> None:
        key = (parent.half, parent.name, producer)
        self.counts.setdefault(key, Counter())[verdict] += 1
        wanted = {REPLAYED} if producer == recipes.PRODUCER else set(judging.HELD)
        if verdict not in wanted:
            self.below[name] = (verdict, *reasons)

    def saved(self) -> str:
        """As JSON, so that halves can be run on their own and put together."""
        counts = [[*key, dict(counter)] for key, counter in self.counts.items()]
        return json.dumps({"counts": counts, "below": self.below, "refused": self.refused}, indent=1)

    def take(self, saved: str) -> None:
        """Add what was saved of another run."""
        read = json.loads(saved)
        for half, parent, producer, counter in read["counts"]:
            self.counts[half, parent, producer] = Counter(counter)
        self.below |= {name: tuple(reasons) for name, reasons in read["below"].items()}
        self.refused.update(read["refused"])

    def grouped(self) -> dict[tuple[str, ...], list[str]]:
        """Names of those below what they should be, by what is said of them."""
        found: dict[tuple[str, ...], list[str]] = {}
        for name, reasons in self.below.items():
            found.setdefault(reasons, []).append(name)
        return found

    @property
    def total(self) -> Counter[str]:
        return sum(self.counts.values(), Counter())


def run(parents: Iterable[Parent]) -> Tally:
    """Judge every child of these parents."""
    tally, wanted = Tally(), list(parents)
    names = {parent.name for parent in wanted}
    for parent in wanted:
        _progress(parent.name)
        _plain(tally, children.children(parent))
        _own(tally, parent)
        if parent.tiny:
            _guessed(tally, parent)
    for release in older.RELEASES:
        _progress(f"onnxruntime {release}")
        _plain(tally, (child for child in older.children(release) if child.parent.name in names))
    return tally


def _plain(tally: Tally, made: Iterator[children.Child | tuple[children.Mode, str]]) -> None:
    for each in made:
        if isinstance(each, tuple):
            tally.refused[each[1]] += 1
            continue
        found = judging.judge(each.model, each.parent)
        tally.add(each.parent, each.producer, each.name, found.verdict, _why(found))


def _guessed(tally: Tally, parent: Parent) -> None:
    """A child of each kind with the calibration data, but without its recipe."""
    for each in children.children(parent, short_modes()):
        if isinstance(each, children.Child):
            found = judging.replay(each.model, parent, None)
            producer = f"{each.producer}, with data"
            tally.add(parent, producer, f"{each.name} (with data)", found.verdict, _why(found))


def _own(tally: Tally, parent: Parent) -> None:
    for each in recipes.children(parent):
        if isinstance(each, tuple):
            tally.refused[each[1]] += 1
            continue
        alone = judging.judge(each.model, parent)
        tally.add(parent, f"{each.producer}, files alone", each.name, alone.verdict, _why(alone))
        found = judging.replay(each.model, parent, each.recipe)
        tally.add(parent, each.producer, f"{each.name} (again)", found.verdict, _why(found))


def _why(found: judging.Lineage) -> list[str]:
    nodes = [f"{node.operator} {node.name}: {node.reason}" for node in found.nodes[:3]]
    worst = [f"{one.name}: {one.reason}" for one in found.tensors if one.verdict in _VERDICTS[2:]]
    return [*found.reasons, *nodes, *worst[:3]]


def table(tally: Tally) -> str:
    """One line for each parent and producer."""
    heading = ("half", "parent", "made by", "children", *_VERDICTS)
    rows = [heading, ("---",) * len(heading)]
    for (half, parent, producer), counts in sorted(tally.counts.items()):
        numbers = [str(counts[verdict] or "") for verdict in _VERDICTS]
        rows.append((half, parent, producer, str(sum(counts.values())), *numbers))
    total = tally.total
    rows.append(("", "all", "", str(sum(total.values())), *(str(total[verdict]) for verdict in _VERDICTS)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lineage_children", description=__doc__)
    parser.add_argument("parent", nargs="*", help=", ".join(parent.name for parent in PARENTS))
    parser.add_argument("--half", choices=(DEVELOPMENT, TEST), help="only parents of this half")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the tally, for the page")
    asked = parser.parse_args()
    began = time.monotonic()
    chosen = [one for one in PARENTS if one.half == (asked.half or one.half)]
    tally = run(one for one in chosen if not asked.parent or one.name in asked.parent)
    if asked.save:
        asked.save.write_text(tally.saved(), encoding="utf-8")
    print(table(tally))
    for reasons, names in tally.grouped().items():
        print("\n" + "\n  ".join([*reasons, *names]))
    print(f"\nno such child, {sum(tally.refused.values())} times:")
    for reason, count in tally.refused.most_common():
        print(f"  {count} times: {reason}")
    print(f"\n{time.monotonic() - began:.0f} seconds in all")


def _progress(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
