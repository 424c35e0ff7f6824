"""Pushes under way. A lease keeps ``gc`` from a push's blobs until the push ends or its owner is gone."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from registry.acts import timestamp
from registry.records.tables import leases

_GONE = ":gone"
TERM = timedelta(minutes=15)  # without a renewal an owner on another machine counts as gone


def take(connection: sa.Connection, push: str, model: str, now: datetime) -> None:
    """Take the lease, renew it, or take over one whose owner is gone."""
    connection.execute(sa.delete(leases).where(leases.c.push == push))
    owner = {"host": socket.gethostname(), "process": _process(os.getpid())}
    connection.execute(
        sa.insert(leases), {"push": push, "model": model, **owner, "expires": timestamp(now + TERM)}
    )


def end(connection: sa.Connection, push: str) -> None:
    """Give the lease back."""
    connection.execute(sa.delete(leases).where(leases.c.push == push))


def active(connection: sa.Connection, now: datetime) -> frozenset[str]:
    """The pushes that may still be under way."""
    rows = connection.execute(sa.select(leases))
    return frozenset(row.push for row in rows if _alive(row.host, row.process, row.expires, timestamp(now)))


def drop_dead(connection: sa.Connection, now: datetime) -> None:
    """Forget the leases whose owners are gone."""
    connection.execute(sa.delete(leases).where(leases.c.push.not_in(active(connection, now))))


def _alive(host: str, process: str, expires: str, now: str) -> bool:
    if host == socket.gethostname():
        pid = process.partition(":")[0]
        known = pid.isascii() and pid.isdigit() and not process.endswith(_GONE)
        return known and _process(int(pid)) == process
    return expires > now


def _process(pid: int) -> str:
    """The process as ``PID:START``; the start time tells it from a later one with the same number."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return f"{pid}:{stat.rpartition(')')[2].split()[19]}"  # field 22 of proc(5): starttime
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return f"{pid}{_GONE}"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return f"{pid}{_GONE}"
    except PermissionError:
        pass
    return f"{pid}:alive"
