"""Access: what a decision, a sealed key, a revocation and a reading of the law cost, and how that grows."""

from __future__ import annotations

from benchmarks import deciding, replaying, rotating, sealing
from benchmarks.deciding import Door
from benchmarks.measure import Entry
from benchmarks.population import populate
from benchmarks.workplace import Workplace

TITLE = "Access"
_GRANTS = (10, 100, 1_000, 10_000)


def measure(place: Workplace) -> list[Entry]:
    """All of it in this process, but for the first reading of the law."""
    doors = {grants: Door(populate(place.fresh("-populated"), grants)) for grants in _GRANTS}
    try:
        # The law is replayed before pulls make the ledgers longer.
        replayed = replaying.measure(place, doors)
        grown = deciding.growth(place, doors)
        decided = deciding.one(place, doors[max(doors)])
    finally:
        for door in doors.values():
            door.made.context.close()
    return [*decided, *sealing.measure(place), *rotating.measure(place), *grown, *replayed]
