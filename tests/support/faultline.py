"""Faults on demand: the n-th thing that a process does to the outside fails, or is the last it does.

``install`` patches the process it is called in, for good: call it in a child that ends with the deed. What is
watched are *effects*, of three kinds:

- ``disk``: the calls of ``os`` and of file objects on paths below ``roots``;
- ``database``: every statement, commit, rollback and connection, at the driver below SQLAlchemy;
- ``store``: every call of a boto3 client, with all its retries.

Reading effects are counted only where the plan says ``reads``. What SQLite does to its own files happens
inside the driver and is not seen: its faults are injected at the statements.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

Kind = Literal["disk", "database", "store"]
How = Literal["error", "stays", "lost", "kill-before", "kill-after", "interrupt"]
T = TypeVar("T")

SERVERS: frozenset[Kind] = frozenset({"database", "store"})
ALL: frozenset[Kind] = SERVERS | {"disk"}
REMOVING = frozenset({"unlink", "remove", "rmdir", "ROLLBACK", "DeleteObject", "AbortMultipartUpload"})


@dataclass(frozen=True)
class Plan:
    """Which effect is hit, counted from 1 (0: none), and how.

    ``error``: it does not happen and raises. ``stays``: the same, and so does every later one of its kind
    but those that only remove: a disk that is full. ``lost``: it happens, and raises all the same: an
    answer that got lost. ``kill-before``, ``kill-after``: SIGKILL. ``interrupt``: SIGINT, before.
    """

    how: How = "error"
    at: int = 0
    kinds: frozenset[Kind] = ALL
    reads: bool = False
    roots: tuple[str, ...] = ()


@dataclass
class Line:
    """What has happened so far. ``met`` names the effects in order, ``hit`` the one that was struck."""

    plan: Plan
    met: list[str] = field(default_factory=list)
    hit: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def through(
        self, kind: Kind, name: str, writes: bool, call: Callable[[], T], error: Callable[[int], Exception]
    ) -> T:
        """Do ``call``, an effect, unless the plan has something else in store for it."""
        if kind not in self.plan.kinds or not (writes or self.plan.reads):
            return call()
        how, number = self.plan.how, self._number(f"{kind} {name}")
        if self._strikes(kind, name, number):
            if how in ("error", "stays"):
                raise error(number)
            if how == "kill-before":
                kill()
            if how == "interrupt":
                os.kill(os.getpid(), signal.SIGINT)
        try:
            done = call()
        finally:  # a call that fails by itself has been made all the same
            if number == self.plan.at and how == "kill-after":
                kill()
        if number == self.plan.at and how == "lost":
            raise error(number)
        return done

    def _number(self, name: str) -> int:
        with self.lock:
            self.met.append(name)
            if len(self.met) == self.plan.at:
                self.hit = name
            return len(self.met)

    def _strikes(self, kind: Kind, name: str, number: int) -> bool:
        if number == self.plan.at:
            return True
        later = self.plan.how == "stays" and 0 < self.plan.at < number
        return later and str(self.hit).startswith(f"{kind} ") and name not in REMOVING


def kill() -> None:
    """End this process as a power cut would: nothing runs after it, in any thread."""
    os.kill(os.getpid(), signal.SIGKILL)
    while True:
        time.sleep(1)


def install(plan: Plan) -> Line:
    """Watch this process from now on, until it ends."""
    from support import faulty_database, faulty_disk, faulty_store

    line = Line(plan)
    if "disk" in plan.kinds:
        faulty_disk.install(line)
    if "database" in plan.kinds:
        faulty_database.install(line)
    if "store" in plan.kinds:
        faulty_store.install(line)
    return line
