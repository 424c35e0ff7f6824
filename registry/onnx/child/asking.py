"""One job, asked of the zygote, and how it ended."""

from __future__ import annotations

import os
import select
from contextlib import ExitStack
from typing import Final, NamedTuple

from registry.errors import Malformed, Unavailable
from registry.onnx.child import keeper
from registry.onnx.child.limits import Limits
from registry.onnx.child.parcel import Parcel
from registry.strictjson import boolean, integer, only, parse_object

_PIPE: Final = 1 << 16  # bytes: what a pipe holds without a reader
_TAIL: Final = 4096  # bytes of talk that are kept
_NO_MEMORY: Final = (b"bad_alloc", b"MemoryError")
_GRACE: Final = 60.0  # seconds beyond the limit, for the zygote to start and to keep time itself
_TRIES: Final = 3


class End(NamedTuple):
    """How a confined process ended: its exit code, or minus the signal; whether its time was up; what it
    answered; the end of what it said on the way, and whether it spoke of memory that it was not given.

    Of the last three nothing may be believed: a hostile file may have taken the process over.
    """

    code: int
    late: bool
    answer: bytes
    talk: str
    starved: bool


class _Talk:
    """Takes in whatever a process says, and keeps the end of it."""

    def __init__(self) -> None:
        self.tail = b""
        self.starved = False

    def hear(self, data: bytes) -> None:
        self.tail += data
        self.starved = self.starved or any(words in self.tail for words in _NO_MEMORY)
        self.tail = self.tail[-_TAIL:]


class _Pipes(NamedTuple):
    """Our ends of a job's pipes, all of them non-blocking."""

    answer: int
    talk: int
    end: int


class Asked:
    """A job under way; close it, whatever comes."""

    def __init__(self, job: str, path: str, parcel: Parcel, limits: Limits) -> None:
        self._request: dict[str, object] = {"job": job, "path": path, "cpu": limits.cpu}
        self._request |= {"wall": limits.wall, "memory": limits.memory}
        self._parcel, self._wall = parcel, limits.wall
        self._open = ExitStack()
        self._pipes = self._begun()

    def close(self) -> None:
        self._open.close()

    def wait(self) -> End:
        """Wait for the end. Raises Unavailable where process after process dies that should run the job."""
        for _ in range(_TRIES):
            end = self._ended()
            if end is not None:
                return end
            self.close()
            self._pipes = self._begun()
        raise Unavailable(
            "the process that looks at models does not start",
            on=str(self._request["path"]),
            hint="try `python -c 'import onnx, onnxruntime'`, and see that memory and processes are free",
        )

    def _begun(self) -> _Pipes:
        """Send the request. Where nobody takes it, the pipe for the end closes, and ``wait`` asks again."""
        ours, theirs = [], []
        with ExitStack() as kept, ExitStack() as sent:
            for _ in _Pipes._fields:
                read, write = os.pipe()
                kept.callback(os.close, read)
                sent.callback(os.close, write)
                os.set_blocking(read, False)
                ours.append(read)
                theirs.append(write)
            keeper.send(self._request, [sent.enter_context(self._parcel.handed()), *theirs])
            self._open = kept.pop_all()
        return _Pipes(*ours)

    def _ended(self) -> End | None:
        """None where the zygote is gone, or says nothing."""
        talk, poll = _Talk(), select.poll()
        poll.register(self._pipes.end, select.POLLIN)
        poll.register(self._pipes.talk, select.POLLIN)
        while ready := dict(poll.poll(1000 * (self._wall + _GRACE))):
            if self._pipes.talk in ready and not self._listen(talk):
                poll.unregister(self._pipes.talk)
            if self._pipes.end in ready:
                return self._told(talk)
        keeper.discard()
        return None

    def _listen(self, talk: _Talk) -> bool:
        """Whether there may be more to come."""
        data = _read(self._pipes.talk)
        talk.hear(data)
        return bool(data)

    def _told(self, talk: _Talk) -> End | None:
        try:
            found = parse_object(_read(self._pipes.end), limit=_PIPE)
            only(found, ("code", "late"))
            code, late = integer(found, "code", low=-255, high=255), boolean(found, "late")
        except Malformed:  # cut short: it died itself
            return None
        while self._listen(talk):
            pass
        return End(code, late, _read(self._pipes.answer), talk.tail.decode("utf-8", "replace"), talk.starved)


def _read(descriptor: int) -> bytes:
    """What lies in the pipe now, up to 64 KiB."""
    try:
        return os.read(descriptor, _PIPE)
    except BlockingIOError:
        return b""
