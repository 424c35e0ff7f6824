"""Which entries there are to verify, and in which chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from registry.audit.verify.chunk import SIZE
from registry.audit.verify.finding import Finding
from registry.audit.verify.source import Source


@dataclass(frozen=True)
class Plan:
    """The ledger of one registry as a transaction sees it. ``begins`` are the chunks, in order.

    ``start`` is the first entry whose signature and right are asked for.
    """

    registry_id: str
    genesis: bytes
    count: int  # entries
    end: int  # after the last
    start: int
    begins: tuple[int, ...]

    def chunk(self, begin: int) -> tuple[int, int]:
        """The entries of a chunk: the first, and the one after its last."""
        return begin, min(begin + SIZE, self.end)


def make(source: Source, registry_id: str, genesis: bytes, start: int) -> tuple[Plan, list[Finding]]:
    """The plan, and entries that lie outside of any ledger."""
    ((count, low, high),) = source.rows("SELECT count(*), min(seq), max(seq) FROM acts")
    if (low, high) == (0, count - 1):
        return Plan(registry_id, genesis, count, count, start, tuple(range(0, count, SIZE))), []
    places = [seq for (seq,) in source.stream("SELECT seq FROM acts ORDER BY seq")]
    right = [seq for seq in places if isinstance(seq, int) and seq >= 0]
    begins = tuple(sorted({seq - seq % SIZE for seq in right}))
    plan = Plan(registry_id, genesis, len(right), max(right, default=-1) + 1, start, begins)
    return plan, list(_beside(places))


def _beside(places: list[object]) -> Iterator[Finding]:
    for seq in places:
        if not isinstance(seq, int) or seq < 0:
            yield Finding("missing-act", f"entry {seq}", "the ledger has no such place")
