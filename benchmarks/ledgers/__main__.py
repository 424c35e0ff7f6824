"""``python -m benchmarks.ledgers --acts 1000000 DIR``: a registry with a long history, for measuring."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.ledgers import making, moments


def main() -> None:
    asked = _arguments()
    registry_id = making.make(
        asked.home,
        asked.acts,
        asked.seed,
        end=asked.until,
        database=asked.database,
        processes=asked.processes,
        say=making.aloud,
    )
    print(registry_id)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledgers", description=__doc__)
    parser.add_argument("home", type=Path, metavar="DIR", help="the registry's home, which must not exist")
    parser.add_argument("--acts", type=int, default=10_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another seed, another company")
    parser.add_argument(
        "--until", type=moments.midnight, default=making.END, metavar="DATE", help="where the two years end"
    )
    parser.add_argument(
        "--postgres", dest="database", metavar="URL", help="of an empty database; default: SQLite in DIR"
    )
    parser.add_argument("--processes", type=int, metavar="N", help="that sign; default: one for each core")
    asked = parser.parse_args()
    if asked.acts < 100:
        parser.error("a company needs 100 acts")
    return asked


if __name__ == "__main__":
    main()
