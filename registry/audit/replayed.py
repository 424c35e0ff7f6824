"""The entries of an export replayed, in two passes over the file.

The first finds the acts of the law among them and extends the law by each; the second verifies every entry
under the law of its place, and lets the tree grow by it. What the file says in the second pass alone counts:
bytes that change between the two are refused, like those that were wrong from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from registry import acts
from registry.acts import Act
from registry.audit.exporting import ENTRIES
from registry.audit.parcel import Parcel
from registry.crypto import dsse, merkle
from registry.crypto.frontier import Frontier
from registry.errors import BadAuthority, BadProof, Malformed, Untrusted
from registry.judge import authorised
from registry.law.law import Law, from_genesis
from registry.progress import Progress

_LAW: Final = frozenset(f"{acts.PREDICATE_BASE}{kind}/v1" for kind in acts.LAW)


class _Envelope(msgspec.Struct):
    payload: bytes


class _Statement(msgspec.Struct):
    kind: str = msgspec.field(name="predicateType")


def enact(parcel: Parcel, law: Law, start: int, end: int) -> None:
    """Extend the law by its acts among the entries ``start`` up to ``end``. Raises Untrusted."""
    seq = start
    for line in parcel.lines(ENTRIES):
        if seq == end:
            raise BadProof("the export has more entries than its checkpoints say", on=f"entry {seq}")
        with _named(seq):
            if _is_law(line) and seq:
                law.follow(line, seq)
        seq += 1
    if seq != end:
        raise BadProof("entries are missing at the end of the export", on=f"{seq} of {end}")


def replay(parcel: Parcel, law: Law, tree: Frontier, end: int, progress: Progress) -> Iterator[Act]:
    """Every entry from the tree's edge up to ``end``, verified; the tree grows by each. Raises Untrusted."""
    progress.begin("checking entries", parcel.size(ENTRIES))
    for line in parcel.lines(ENTRIES):
        with _named(tree.size):
            if tree.size == end:
                raise BadProof("the export grew while it was read")
            act = _verified(law, line, tree.size)
        tree.append(merkle.leaf_hash(line))
        progress.advance(len(line) + 1)
        yield act
    progress.end()


def _is_law(line: bytes) -> bool:
    """Whether the entry says that it is an act of the law. What lies here the second pass finds out."""
    try:
        envelope = msgspec.json.decode(line, type=_Envelope)
        return msgspec.json.decode(envelope.payload, type=_Statement).kind in _LAW
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"an entry does not parse: {error}") from error


def _verified(law: Law, line: bytes, seq: int) -> Act:
    """The act, signed by who had the right to it under the law of its place, which is the newest one then."""
    if seq == 0:
        from_genesis(line, law.registry_id)
        return law.admitted(dsse.Envelope.from_bytes(line))
    act = authorised(law, line)
    if isinstance(act.body, acts.Genesis):
        raise BadAuthority("the genesis act stands in the ledger twice")
    position = law.position(act)
    newest = position == law.state.position or law.entry(position + 1) >= seq
    if law.entry(position) >= seq or not newest:
        raise BadAuthority("the act was admitted under another law than the newest", on=act.kind)
    if act.is_law and law.entry(position + 1) != seq:
        raise BadAuthority("an act of the law stands in the ledger twice", on=act.kind)
    return act


@contextmanager
def _named(seq: int) -> Iterator[None]:
    """An error of the block names the entry."""
    try:
        yield
    except Untrusted as error:
        here = f"entry {seq}"
        if not (error.on or "").startswith(here):
            error.on = f"{here}: {error.on}" if error.on else here
        raise
