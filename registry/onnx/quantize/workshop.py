"""Quantizing workers of this process: started when one is needed, kept for the next job, ended with it."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

from registry import errors, strictjson
from registry.errors import InvalidInput, InvalidModel, RegistryError, Unavailable
from registry.onnx.quantize import frames
from registry.progress import Progress

# What a worker may know of our environment: no passphrases, no keys of a store.
_KNOWN = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONHOME", "VIRTUAL_ENV")
_PATIENCE = 2  # seconds that a worker gets to end on its own


class _Worker:
    """One process and the two pipes to it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        home = str(Path(__file__).absolute().parents[3])
        paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
        known = {name: os.environ[name] for name in _KNOWN if name in os.environ}
        environment = {**known, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "0"}
        self._process = subprocess.Popen(
            # -P: nothing in the working directory may pass for a module.
            [sys.executable, "-P", "-m", "registry.onnx.quantize.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            process_group=0,  # Ctrl-C is for us; we end the worker
        )
        self.jobs = cast(IO[bytes], self._process.stdin)
        self.answers = cast(IO[bytes], self._process.stdout)

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def abandon(self) -> None:
        """Let go of our copies of the pipes: after a fork the process is our parent's."""
        self._process.returncode = 0
        for pipe in (self.jobs, self.answers):
            os.close(pipe.fileno())  # what is buffered was not ours to send
            with suppress(OSError):
                pipe.close()

    def end(self, *, at_once: bool = False) -> int:
        """Wait for the process, or kill it; its exit status."""
        try:
            with suppress(OSError):
                self.jobs.close()
            if at_once:
                self._process.kill()
            return self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self.answers.close()


_idle: list[_Worker] = []
_lock = threading.Lock()


def run(
    message: dict[str, Any], payload: Iterable[bytes | memoryview], on: str, progress: Progress
) -> bytearray:
    """Have a job done and bring what it made. Raises what the job raises, or InvalidModel for ``on``."""
    worker = _take()
    fit = False
    try:
        frames.send(worker.jobs, message, payload)
        made = _answer(worker, on, progress)
        fit = True
    except (OSError, EOFError):
        raise _death(worker.end(), on) from None
    finally:
        if fit:
            with _lock:
                _idle.append(worker)
        else:  # it died, or is in the middle of something
            worker.end(at_once=True)
    if isinstance(made, RegistryError):
        raise made
    return made


def _take() -> _Worker:
    with _lock:
        while _idle:
            worker = _idle.pop()
            if worker.owner != os.getpid():
                worker.abandon()
            elif worker.alive():
                return worker
            else:
                worker.end()
    try:
        return _Worker()
    except OSError as error:
        raise Unavailable(f"no quantizing process could be started: {error.strerror}") from error


def _answer(worker: _Worker, on: str, progress: Progress) -> bytearray | RegistryError:
    while (message := frames.receive(worker.answers)) is not None:
        match strictjson.text(message, "kind"):
            case "begin":
                progress.begin(strictjson.text(message, "label"), strictjson.integer(message, "total"))
            case "advance":
                progress.advance(strictjson.integer(message, "amount"))
            case "end":
                progress.end()
            case "made":
                return frames.take(worker.answers, strictjson.integer(message, "size"))
            case "refused":
                return _refusal(message, on)
            case _:
                raise _failure(message, on)
    raise EOFError


def _refusal(message: strictjson.Object, on: str) -> RegistryError:
    kind = getattr(errors, strictjson.text(message, "class"), InvalidInput)
    where, hint = message["on"], message["hint"]
    error: RegistryError = kind(
        strictjson.text(message, "message"),
        on=str(where) if where else on,
        hint=str(hint) if hint else None,
    )
    return error


def _failure(message: strictjson.Object, on: str) -> InvalidModel:
    reason, kind = strictjson.text(message, "message"), strictjson.text(message, "type")
    return InvalidModel(
        f"ONNX Runtime's quantizer failed: {reason[:500] or kind} ({kind})",
        on=on,
        hint="leave the node in float (--exclude), or take another mode or --optimize",
    )


def _death(status: int, on: str) -> InvalidModel:
    return InvalidModel(
        f"the quantizing process died (status {status})",
        on=on,
        hint="`registry scan` the model; -9 may be for want of memory",
    )


@atexit.register
def close() -> None:
    """End the idle workers."""
    with _lock:
        ending = [worker for worker in _idle if worker.owner == os.getpid()]
        _idle.clear()
    for worker in ending:
        worker.end()
