"""The law first: what every entry is judged by, and which acts of it must not be there.

Which entries are of the law the index says, and whoever wrote the database may have changed that. But each
act of the law names the one before it, and each entry the newest one: where one is missing from the chain,
the entries themselves are read.
"""

from __future__ import annotations

from bisect import bisect_left

from registry.acts import LAW
from registry.audit.verify.reading import Reader
from registry.audit.verify.source import Source
from registry.errors import Malformed, RegistryError
from registry.law.law import Law, from_genesis

_KINDS = ", ".join(f"'{kind}'" for kind in sorted(LAW))
_OF_LAW = f"SELECT seq FROM acts WHERE kind IN ({_KINDS}) AND seq > 0 AND seq < ? ORDER BY seq"
_ENVELOPE = "SELECT envelope FROM acts WHERE seq = ?"
_BETWEEN = "SELECT seq, envelope FROM acts WHERE seq > ? AND seq < ? ORDER BY seq"


class Lawful:
    """The whole law of a ledger, its place at every entry, and what was wrong with an act of it."""

    def __init__(self, law: Law) -> None:
        self.law = law
        self.errors: dict[int, RegistryError] = {}  # by entry
        self._seqs = [0]
        self._heads = [law.head]
        self._known = {law.head}

    def position(self, seq: int) -> int:
        """How far the law had come before an entry."""
        return bisect_left(self._seqs, seq)

    def head(self, position: int) -> str:
        """The digest of the act of the law at a position; 0 is before the first."""
        return self._heads[position - 1] if position else ""

    def around(self, position: int) -> tuple[int, int]:
        """The entries of two acts of the law: the one that led to a position, and the one after it."""
        since = self._seqs[position - 1] if position else -1
        return since, self._seqs[position] if position < len(self._seqs) else 1 << 62

    def names(self, digest: str) -> bool:
        """Whether an act of the law has this digest."""
        return digest in self._known

    def has(self, seq: int) -> bool:
        """Whether the entry is an act of the law, and rightly so."""
        return self.around(self.position(seq))[1] == seq

    def follow(self, envelope: bytes, seq: int) -> None:
        """Go on by one act. Raises Untrusted, and the law stays as it was."""
        act = self.law.follow(envelope, seq)
        self._seqs.append(seq)
        self._heads.append(act.digest)
        self._known.add(act.digest)


def read_law(source: Source, registry_id: str, genesis: bytes, size: int) -> Lawful:
    """The law of the first ``size`` entries. Raises Untrusted where the genesis act is not the pinned one."""
    found = _Finder(source, Lawful(from_genesis(genesis, registry_id)))
    for (seq,) in source.rows(_OF_LAW, size):
        found.take(seq, bytes_of(source.rows(_ENVELOPE, seq)))
    found.finish(size)
    return found.lawful


class _Finder:
    """Puts the chain together: of what the index names and, where links are missing, of what it does not."""

    def __init__(self, source: Source, lawful: Lawful) -> None:
        self.lawful = lawful
        self._source, self._reader = source, Reader()
        self._looked = 0  # every act of the law up to this entry is known

    def take(self, seq: int, envelope: bytes) -> None:
        """An entry that the index says is of the law."""
        try:
            self.lawful.follow(envelope, seq)
        except RegistryError as error:
            self._retake(seq, envelope, error)
        self._looked = seq

    def _retake(self, seq: int, envelope: bytes, error: RegistryError) -> None:
        before = self._before(envelope)
        if before is None:
            return  # whoever checks the entry says what is wrong with it
        if before != self.lawful.law.head:
            self._look(seq)
            self._follow(envelope, seq)
        else:
            self.lawful.errors[seq] = error

    def finish(self, size: int) -> None:
        """The newest entry names the newest act of the law: were it another, the index hides one."""
        envelope = bytes_of(self._source.rows(_ENVELOPE, size - 1))
        try:
            act = self._reader.read(envelope).act
        except Malformed:
            return
        if act.digest != self.lawful.law.head and act.header.law != self.lawful.law.head:
            self._look(size)

    def _look(self, until: int) -> None:
        for seq, envelope in self._source.stream(_BETWEEN, self._looked, until):
            if isinstance(envelope, bytes) and self._before(envelope) is not None:
                self._follow(envelope, seq)

    def _before(self, envelope: bytes) -> str | None:
        """The act of the law that one of the law names; None for what is none."""
        try:
            act = self._reader.read(envelope).act
        except Malformed:
            return None
        return act.header.law if act.is_law else None

    def _follow(self, envelope: bytes, seq: int) -> None:
        try:
            self.lawful.follow(envelope, seq)
        except RegistryError as error:
            self.lawful.errors[seq] = error


def bytes_of(rows: list[tuple[object, ...]]) -> bytes:
    """The bytes that were asked for; none where there are none, or something else."""
    value = rows[0][0] if rows else b""
    return value if isinstance(value, bytes) else b""
