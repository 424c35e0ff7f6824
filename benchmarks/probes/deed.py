"""A deed of the registry in process: HOME and one of

``push PATH REF``, ``pull REF DIRECTORY``, ``checkout REF``, ``session REF``. All modules are imported and
the registry is open before the clock starts; ``idle`` is the memory at that point.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.probes.reading import report
from registry.checkout import checkout
from registry.context import Context
from registry.pull import pull
from registry.push import push


def main() -> None:
    home, verb, *rest = sys.argv[1:]
    with Context(Path(home)) as context:
        if verb in ("session", "checkout"):
            import onnxruntime  # noqa: F401 (imported beforehand: the plain session's process has it, too)
        _open(context)
        match verb, rest:
            case "push", [path, ref]:
                report(lambda: push(context, Path(path), ref))
            case "pull", [ref, directory]:
                report(lambda: pull(context, ref, Path(directory)))
            case "checkout", [ref]:
                report(lambda: checkout(context, ref))
            case "session", [ref]:
                report(lambda: checkout(context, ref).session())
            case _:
                sys.exit(f"unknown deed: {sys.argv[1:]}")


def _open(context: Context) -> None:
    """Have every part made that is made when it is first used."""
    context.law()
    assert context.authority.registry_id == context.config.registry_id
    assert context.identity.name
    next(iter(context.store.list()), None)


if __name__ == "__main__":
    main()
