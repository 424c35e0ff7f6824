"""Messages between a process and its quantizing worker: a length, a JSON object, then raw bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import IO, Any

from registry import strictjson

_LENGTH = struct.Struct(">I")
_MESSAGE = 1 << 24  # bytes of a JSON object
_PIECE = 1 << 24  # bytes written at once


def send(stream: IO[bytes], message: dict[str, Any], payload: Iterable[bytes | memoryview] = ()) -> None:
    """Write a message and the bytes that belong to it. Raises OSError where nobody reads."""
    data = strictjson.canonical(message)
    stream.write(_LENGTH.pack(len(data)) + data)
    for piece in payload:
        view = memoryview(piece).cast("B")
        for at in range(0, len(view), _PIECE):
            stream.write(view[at : at + _PIECE])
    stream.flush()


def receive(stream: IO[bytes]) -> strictjson.Object | None:
    """The next message, None at the end. Raises Malformed, or EOFError in the middle of one."""
    head = stream.read(_LENGTH.size)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head.ljust(_LENGTH.size, b"\0"))
    return strictjson.parse_object(bytes(take(stream, length)), limit=_MESSAGE)


def take(stream: IO[bytes], size: int) -> bytearray:
    """Exactly ``size`` bytes. Raises EOFError."""
    found = bytearray(size)
    view, at = memoryview(found), 0
    while at < size:
        got = stream.readinto(view[at:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError("the other side has gone")
        at += got
    return found
