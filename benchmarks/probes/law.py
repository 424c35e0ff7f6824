"""The law as a new process reads it, from the pin on: HOME. All modules are imported and the database is open
before the clock starts."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.probes.reading import report
from registry.context import Context


def main() -> None:
    with Context(Path(sys.argv[1])) as context:
        assert context.engine.url  # and the schema is checked
        report(context.law)


if __name__ == "__main__":
    main()
