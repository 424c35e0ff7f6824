"""From where people and machines act, with which program, and how wrong their clocks are."""

from __future__ import annotations

import zlib
from functools import lru_cache

from benchmarks.ledgers.company import Member
from benchmarks.ledgers.moments import DAY, MINUTE, SECOND
from registry.acts import Client

_PROGRAMS = ("0.1.0", "0.1.1", "0.2.0", "0.3.0", "0.3.2")
_TERM = 160 * DAY  # of one version of the program
_POD = 45 * DAY  # of one machine of a service
_RUNNERS = 24


@lru_cache(maxsize=65536)
def _client(name: str, kind: str, term: int, pod: int) -> Client:
    program = _PROGRAMS[min(term, len(_PROGRAMS) - 1)]
    if kind == "service":
        host = f"{name}-{_check(name, pod):08x}"
    elif kind == "ci":
        host = f"runner-{_check(name, pod) % _RUNNERS:02}"
    else:
        host = f"ws-{_check(name, pod // 12) % 10_000:04}"
    return Client(f"hallmark/{program}", host)


def client_of(member: Member, moment: int) -> Client:
    """The client by which a member acts at a moment; not everybody upgrades at once."""
    lag = _check(member.name, 0) % 60 * DAY
    return _client(member.name, member.kind, max(0, moment - lag) // _TERM, (moment + lag) // _POD)


@lru_cache(maxsize=65536)
def skew(host: str) -> int:
    """How far a host's clock is off, in microseconds: most are right, a few by minutes."""
    drawn = _check(host, 1)
    if drawn % 40:
        return 0
    return (drawn % 1_200 - 600) * SECOND if drawn % 400 == 0 else (drawn % 4 - 2) * MINUTE


def _check(name: str, number: int) -> int:
    return zlib.crc32(f"{name} {number}".encode())
