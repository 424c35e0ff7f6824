"""Seccomp: system calls that a process denies itself (Linux, linux/seccomp.h; x86-64 and AArch64).

Computing needs none of them: sockets, further processes and threads, other programs, other processes' memory.
Where the processor is another one, or the kernel has no seccomp, the other limits hold without it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

_SET_SECCOMP, _FILTER = 22, 2  # linux/prctl.h
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h: of 32-bit words
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_ALLOW: Final = 0x7FFF0000
_DENY: Final = 0x00050000 | errno.EPERM


class _Machine(NamedTuple):
    """``architecture`` is AUDIT_ARCH_*; ``denied`` are numbers of calls, ``beyond`` the first of more."""

    architecture: int
    denied: tuple[int, ...]
    beyond: int


_MACHINES: Final = {
    "x86_64": _Machine(
        0xC000003E,
        (
            *(41, 42, 53),  # socket, connect, socketpair
            *(56, 57, 58, 435),  # clone, fork, vfork, clone3
            *(59, 322),  # execve, execveat
            *(62, 424, 438),  # kill, pidfd_send_signal, pidfd_getfd
            *(101, 310, 311),  # ptrace, process_vm_readv, process_vm_writev
            *(248, 249, 250),  # add_key, request_key, keyctl
            *(165, 272, 308),  # mount, unshare, setns
            *(298, 321, 323, 425),  # perf_event_open, bpf, userfaultfd, io_uring_setup
        ),
        0x40000000,  # the x32 interface has the same calls under other numbers
    ),
    "aarch64": _Machine(
        0xC00000B7,
        (  # the same calls, line by line
            *(198, 203, 199),
            *(220, 435),
            *(221, 281),
            *(129, 424, 438),
            *(117, 270, 271),
            *(217, 218, 219),
            *(40, 97, 268),
            *(241, 280, 282, 425),
        ),
        0x40000000,
    ),
}


class _Instruction(ctypes.Structure):
    """struct sock_filter."""

    _fields_ = (
        ("code", ctypes.c_uint16),
        ("then", ctypes.c_uint8),  # instructions to skip
        ("otherwise", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def machine() -> _Machine | None:
    """What to deny on this machine; None where that is not known."""
    return _MACHINES.get(os.uname().machine) if sys.maxsize > 1 << 32 else None


def deny_calls() -> None:
    """Deny the calls for good: they fail with EPERM. Needs PR_SET_NO_NEW_PRIVS."""
    known = machine()
    if known is None:
        return
    code = list(_filter(known))
    program = _Program(len(code), (_Instruction * len(code))(*code))
    ctypes.CDLL(None).prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0)


def _filter(known: _Machine) -> Iterator[_Instruction]:
    """Calls of another interface are denied, then those beyond, then each of the list."""
    left = len(known.denied)
    yield _Instruction(_LOAD, 0, 0, _ARCHITECTURE)
    yield _Instruction(_EQUAL, 0, left + 3, known.architecture)
    yield _Instruction(_LOAD, 0, 0, _NUMBER)
    yield _Instruction(_AT_LEAST, left + 1, 0, known.beyond)
    for at, number in enumerate(known.denied):
        yield _Instruction(_EQUAL, left - at, 0, number)
    yield _Instruction(_RETURN, 0, 0, _ALLOW)
    yield _Instruction(_RETURN, 0, 0, _DENY)
