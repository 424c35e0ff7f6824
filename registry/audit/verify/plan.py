"""Which entries there are to verify, and in which chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from registry.audit.verify.finding import Finding
from registry.audit.verify.source import Source

LEVEL: Final = 11  # of the tree: a chunk is the 2,048 entries below one node of it


@dataclass(frozen=True)
class Plan:
    """The ledger of one registry as a transaction sees it.

    ``begins`` are the chunks, in order, of 2^``level`` entries each; the last may have fewer. ``start`` is
    the first entry whose signature and right are asked for.
    """

    registry_id: str
    genesis: bytes
    count: int  # entries
    end: int  # after the last
    start: int
    level: int
    begins: tuple[int, ...]

    def chunk(self, begin: int) -> tuple[int, int]:
        """The entries of a chunk: the first, and the one after its last."""
        return begin, min(begin + (1 << self.level), self.end)


def make(
    source: Source, registry_id: str, genesis: bytes, start: int, level: int = LEVEL
) -> tuple[Plan, list[Finding]]:
    """The plan, and entries that lie outside of any ledger."""
    ((count, low, high),) = source.rows("SELECT count(*), min(seq), max(seq) FROM acts")
    if (low, high) == (0, count - 1):
        begins = tuple(range(0, count, 1 << level))
        return Plan(registry_id, genesis, count, count, start, level, begins), []
    places = [seq for (seq,) in source.stream("SELECT seq FROM acts ORDER BY seq")]
    right = [seq for seq in places if isinstance(seq, int) and seq >= 0]
    begins = tuple(sorted({seq >> level << level for seq in right}))
    plan = Plan(registry_id, genesis, len(right), max(right, default=-1) + 1, start, level, begins)
    return plan, list(_beside(places))


def _beside(places: list[object]) -> Iterator[Finding]:
    for seq in places:
        if not isinstance(seq, int) or seq < 0:
            yield Finding("missing-act", f"entry {seq}", "the ledger has no such place")
