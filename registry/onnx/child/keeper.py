"""Keeps the zygote: starts it when it is first needed, asks it, starts another where it is gone.

There is one for each process of ours. It holds nothing of ours but one socket: no environment, no descriptor.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final, NamedTuple

from registry.errors import Unavailable

_ROOT: Final = Path(__file__).parents[3]  # where the package itself lies
_BOOT: Final = (
    "import json, socket, sys\n"
    "sys.path[:] = json.loads(sys.argv[2])\n"
    "from registry.onnx.child.zygote import main\n"
    "main(socket.socket(fileno=int(sys.argv[1])))\n"
)
# Telemetry off: it would start a thread, write into the home directory, and talk to the network.
_ENVIRONMENT: Final = {"ORT_DISABLE_TELEMETRY": "1", "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
_PATIENCE: Final = 60.0  # seconds, to start and to take a request


class _Zygote(NamedTuple):
    process: subprocess.Popen[bytes]
    control: socket.socket

    def end(self) -> None:
        """Kill it: what it forked dies with it."""
        self.control.close()
        self.process.kill()
        self.process.wait()


class _Kept:
    """The zygote of this process, if there is one; ``lock`` guards it and what is sent to it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.zygote: _Zygote | None = None

    def end(self) -> None:
        with self.lock:
            zygote, self.zygote = self.zygote, None
        if zygote is not None:
            zygote.end()

    def forget(self) -> None:
        """In a fork of this process: its parent's zygote is not its own."""
        self.lock = threading.Lock()
        zygote, self.zygote = self.zygote, None
        if zygote is not None:
            zygote.control.close()
            zygote.process.returncode = 0  # no child of this process: nothing to wait for, or to warn of


_kept = _Kept()
atexit.register(_kept.end)
os.register_at_fork(after_in_child=_kept.forget)


def prewarm() -> None:
    """Start the zygote, unless it runs: it is then ready a few tenths of a second later. Does not wait.

    Raises Unavailable where no process can be started.
    """
    with _kept.lock:
        _running()


def discard() -> None:
    """Kill the zygote, with all that it runs: it does not keep its time."""
    _kept.end()


def send(request: dict[str, object], descriptors: list[int]) -> bool:
    """Hand a request to the zygote; False where it turned out to be gone: the next one is another.

    Raises Unavailable where no process can be started.
    """
    data = json.dumps(request).encode()
    with _kept.lock:
        zygote = _running()
        try:
            socket.send_fds(zygote.control, [data], descriptors)
        except OSError:
            _kept.zygote = None
            zygote.end()
            return False
    return True


def _running() -> _Zygote:
    found = _kept.zygote
    if found is not None and found.process.poll() is None:
        return found
    if found is not None:
        found.end()
    _kept.zygote = _start()
    return _kept.zygote


def _start() -> _Zygote:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(_PATIENCE)
    code = ["-I", "-S", "-B", "-c", _BOOT, str(theirs.fileno()), json.dumps(_paths())]
    with theirs:
        try:
            process = subprocess.Popen(
                [sys.executable, *code],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_ENVIRONMENT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a Ctrl-C is ours to handle
            )
        except OSError as error:
            ours.close()
            raise Unavailable(
                f"no process can be started to look at the model in: {error.strerror}",
                on=sys.executable,
                hint="free memory or processes, and try again",
            ) from error
    return _Zygote(process, ours)


def _paths() -> list[str]:
    """Where this process finds modules; nothing that depends on the working directory."""
    return [*(path for path in sys.path if os.path.isabs(path)), str(_ROOT)]
