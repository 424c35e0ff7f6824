"""The entries of an export replayed, in two passes over the file.

The first finds the acts of the law among them and extends the law by each; the second judges every entry
under the law of its place, and lets the tree grow by it. What the file holds in the second pass is what the
root is compared with, so an act of the law has to be the very bytes in both.
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
from registry.audit.verify.judging import Judge
from registry.audit.verify.lawful import Lawful
from registry.audit.verify.reading import Reader
from registry.crypto import merkle
from registry.crypto.frontier import Frontier
from registry.errors import BadAuthority, BadProof, Malformed, Untrusted
from registry.progress import Progress

_LAW: Final = frozenset(f"{acts.PREDICATE_BASE}{kind}/v1" for kind in acts.LAW)


class _Envelope(msgspec.Struct):
    payload: bytes


class _Statement(msgspec.Struct):
    kind: str = msgspec.field(name="predicateType")


class Replay:
    """The entries ``start`` up to ``end`` of an export, under a law that has come as far as the first."""

    def __init__(self, parcel: Parcel, lawful: Lawful, start: int, end: int) -> None:
        self._parcel, self._lawful = parcel, lawful
        self._start, self._end = start, end
        self._leaves: dict[int, bytes] = {}  # of the acts of the law in the range

    def enact(self) -> None:
        """The first pass. Raises Untrusted."""
        seq = self._start
        for line in self._parcel.lines(ENTRIES):
            if seq == self._end:
                raise BadProof("the export has more entries than its checkpoints say", on=f"entry {seq}")
            with _named(seq):
                if _is_law(line):
                    self._leaves[seq] = merkle.leaf_hash(line)
                    if seq:  # the law begins with the genesis act
                        self._lawful.follow(line, seq)
            seq += 1
        if seq != self._end:
            raise BadProof("entries are missing at the end of the export", on=f"{seq} of {self._end}")

    def acts(self, tree: Frontier, progress: Progress) -> Iterator[Act]:
        """The second pass: every act, judged; the tree has grown by it then. Raises Untrusted."""
        judge, reader, once = Judge(self._lawful), Reader(), _Once()
        progress.begin("checking entries", self._parcel.size(ENTRIES))
        for line in self._parcel.lines(ENTRIES):
            leaf, seq = merkle.leaf_hash(line), tree.size
            with _named(seq):
                entry = reader.read(line)
                if entry.act.is_law and self._leaves.get(seq) != leaf:
                    raise BadAuthority("an act of the law says now what it did not say before")
                judge.check(entry, line, seq)
                once.check(entry.act)
            tree.append(leaf)
            progress.advance(len(line) + 1)
            yield entry.act
        progress.end()


class _Once:
    """No act is admitted twice: its author signed it once. Under another law than its own it is none."""

    def __init__(self) -> None:
        self._digests: set[str] = set()  # under the present law

    def check(self, act: Act) -> None:
        """Raise BadAuthority for an act that came before."""
        if act.is_law:
            self._digests.clear()
        if act.digest in self._digests:
            raise BadAuthority("the same act was admitted before", on=f"{act.kind} {act.digest[:16]}")
        self._digests.add(act.digest)


def _is_law(line: bytes) -> bool:
    """Whether the entry says that it is an act of the law. Where that is a lie, the second pass finds it."""
    try:
        envelope = msgspec.json.decode(line, type=_Envelope)
        return msgspec.json.decode(envelope.payload, type=_Statement).kind in _LAW
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"an entry does not parse: {error}") from error


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
