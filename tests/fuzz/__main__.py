"""``python -m fuzz`` (with tests/ on the path): many mutants, and what became of them.

The exit code is 1 where a reader fell over. ``--only N --save DIR`` writes one mutant's files down.
"""

from __future__ import annotations

import argparse
import faulthandler
import heapq
import os
import resource
import sys
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before anything imports ONNX Runtime

from fuzz.mutants import Mutant, mutant
from fuzz.seeds import seeds
from fuzz.trials import HANGS, READERS, Failure, Trial, attempt

_SPACE = 6 << 30  # bytes of address space beyond what is mapped at the start: what explodes shows
_SLOWEST = 5


def main() -> int:
    asked = _arguments()
    numbers = range(asked.count) if asked.only is None else range(asked.only, asked.only + 1)
    _limit_memory()
    summary, began = Summary(), time.monotonic()
    for number in numbers:
        faulthandler.dump_traceback_later(4 * HANGS, exit=True)  # it hangs where no signal is heard
        made = mutant(asked.seed, number, asked.of)
        if asked.save:
            _save(made, asked.save)
        child = asked.only is not None or number % asked.child_every == 0
        summary.take(attempt(made, without=() if child else ("child",)))
        if number % 1000 == 999:
            print(
                f"{number + 1} mutants, {len(summary.failures)} causes of failure",
                file=sys.stderr,
                flush=True,
            )
    faulthandler.cancel_dump_traceback_later()
    print(summary.text(time.monotonic() - began))
    return 1 if summary.failures else 0


class Summary:
    """What became of the mutants so far."""

    def __init__(self) -> None:
        self.count = 0
        self.outcomes: dict[str, Counter[str]] = {name: Counter() for name in READERS}
        self.slowest: list[tuple[float, str]] = []
        self.failures: dict[str, list[Failure]] = {}  # by cause
        self.missed: list[str] = []

    def take(self, trial: Trial) -> None:
        self.count += 1
        for name, outcome in trial.outcomes.items():
            self.outcomes[name][outcome] += 1
        longest = max(trial.seconds, key=lambda name: trial.seconds[name])
        heapq.heappush(self.slowest, (trial.seconds[longest], f"{longest}: {trial.mutant}"))
        self.slowest = heapq.nlargest(_SLOWEST, self.slowest)
        for one in trial.failures:
            self.failures.setdefault(f"{one.reader}: {one.site}", []).append(one)
        self.missed += [trial.missed] if trial.missed else []

    def text(self, seconds: float) -> str:
        lines = [
            f"{self.count} mutants in {seconds:.0f} s, {1000 * seconds / max(1, self.count):.1f} ms each"
        ]
        for name, outcomes in self.outcomes.items():
            told = ", ".join(f"{count} {outcome}" for outcome, count in _first(outcomes))
            lines.append(f"{name}: {told}")
        lines += ["slowest:", *(f"  {took:.2f} s {what}" for took, what in self.slowest)]
        lines += [
            f"passed the static rules, and is fatal: {len(self.missed)}",
            *(f"  {one}" for one in self.missed),
        ]
        lines.append(f"causes of failure: {len(self.failures)}")
        lines += [f"{cause}, {len(found)} times; first {found[0]}" for cause, found in self.failures.items()]
        return "\n".join(lines)


def _first(outcomes: Counter[str]) -> list[tuple[str, int]]:
    """The common ones, and the rest as a sum."""
    rest = sum(outcomes.values()) - sum(count for _, count in outcomes.most_common(12))
    return outcomes.most_common(12) + ([("others", rest)] if rest else [])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument(
        "--count", type=int, default=20_000, metavar="N", help="mutants (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another one gives other mutants")
    parser.add_argument(
        "--child-every", type=int, default=10, metavar="N", help="loaded by the child (default: %(default)s)"
    )
    parser.add_argument("--only", type=int, metavar="N", help="this mutant alone")
    names = [one.name for one in seeds()]
    parser.add_argument(
        "--of", default="", choices=names, metavar="NAME", help=f"mutants of {', '.join(names)}"
    )
    parser.add_argument("--save", type=Path, metavar="DIR", help="write the files of the mutants there")
    return parser.parse_args()


def _limit_memory() -> None:
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + _SPACE, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _save(made: Mutant, folder: Path) -> None:
    for name, data in made.files.items():
        place = folder / str(made.number) / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
