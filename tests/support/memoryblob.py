"""A blob in memory behind the interfaces of a store, and what transfers are watched with."""

from __future__ import annotations

import random
import threading
import time

from registry.blobs import MIB
from registry.crypto.streaming import ciphertext_size
from registry.errors import StoreUnavailable
from registry.transfer import SealedFile, seal

PART = 2 * MIB  # bytes


class Memory:
    """A writer and a reader in memory, with small parts, several threads and answers out of order."""

    part_size = PART
    chunk_size = PART
    parallelism = 3

    def __init__(self, size: int, *, delay: float = 0.0, fail_at: int | None = None) -> None:
        self.data = bytearray(size)
        self.size = size
        self.fail_at = fail_at
        self._delay = delay  # seconds, at most
        self.calls = 0
        self._lock = threading.Lock()

    def _call(self) -> None:
        with self._lock:
            number, self.calls = self.calls, self.calls + 1
        time.sleep(self._delay * random.random())
        if self.fail_at is not None and number > self.fail_at:
            time.sleep(0.03)  # time for the failure to be noticed
        if number == self.fail_at:
            raise StoreUnavailable(f"call {number} failed")

    def write(self, offset: int, data: memoryview) -> None:
        self._call()
        assert offset % PART == 0
        assert len(data) == min(PART, self.size - offset)
        self.data[offset : offset + len(data)] = data

    def read_into(self, offset: int, out: memoryview) -> None:
        self._call()
        assert len(out) <= self.chunk_size
        out[:] = memoryview(self.data)[offset : offset + len(out)]

    def commit(self) -> None:
        raise AssertionError("the caller commits")

    abort = close = commit


class Count:
    """An observer that adds up."""

    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.Lock()

    def begin(self, label: str, total: int) -> None:
        raise AssertionError("stages are the caller's")

    def end(self) -> None:
        raise AssertionError("stages are the caller's")

    def advance(self, amount: int) -> None:
        with self._lock:
            self.total += amount


def sealed(fd: int, size: int, key: bytes, **options: float) -> tuple[Memory, SealedFile]:
    memory = Memory(ciphertext_size(size), **options)  # type: ignore[arg-type]
    return memory, seal(fd, size, key, memory)
