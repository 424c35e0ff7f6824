"""Children that cost milliseconds: forked from one warm process that has all modules and nothing open.

The test process itself must not fork: it has threads (a store's client, a test runner's), and what they held
would be held for ever in the child. So a separate process, single-threaded, imports everything once and forks
a child per job. A job is a function of ``support.jobs``, named; its arguments and its result are pickled.
"""

from __future__ import annotations

import gc
import os
import pickle
import selectors
import signal
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import IO, Any, NoReturn

_LENGTH = struct.Struct("<I")
# A thread that a numerical library starts at import would be lost in every child.
_SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Ended:
    """What became of a child: the signal that ended it, else the job's result."""

    result: Any = None
    signal: int | None = None
    late: bool = False  # it had to be ended

    @property
    def killed(self) -> bool:
        return self.signal == signal.SIGKILL and not self.late


class Nursery:
    """The warm process, seen from the tests."""

    def __init__(self) -> None:
        environment = {**os.environ, **_SINGLE, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", "from support.forks import serve; serve()"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def start(self, job: str, *arguments: Any) -> int:
        """Begin a job in a new child; the child's number."""
        return int(self._ask(("start", job, arguments, dict(os.environ))))

    def wait(self, child: int, seconds: float = 90) -> Ended:
        """The end of a child. One that takes longer is killed, and ``late``."""
        ended: Ended = self._ask(("wait", child, seconds))
        return ended

    def run(self, job: str, *arguments: Any) -> Ended:
        """A job from beginning to end."""
        return self.wait(self.start(job, *arguments))

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def _ask(self, question: object) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        _send(self._process.stdin, question)
        return _receive(self._process.stdout)


def _send(file: IO[bytes], thing: object) -> None:
    data = pickle.dumps(thing)
    file.write(_LENGTH.pack(len(data)) + data)
    file.flush()


def _receive(file: IO[bytes]) -> Any:
    head = file.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError("the warm process has gone")
    return pickle.loads(file.read(_LENGTH.unpack(head)[0]))


def serve() -> None:
    """The warm process itself: answers questions until there are no more."""
    from support import jobs, warm

    warm.install()
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a child prints must not get between the answers
    jobs.rehearse()
    gc.freeze()  # a collection in a child would copy all of this process's pages
    results: dict[int, int] = {}
    while True:
        try:
            question = _receive(questions)
        except EOFError:
            return
        if question[0] == "start":
            read, write = os.pipe()
            child = os.fork()
            if child == 0:
                _child(getattr(jobs, question[1]), question[2], question[3], write)
            os.close(write)
            results[child] = read
            _send(answers, child)
        else:
            _send(answers, _ended(question[1], results.pop(question[1]), question[2]))


def _child(job: Any, arguments: tuple[Any, ...], environment: dict[str, str], write: int) -> NoReturn:
    send, leave = os.write, os._exit  # as they are before a job puts faults under them
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update({name: text for name, text in environment.items() if name not in _SINGLE})
    data = memoryview(pickle.dumps(job(*arguments)))
    while data:
        data = data[send(write, data) :]
    leave(0)


def _ended(child: int, read: int, seconds: float) -> Ended:
    data, late, deadline = b"", False, time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(read, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())) and not late:
                late = True
                os.kill(child, signal.SIGKILL)
                deadline += 10
            if not (piece := os.read(read, 1 << 16)):
                break
            data += piece
    os.close(read)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Ended(pickle.loads(data) if data else None, -code if code < 0 else None, late)
