"""Landlock: a process shuts itself out of the file system and the network (Linux 5.13 and later).

Whoever takes over a process through a hostile file finds nothing to read there, and nobody to send it to.
Where the kernel has no Landlock the other limits hold without it.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

# The same numbers on every architecture.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_VERSION: Final = 1  # flag of the first: tell the version of the interface
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    """struct landlock_ruleset_attr: what is denied wherever no rule allows it."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def version() -> int:
    """The version of the kernel's interface; less than 1 where it has none."""
    found: int = _LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    return found


def shut_in() -> None:
    """Deny this process, for good, every file that it has not open, TCP, and signals to others, as far as the
    kernel knows how to. Needs PR_SET_NO_NEW_PRIVS."""
    if version() < 1:
        return
    denied, size = _denied(version())
    ruleset = _LIBC.syscall(_CREATE_RULESET, ctypes.byref(denied), ctypes.c_size_t(size), 0)
    if ruleset >= 0:
        _LIBC.syscall(_RESTRICT_SELF, ruleset, 0)
        os.close(ruleset)


def _denied(version: int) -> tuple[_Ruleset, int]:
    """Everything that a version can deny, and how much of the structure it knows."""
    bits = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)  # kinds of access to files
    files = (1 << bits) - 1
    if version < 4:
        return _Ruleset(files, 0, 0), 8
    if version < 6:
        return _Ruleset(files, 0b11, 0), 16  # bind and connect
    return _Ruleset(files, 0b11, 0b11), 24  # abstract sockets and signals
