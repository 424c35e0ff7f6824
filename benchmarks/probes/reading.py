"""Clock and memory of the process that asks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable


def peak() -> int:
    """The most physical memory that this process has held, in bytes (VmHWM, as Linux counts it)."""
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    raise OSError("no VmHWM in /proc/self/status")


def forget_peak() -> None:
    """Begin to count the peak anew, from what is held now."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as control:
        control.write("5")


def report(deed: Callable[[], object]) -> None:
    """Do it, and print ``seconds``, ``idle`` (bytes held before) and ``peak`` (bytes)."""
    forget_peak()
    idle, began = peak(), time.perf_counter()
    kept = deed()
    took = time.perf_counter() - began
    print(json.dumps({"seconds": took, "idle": idle, "peak": peak()}))
    del kept
