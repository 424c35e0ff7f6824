"""The checks that need onnx or ONNX Runtime to load a file.

Both are C++ that was not written for hostile input: a few bytes make them hang, take all memory or die. So
they run in a process without rights, with bounds on time and memory, and its death is a finding. A check
against accidents and crashes of the loader, not against whoever has taken that process over: such a one can
answer whatever it likes. The static rules come first.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import closing
from typing import Final

from registry.errors import Malformed, Unavailable
from registry.onnx.child.asking import Asked, End
from registry.onnx.child.lean import lean
from registry.onnx.child.limits import DEFAULT, Limits
from registry.onnx.child.parcel import packed
from registry.onnx.child.remembered import SMALL, Remembered, key_of
from registry.onnx.child.rules import finding
from registry.onnx.findings import Finding
from registry.onnx.wire import Buffer
from registry.strictjson import only, parse_object, text

_ANSWER: Final = 1 << 14  # bytes
_SAID: Final = 200  # characters
_NAMES: Final = {"check": "checker", "load": "runtime"}
_WHO: Final = {"check": "onnx.checker", "load": "ONNX Runtime"}

_remembered: Final = Remembered()
os.register_at_fork(
    before=_remembered.hold, after_in_parent=_remembered.let_go, after_in_child=_remembered.let_go
)


def examine(files: Mapping[str, Buffer], path: str, *, limits: Limits = DEFAULT) -> tuple[Finding, ...]:
    """What onnx.checker and ONNX Runtime make of the ONNX file at ``path`` of ``files`` (version-relative
    POSIX path to content), each in a confined process.

    Never raises for what is in a file. Raises Unavailable where this machine starts no process.
    """
    size = sum(memoryview(data).nbytes for data in files.values())
    if size > SMALL:
        return _examined(files, path, limits.scaled(size))
    key = key_of(files, path, limits)
    known = _remembered.get(key)
    if known is None:
        known = _examined(files, path, limits.scaled(size))
        _remembered.put(key, known)
    return known


def _examined(files: Mapping[str, Buffer], path: str, bound: Limits) -> tuple[Finding, ...]:
    try:
        with (
            packed(*lean(files, path)) as parcel,
            closing(Asked("check", path, parcel, bound)) as checking,
            closing(Asked("load", path, parcel, bound)) as loading,
        ):
            ends = {"check": checking.wait(), "load": loading.wait()}
    except OSError as error:
        raise Unavailable(
            f"the model cannot be handed to the process that looks at it: {error.strerror}",
            on=path,
            hint="free memory or open files, and try again",
        ) from error
    found = (_judged(job, path, end, bound) for job, end in ends.items())
    return tuple(one for one in found if one is not None)


def _judged(job: str, path: str, end: End, bound: Limits) -> Finding | None:
    how, message = _died(end, bound) if end.code or end.starved else _answered(job, end)
    return finding(f"{_NAMES[job]}-{how}", path, f"{_WHO[job]} {message}") if how else None


def _answered(job: str, end: End) -> tuple[str, str]:
    """The kind of finding ("" for none) and its message, from the answer of a process that ended well."""
    try:
        answer = parse_object(end.answer, limit=_ANSWER)
        only(answer, ("outcome", "reason"))
        outcome, reason = text(answer, "outcome"), text(answer, "reason")
    except Malformed:
        return "crash", "left a process that answered nonsense"
    if outcome == "fine" or (outcome == "unread" and job == "check"):  # loading tells of that one
        return "", ""
    if outcome == "memory":
        return "memory", f"wants more memory than there is for it: {reason}"
    return "refused", f"refuses the model: {reason}"


def _died(end: End, bound: Limits) -> tuple[str, str]:
    if end.late or end.code == -signal.SIGXCPU:
        spent = f"{bound.wall:.0f} seconds" if end.late else f"{bound.cpu:.0f} seconds of computing"
        return "hang", f"had come to no end after {spent}"
    if end.starved or end.code == -signal.SIGKILL:  # the system's last means against who takes too much
        return "memory", f"wants more memory than {bound.memory >> 20} MiB"
    lines = end.talk.strip().splitlines() or [""]
    return "crash", " ".join(f"died: {_cause(end.code)} {lines[-1][:_SAID]}".split())


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
