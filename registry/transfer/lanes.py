"""Threads and buffers of one transfer: bounded, and stopped by the first failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Crew:
    """The threads of one transfer. Leaving the ``with`` block waits for all of them, then raises the
    first failure of any.

    No deadlock: work is handed out in order, and its buffers are taken before that, so the oldest
    unfinished job always has what it needs; and whoever waits for a buffer is woken by a failure.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._failure: BaseException | None = None
        self._pools: list[ThreadPoolExecutor] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._fail(error)
        for pool in self._pools:
            pool.shutdown(wait=True)
        if error is None:
            self.check()

    def lane(self, threads: int = 1) -> Lane:
        """A queue of jobs. With one thread they run in the order in which they come."""
        pool = ThreadPoolExecutor(threads, thread_name_prefix="hallmark-transfer")
        self._pools.append(pool)
        return Lane(self, pool)

    def check(self) -> None:
        """Raises the first failure, if there is one."""
        if self._failure is not None:
            raise self._failure

    @property
    def failed(self) -> bool:
        return self._failure is not None

    def note(self, job: Future[R]) -> None:
        """Called with every finished job."""
        error = job.exception()
        if error is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self.changed:
            self._failure = self._failure or error
            self.changed.notify_all()


class Lane:
    """A queue of jobs and its threads."""

    def __init__(self, crew: Crew, pool: ThreadPoolExecutor) -> None:
        self._crew = crew
        self._pool = pool

    def run(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Queue a job. After a failure few are left: the buffers bound how many can be queued at all."""
        future = self._pool.submit(job, *args, **kwargs)
        future.add_done_callback(self._crew.note)
        return future


class Buffers:
    """A fixed number of equal buffers, used again and again: the memory bound of a transfer."""

    def __init__(self, crew: Crew, count: int, size: int) -> None:
        self._crew = crew
        self._size = size  # bytes
        self._unmade = count
        self._free: list[bytearray] = []

    def take(self) -> bytearray:
        """A free buffer; waits for one. Raises the transfer's failure instead, once there is one."""
        with self._crew.changed:
            while not self._free and not self._unmade and not self._crew.failed:
                self._crew.changed.wait()
            self._crew.check()
            if self._free:
                return self._free.pop()
            self._unmade -= 1
        return bytearray(self._size)

    def give(self, buffer: bytearray) -> None:
        """The buffer is free again."""
        with self._crew.changed:
            self._free.append(buffer)
            self._crew.changed.notify_all()


def after(jobs: Sequence[Future[Any]], action: Callable[[], None]) -> None:
    """Run ``action`` once all ``jobs`` are finished, in the thread of the last one.

    The callbacks do not refer to the jobs: a cycle would keep the buffers alive until a collection.
    """
    lock = threading.Lock()
    pending = len(jobs)

    def one_done(_: Future[Any]) -> None:
        nonlocal pending
        with lock:
            pending -= 1
            last = pending == 0
        if last:
            action()

    for job in jobs:
        job.add_done_callback(one_done)
