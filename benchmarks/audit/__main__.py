"""``python -m benchmarks.audit``: the audit on ledgers of 10,000 to 1,000,000 acts; ``--write`` the page.

``python -m benchmarks.audit --home DIR`` asks the questions of one generated ledger that is there.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import machine
from benchmarks.audit import chart, page
from benchmarks.audit.grounds import Ground, grounds
from benchmarks.audit.measuring import Measured, measure
from benchmarks.ledgers.making import aloud

_TREE = Path(__file__).resolve().parent.parent.parent
_DOCS, _CACHE = _TREE / "docs", _TREE / ".cache"
_SIZES = [10_000, 100_000, 1_000_000]


def main() -> None:
    asked = _arguments()
    facts, began = machine.describe(_CACHE), time.monotonic()
    if asked.home:
        found = [_measured(Ground(0, str(home), home.absolute()), asked) for home in asked.home]
    else:
        with _directory(asked.keep) as directory, grounds(directory, asked.acts, aloud) as made:
            found = [_measured(one, asked) for one in made]
    for table in (page.questions(found), page.starts(found), page.verified(found)):
        print(page.text(table), end="\n\n")
    print(f"\n{time.monotonic() - began:.0f} seconds in all")
    if asked.write:
        written = page.document(found, facts, asked.samples, asked.rounds)
        (_DOCS / "audit-benchmarks.md").write_text(written, encoding="utf-8")
        chart.draw(found, _DOCS / "audit-growth.svg")


@contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    """Where the ledgers lie: a million acts take 4 GiB, which are gone afterwards unless asked for."""
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="audit-", dir=_CACHE) as scratch:
        yield Path(scratch)


def _measured(ground: Ground, asked: argparse.Namespace) -> Measured:
    found = measure(ground, asked.samples, asked.rounds, only=asked.only, verified=not asked.only)
    name, worst = found.worst
    aloud(f"{ground.database}, {ground.acts:,} acts: the slowest is {name!r}, {worst:.0f} ms")
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__)
    parser.add_argument("--acts", type=int, nargs="+", default=_SIZES, metavar="N", help="sizes of ledgers")
    parser.add_argument("--home", type=Path, nargs="+", metavar="DIR", help="generated ledgers to be asked")
    parser.add_argument("--samples", type=int, default=40, metavar="N", help="things that are asked about")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="calls of each")
    parser.add_argument("--only", default="", metavar="TEXT", help="questions whose name holds this")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where ledgers are made, or found")
    parser.add_argument("--write", action="store_true", help="write docs/audit-benchmarks.md and the chart")
    return parser.parse_args()


if __name__ == "__main__":
    main()
