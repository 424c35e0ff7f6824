"""What goes between the processes of a verification: one request, and reports, each after its length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Final

import msgspec

from registry.audit.verify.chunk import Report
from registry.errors import RegistryError

_LENGTH: Final = 8  # bytes


class Request(msgspec.Struct, array_like=True):
    """Which chunks of which ledger a process verifies, and whether it counts the activity afterwards."""

    url: str
    registry_id: str
    genesis: bytes
    end: int
    start: int
    chunks: tuple[tuple[int, int], ...]
    counts: bool


class Failed(msgspec.Struct, array_like=True, tag=True):
    """An error that ended a process."""

    code: str
    message: str
    on: str | None
    hint: str | None


class _Told(msgspec.Struct, array_like=True, tag=True):
    report: Report


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Failed | _Told).decode


def told(report: Report) -> bytes:
    """A report, to be sent."""
    return _framed(_encode(_Told(report)))


def failed(error: BaseException) -> bytes:
    """An error, to be sent."""
    if isinstance(error, RegistryError):
        return _framed(_encode(Failed(error.code, error.message, error.on, error.hint)))
    return _framed(_encode(Failed("error", f"{type(error).__name__}: {error}", None, None)))


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(_LENGTH, "big") + data


def receive(pipe: IO[bytes]) -> bytes | None:
    """The next message; None where there is none, or not all of it."""
    head = pipe.read(_LENGTH)
    length = int.from_bytes(head, "big")
    data = pipe.read(length) if len(head) == _LENGTH else b""
    return data if data and len(data) == length else None


def unpacked(data: bytes) -> Report:
    """The report in a message. Raises the error that ended the process."""
    message = _decode(data)
    if isinstance(message, _Told):
        return message.report
    kind = next((one for one in _kinds(RegistryError) if one.code == message.code), RegistryError)
    raise kind(message.message, on=message.on, hint=message.hint)


def _kinds(of: type[RegistryError]) -> Iterator[type[RegistryError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from _kinds(kind)
