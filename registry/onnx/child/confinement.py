"""What a process gives up before it looks at a file that may be hostile."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from typing import Final

from registry.onnx.child.landlock import shut_in
from registry.onnx.child.limits import Limits
from registry.onnx.child.seccomp import deny_calls

# linux/prctl.h
_PDEATHSIG: Final = 1
_DUMPABLE: Final = 4
_NO_NEW_PRIVS: Final = 38

_LIBC: Final = ctypes.CDLL(None)
_DESCRIPTORS: Final = 16


def confine(limits: Limits, parent: int) -> None:
    """Limit this process for good. It dies with ``parent``, the process that forked it.

    No core dumps, no file opened or written, no socket, no further process, no program executed; nobody
    without privileges can attach to it or read its memory.
    """
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we had asked to be told
        os._exit(1)
    _prctl(_DUMPABLE, 0)
    _prctl(_NO_NEW_PRIVS, 1)
    cpu = max(1, round(limits.cpu))
    _limit(resource.RLIMIT_CPU, cpu, cpu + 1)  # SIGXCPU, and a second later SIGKILL
    _limit(resource.RLIMIT_AS, address_space() + limits.memory)
    shut_in()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_NOFILE, _DESCRIPTORS)
    deny_calls()


def keep_private() -> None:
    """No core dumps of this process, and nobody without privileges attaches to it."""
    _prctl(_DUMPABLE, 0)
    _limit(resource.RLIMIT_CORE, 0)


def address_space() -> int:
    """Bytes that this process has mapped."""
    with open("/proc/self/statm", "rb") as told:
        return int(told.read().split()[0]) * resource.getpagesize()


def _limit(which: int, soft: int, hard: int | None = None) -> None:
    ceiling = resource.getrlimit(which)[1]
    wanted = soft if hard is None else hard
    highest = wanted if ceiling == resource.RLIM_INFINITY else min(wanted, ceiling)
    resource.setrlimit(which, (min(soft, highest), highest))


def _prctl(option: int, argument: int) -> None:
    """Best effort: where the kernel knows no such option, the limits still hold."""
    _LIBC.prctl(option, ctypes.c_ulong(argument), 0, 0, 0)
