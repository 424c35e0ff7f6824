"""Chunks verified one after the other in this process, or by several that each take every n-th.

The processes are interpreters of their own: nothing is forked, so it does not matter which threads this
process runs and what they hold, and no connection is shared. Each reads the law for itself, all of them at
once, for it would take as long to wait for one of them to do it. What they find comes through a pipe each,
and is read in the ledger's order: who is far ahead waits until it is read.

A process that dies has told less than it should: that is an error, never a ledger that holds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import msgspec

from registry.audit.verify import wire
from registry.audit.verify.chunk import Report, Verifier
from registry.audit.verify.counts import check_activity
from registry.audit.verify.finding import Finding
from registry.audit.verify.lawful import read_law
from registry.audit.verify.plan import Plan
from registry.audit.verify.source import Source
from registry.errors import Unavailable

ENOUGH: Final = 20_000  # entries for each process: below, starting it costs more than it saves
_ROOT: Final = Path(__file__).parents[3]  # where the package itself lies
_BOOT: Final = (
    "import json, sys\n"
    "sys.path[:] = json.loads(sys.argv[1])\n"
    "from registry.audit.verify.worker import main\n"
    "main()\n"
)
_HINT: Final = "run the same command again; with '--jobs 1' it needs less memory"


class Crew(Protocol):
    """Who verifies chunks: first all of them, then what is counted from the events."""

    def chunks(self) -> Iterator[Report]:
        """The reports of every chunk, in the ledger's order."""

    def activity(self) -> Iterator[Finding]:
        """What is wrong with the counts of the activity."""


class Alone:
    """This process, on a transaction that is open."""

    def __init__(self, source: Source, plan: Plan) -> None:
        self._source, self._plan = source, plan

    def chunks(self) -> Iterator[Report]:
        plan = self._plan
        lawful = read_law(self._source, plan.registry_id, plan.genesis, plan.end)
        verifier = Verifier(self._source, lawful, plan.start)
        for begin in plan.begins:
            yield from verifier.verify(*plan.chunk(begin))

    def activity(self) -> Iterator[Finding]:
        return check_activity(self._source)


class Several:
    """Processes, the first of which counts the activity when it has nothing else to do."""

    def __init__(self, plan: Plan, workers: list[subprocess.Popen[bytes]]) -> None:
        self._plan, self._workers = plan, workers

    def chunks(self) -> Iterator[Report]:
        for number, _ in enumerate(self._plan.begins):
            worker, last = self._workers[number % len(self._workers)], False
            while not last:
                report = self._receive(worker)
                yield report
                last = report.last

    def activity(self) -> Iterator[Finding]:
        for one in self._receive(self._workers[0]).findings:
            yield Finding(*one)

    def _receive(self, worker: subprocess.Popen[bytes]) -> Report:
        assert worker.stdout is not None
        data = wire.receive(worker.stdout)
        if data is None:
            raise Unavailable(
                "a process that verified entries ended before it had told what it found",
                on=f"exit code {worker.wait()}",
                hint=_HINT,
            )
        return wire.unpacked(data)


@contextmanager
def crew(source: Source, plan: Plan, url: str | None, jobs: int) -> Iterator[Crew]:
    """Who verifies ``plan``: ``jobs`` processes that open the database at ``url``, or this one alone."""
    if url is None or jobs < 2 or not sys.executable:
        yield Alone(source, plan)
        return
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(jobs):
            workers.append(_start(plan, url, number, jobs))
        yield Several(plan, workers)
    finally:
        for worker in workers:
            _end(worker)


def fitting(jobs: int | None, count: int) -> int:
    """How many processes are of use for a ledger of ``count`` entries; ``jobs`` is what was asked for."""
    if jobs is not None:
        return jobs
    return max(1, min(len(os.sched_getaffinity(0)), count // ENOUGH))


def _start(plan: Plan, url: str, number: int, jobs: int) -> subprocess.Popen[bytes]:
    path = [str(_ROOT), *sys.path]
    try:
        worker = subprocess.Popen(
            [sys.executable, "-c", _BOOT, json.dumps(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt is this process's, which then ends them all
        )
    except OSError as error:
        raise Unavailable(
            "no process can be started", on=os.strerror(error.errno or 0), hint=_HINT
        ) from error
    own = tuple(plan.chunk(begin) for begin in plan.begins[number::jobs])
    request = wire.Request(url, plan.registry_id, plan.genesis, plan.end, plan.start, own, number == 0)
    assert worker.stdin is not None
    with suppress(BrokenPipeError):  # it died: whoever reads from it will notice
        worker.stdin.write(msgspec.msgpack.encode(request))  # on no command line: a URL may hold a password
        worker.stdin.close()
    return worker


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
