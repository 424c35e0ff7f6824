"""Checking an exported range of the ledger: with the directory and the registry id, and with nothing else.

Every entry's signature, the right of whoever signed it, its place in the chain of the law and in the tree;
that the entries lead from the one checkpoint to the other, and that nothing is missing between.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry import acts
from registry.audit import document
from registry.audit.checking import check_registry, of_law
from registry.audit.document import MAX_RANGE, Range
from registry.audit.exporting import CHECKPOINT, ENTRIES, LAW, PROOF, SINCE
from registry.audit.parcel import Parcel, opened
from registry.audit.replayed import Replay
from registry.audit.seenby import witnesses
from registry.audit.verify.lawful import Lawful
from registry.crypto import dsse, merkle
from registry.crypto.checkpoint import MAX_NOTE, Checkpoint, open_checkpoint, origin_of
from registry.crypto.frontier import Frontier
from registry.crypto.witnessed import Demand
from registry.errors import BadAuthority, BadCheckpoint, BadProof, Malformed
from registry.judge import authorised
from registry.law.law import Law, from_genesis
from registry.ledger import Entry, Proof
from registry.progress import SILENT, Progress


@dataclass(frozen=True)
class CheckedRange:
    """What an export has shown: entries ``start`` up to, not including, ``end``, every one of them."""

    registry_id: str
    start: int
    end: int
    root: str  # of the tree at ``end``
    since: str | None  # the root at ``start``; None where the range begins at the genesis act
    law: int  # acts of the law up to ``end``
    first: str  # times of the first and the last entry, as their signers say; "" for none
    last: str
    witnesses: tuple[str, ...]  # those demanded that have seen all of it; empty where none was demanded

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**vars(self), "acts": self.end - self.start, "witnesses": list(self.witnesses)}


def check_range(
    path: Path,
    registry_id: str,
    demand: Demand | None = None,
    *,
    held: str | None = None,
    progress: Progress = SILENT,
) -> CheckedRange:
    """Check an exported directory. ``held`` is a checkpoint of one's own, which the range must begin after.

    Raises NotFound, Malformed, WrongRegistry, BadCheckpoint, BadProof, BadAuthority or BadSignature.
    """
    with opened(path) as parcel:
        said = document.read(parcel.read(PROOF, MAX_RANGE), Range, MAX_RANGE)
        check_registry(said.registry, registry_id)
        lawful = _lawful(parcel, registry_id)
        law = lawful.law
        note = parcel.note(CHECKPOINT, MAX_NOTE)
        new = open_checkpoint(note, origin_of(registry_id), law.ledger)
        old = _old(parcel, law, new)
        if held is not None:
            _check_held(open_checkpoint(held, new.origin, law.ledger), old)
        tree = _joint(law, said, old, new)
        seen = witnesses(demand, note, new.origin, law.ledger, said.witnessed, new.size)
        entries = Replay(parcel, lawful, old.size, new.size)
        entries.enact()
        first = last = ""
        for act in entries.acts(tree, progress):
            first, last = first or act.header.time, act.header.time
    if (tree.size, tree.root()) != (new.size, new.root):
        raise BadProof("the entries are not those of the checkpoint", on=f"entries {old.size} to {new.size}")
    since = old.root.hex() if old.size else None
    return CheckedRange(
        registry_id, old.size, new.size, new.root.hex(), since, law.state.position, first, last, seen
    )


def _lawful(parcel: Parcel, registry_id: str) -> Lawful:
    """The law before the range; of a range from the beginning, the genesis act, which is its first entry."""
    if not parcel.has_since and next(parcel.lines(LAW), None) is not None:
        raise Malformed("the export shows a law before its beginning", on=LAW)
    lines = parcel.lines(LAW if parcel.has_since else ENTRIES)
    genesis = next(lines, None)
    if genesis is None:
        raise Malformed("the export has no genesis act", on=LAW if parcel.has_since else ENTRIES)
    document.entry(genesis)
    lawful = Lawful(from_genesis(genesis, registry_id))
    if parcel.has_since:
        for place, line in enumerate(lines, 1):
            document.entry(line)
            with of_law(place):
                lawful.follow(line, 0)  # where it lies nobody says: before the range
    return lawful


def _old(parcel: Parcel, law: Law, new: Checkpoint) -> Checkpoint:
    if not parcel.has_since:
        return Checkpoint(new.origin, 0, merkle.EMPTY)
    old = open_checkpoint(parcel.note(SINCE, MAX_NOTE), new.origin, law.ledger)
    if old.size == 0:
        raise BadCheckpoint("the export begins after a checkpoint of nothing", on=SINCE)
    return old


def _check_held(held: Checkpoint, old: Checkpoint) -> None:
    """Raise BadCheckpoint where a range begins elsewhere than the checkpoint held, or in another history."""
    if held == old:
        return
    if held.size == old.size:
        raise BadCheckpoint(
            "the range goes on from another history than the checkpoint that you hold",
            on=f"two roots at {held.size} entries",
            hint="keep both: each is signed by the ledger's key, and together they prove the fork",
        )
    raise BadCheckpoint(
        "the range does not begin where the checkpoint that you hold ends",
        on=f"it begins at {old.size}, you hold {held.size}",
        hint="ask for: registry audit export --since with your checkpoint",
    )


def _joint(law: Law, said: Range, old: Checkpoint, new: Checkpoint) -> Frontier:
    """The tree before the range, which the newest one extends, and whose last entry names the law shown."""
    merkle.verify_consistency(old.size, old.root, new.size, new.root, said.consistency)
    tree = Frontier(old.size, said.subtrees)
    if tree.root() != old.root:
        raise BadProof("the subtrees are not those of the checkpoint before", on=f"{old.size} entries")
    if (said.before is None) != (old.size == 0):
        raise Malformed("the export does not show the last entry before it", on=f"entry {old.size - 1}")
    if said.before is not None:
        before = Proof(Entry(said.before.index, said.before.entry.raw), said.before.path)
        before.check(new)
        if before.entry.seq != old.size - 1:
            raise BadProof("the entry shown is not the last one before", on=f"entry {before.entry.seq}")
        if old.size > 1:  # else it is the genesis act, which begins the law
            authorised(law, before.entry.envelope)
        _check_head(law, before.entry.envelope)
    return tree


def _check_head(law: Law, before: bytes) -> None:
    """The law that is shown ends where the last entry before the range says."""
    act = acts.decode(dsse.Envelope.from_bytes(before).payload)
    if law.head != (act.digest if act.is_law else act.header.law):
        raise BadAuthority("the law shown is not the one that the range begins under", on=LAW)
