"""The process that has imported onnx and ONNX Runtime already and forks one confined process for each job.

It is single-threaded (ONNX Runtime starts threads for its telemetry, which is off, and for sessions that want
more than one), so that a fork of it is whole.

Requests come as datagrams, each with four descriptors: the parcel to look at, and the ends to write of three
pipes: the job's answer, its talk (stdout and stderr), and its end, which this process alone writes: a JSON
object with the process's exit code or signal, and whether its time was up.

When the other side of the socket is gone, so is everything here.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from registry.onnx.child.confinement import confine, keep_private
from registry.onnx.child.jobs import JOBS
from registry.onnx.child.limits import Limits
from registry.onnx.child.parcel import unpacked

# y = Relu(x) of one float, operator set 17: the first model that is looked at
_WARM = bytes.fromhex(
    "08083a330a0c0a0178120179220452656c751201775a0f0a0178120a0a08080112040a02080162"
    "0f0a0179120a0a08080112040a02080142040a001011"
)
REQUEST = 1 << 16  # bytes, at most
_DESCRIPTORS = 4
_ANSWER, _PARCEL = 3, 4  # where a job finds them


@dataclass
class _Running:
    end: int  # descriptor
    deadline: float  # of time.monotonic
    late: bool = False


def main(control: socket.socket) -> NoReturn:
    """Serve requests from ``control`` until it closes."""
    _warm_up()
    keep_private()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    running: dict[int, _Running] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(woken, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll(_patience(running)):
            if descriptor == woken:
                os.read(woken, 4096)
            elif not _serve(control, running):
                _abandon(running)
        _reap(running)
        _stop_late(running)


def _warm_up() -> None:
    """Do each job once: none pays for imports, and for tables that the libraries make at their first use."""
    for job in JOBS.values():
        job({"warm": memoryview(_WARM)}, "warm")
    gc.collect()
    gc.freeze()  # what is imported stays shared with the forked processes


def _serve(control: socket.socket, running: dict[int, _Running]) -> bool:
    """Start what the next request asks for; False where there is nobody to ask."""
    data, descriptors, _, _ = socket.recv_fds(control, REQUEST, _DESCRIPTORS)
    if not data:
        return False
    parcel, answer, talk, end = descriptors
    request = json.loads(data)
    mine = os.getpid()
    child = os.fork()
    if child == 0:
        _work(request, parcel, answer, talk, mine)
    for descriptor in (parcel, answer, talk):
        os.close(descriptor)
    running[child] = _Running(end, time.monotonic() + request["wall"])
    return True


def _work(request: dict[str, object], parcel: int, answer: int, talk: int, parent: int) -> NoReturn:
    """The forked process: do the job, write the answer, and end without a trace."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _arrange(parcel, answer, talk)
        files = unpacked(_PARCEL)
        os.close(_PARCEL)
        confine(_limits(request), parent)
        outcome, reason = JOBS[str(request["job"])](files, str(request["path"]))
        os.write(_ANSWER, json.dumps({"outcome": outcome, "reason": reason}).encode())
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        raise
    finally:
        os._exit(code)


def _arrange(parcel: int, answer: int, talk: int) -> None:
    """Keep standard input (empty), output and error (the talk), answer and parcel, and nothing else."""
    high = [os.dup(one) for one in (parcel, answer, talk)]
    for at, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), high[2], high[2], high[1], high[0])):
        os.dup2(descriptor, at)
    os.closerange(_PARCEL + 1, 1 << 20)


def _limits(request: dict[str, object]) -> Limits:
    return Limits(
        float(str(request["cpu"])), float(str(request["wall"])), int(str(request["memory"])), 0.0, 0
    )


def _reap(running: dict[int, _Running]) -> None:
    while running:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            return
        one = running.pop(child)
        code = os.waitstatus_to_exitcode(status)
        with suppress(BrokenPipeError):  # who asked has gone away
            os.write(one.end, json.dumps({"code": code, "late": one.late}).encode())
        os.close(one.end)


def _stop_late(running: dict[int, _Running]) -> None:
    for child, one in running.items():
        if not one.late and time.monotonic() >= one.deadline:
            one.late = True
            os.kill(child, signal.SIGKILL)


def _patience(running: dict[int, _Running]) -> float | None:
    """Milliseconds until the next deadline."""
    waiting = [one.deadline for one in running.values() if not one.late]
    return max(0.0, 1000 * (min(waiting) - time.monotonic())) + 1 if waiting else None


def _abandon(running: dict[int, _Running]) -> NoReturn:
    for child in running:
        os.kill(child, signal.SIGKILL)
    os._exit(0)
