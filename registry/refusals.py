"""Refusals in the ledger: told one by one, and counted where they come in floods.

Within an hour at most ``TOLD`` refusals of one member are written in full; the rest are counted, and the
count is written with the first act or refusal after the hour. Everybody whom no signature proves shares one
tally. So what a flood can write is bounded by the number of members.

The counts lie beside the ledger until they are written: whoever writes the database can change those of the
present hour, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from registry.acts import Act, Refusal, timestamp
from registry.errors import RegistryError
from registry.records.tables import tallies

TERM = timedelta(hours=1)
TOLD = 20  # of one member in one term
_MESSAGE = 255  # characters of a text from outside
_TARGET = 300  # the longest model's name and its version fit


@dataclass(frozen=True)
class Attempt:
    """What was refused: by whom ("" where no signature proves it), what kind of act, on what."""

    member: str
    kind: str
    target: str
    act: str | None = None  # its digest


def attempt(act: Act | None, member: str) -> Attempt:
    """The attempt that an act is. ``act`` is None where it does not even parse."""
    if act is None:
        return Attempt(member, "", "")
    version = f"{act.model}:{act.number}" if act.number is not None else None
    return Attempt(member, act.kind, version or act.target or act.model or "", act.digest)


def tell(connection: sa.Connection, tried: Attempt, error: RegistryError, now: datetime) -> list[Refusal]:
    """Count a refusal; return what is to be written in the ledger about it, and about the terms before."""
    written = due(connection, now)
    fresh: dict[str, Any] = {"member": tried.member, "since": timestamp(now), "told": 0, "counted": 0}
    tally = _tally(connection, tried.member) or fresh
    told = tally["told"] < TOLD
    if told:
        written.append(_full(tried, error, now))
    counts = {"told": tally["told"] + told, "counted": tally["counted"] + (not told)}
    connection.execute(sa.delete(tallies).where(tallies.c.member == tried.member))
    connection.execute(sa.insert(tallies), {**tally, **counts})
    return written


def due(connection: sa.Connection, now: datetime) -> list[Refusal]:
    """The counts whose term is over; each is returned once."""
    # A term that begins in the future would never be over: the clock was wrong, or somebody wrote that.
    begin, end = timestamp(now - TERM), timestamp(now + TERM)
    over = sa.or_(tallies.c.since <= begin, tallies.c.since > end)
    found = [dict(row._mapping) for row in connection.execute(sa.select(tallies).where(over))]
    if found:
        connection.execute(sa.delete(tallies).where(over))
    return [refusal for tally in found for refusal in _summary(tally)]


def _summary(tally: dict[str, Any]) -> list[Refusal]:
    """What is written about the refusals that were only counted."""
    told = {"member": tally["member"], "count": tally["counted"], "since": tally["since"]}
    try:
        return [msgspec.convert(told, Refusal)] if tally["counted"] else []
    except msgspec.ValidationError:
        return []  # no count that the door wrote: it must not keep the door from its work


def _full(tried: Attempt, error: RegistryError, now: datetime) -> Refusal:
    return Refusal(
        member=tried.member,
        count=1,
        since=timestamp(now),
        code=error.code,
        message=_printable(str(error), _MESSAGE),
        attempt=tried.kind,
        target=_printable(tried.target, _TARGET),
        act=tried.act,
    )


def _printable(text: str, limit: int) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:limit])


def _tally(connection: sa.Connection, member: str) -> dict[str, Any] | None:
    row = connection.execute(sa.select(tallies).where(tallies.c.member == member)).first()
    return dict(row._mapping) if row else None
