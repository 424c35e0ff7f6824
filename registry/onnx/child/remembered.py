"""Verdicts on small files, kept for as long as this process lives.

Sound because the same bytes under the same limits, read by the same libraries, come to the same verdict: the
key covers every byte of every file, its name, which of them is meant, and the limits. What depends on the
machine too (an end by a limit or a signal) is not kept; that is asked again each time.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from registry.onnx.child.limits import Limits
from registry.onnx.findings import Finding
from registry.onnx.wire import Buffer

SMALL: Final = 1 << 20  # bytes of files: hashing them costs less than a process
_KEPT: Final = 512  # verdicts
_LASTING: Final = frozenset(("checker-refused", "runtime-refused"))

Verdict = tuple[Finding, ...]


class Remembered:
    """At most 512 verdicts, those used last. For any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._verdicts: OrderedDict[bytes, Verdict] = OrderedDict()

    def get(self, key: bytes) -> Verdict | None:
        with self._lock:
            if key in self._verdicts:
                self._verdicts.move_to_end(key)
            return self._verdicts.get(key)

    def put(self, key: bytes, verdict: Verdict) -> None:
        """Keep the verdict, if it is one that lasts."""
        if any(one.code not in _LASTING for one in verdict):
            return
        with self._lock:
            self._verdicts[key] = verdict
            while len(self._verdicts) > _KEPT:
                self._verdicts.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._verdicts.clear()

    def hold(self) -> None:
        """Before this process forks: no other thread may be in the middle of a change then."""
        self._lock.acquire()

    def let_go(self) -> None:
        """After the fork, in both processes."""
        self._lock.release()


def key_of(files: Mapping[str, Buffer], path: str, limits: Limits) -> bytes:
    """SHA-256 over all that a verdict depends on; lengths before contents, so that none runs into another."""
    digest = hashlib.sha256(repr((path, limits, sorted(files))).encode("utf-8", "surrogatepass"))
    for name in sorted(files):
        with memoryview(files[name]) as view:
            digest.update(view.nbytes.to_bytes(8, "little"))
            digest.update(view)
    return digest.digest()
