"""A process that verifies chunks: an interpreter of its own, with its own connection and its own law."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import IO, NoReturn

import msgspec

from registry.audit.verify import wire
from registry.audit.verify.chunk import Report, Verifier
from registry.audit.verify.counts import check_activity
from registry.audit.verify.lawful import read_law
from registry.audit.verify.source import Source
from registry.records.database import open_engine, reading


def main() -> NoReturn:
    """Read the request from standard input, write reports to standard output, and end."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints does not get between the reports
    sys.excepthook = lambda _kind, error, _trace: _tell(out, wire.failed(error))  # the other side raises it
    parent = os.getppid()
    request = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=wire.Request)
    for report in _reports(request):
        _tell(out, wire.told(report))
        if os.getppid() != parent:
            break  # nobody reads this any more
    os._exit(0)


def _tell(out: IO[bytes], message: bytes) -> None:
    try:
        out.write(message)
        out.flush()
    except BrokenPipeError:
        os._exit(1)


def _reports(request: wire.Request) -> Iterator[Report]:
    with reading(open_engine(request.url)) as connection:
        source = Source(connection)
        lawful = read_law(source, request.registry_id, request.genesis, request.end)
        verifier = Verifier(source, lawful, request.start)
        for begin, end in request.chunks:
            yield from verifier.verify(begin, end)
        if request.counts:
            found = [(one.code, one.on, one.detail) for one in check_activity(source)]
            yield Report(-1, [], last=True, findings=found)
