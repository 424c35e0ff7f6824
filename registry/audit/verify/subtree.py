"""The part of the ledger's tree above one chunk: every node hashed anew and compared with the stored one."""

from __future__ import annotations

from typing import Final

from registry.audit.verify.finding import Finding
from registry.audit.verify.source import Source
from registry.crypto import merkle

Node = tuple[int, int, bytes]  # level, position, hash
_STORED: Final = (
    "SELECT position, hash FROM nodes WHERE level = ? AND position >= ? AND position < ? ORDER BY position"
)


class Subtree:
    """The leaves from ``begin`` on, a multiple of a power of two that there are not more of."""

    def __init__(self, source: Source, begin: int) -> None:
        self._source, self._begin = source, begin
        self._leaves: list[bytes] = []

    def add(self, envelope: bytes) -> None:
        """One more leaf."""
        self._leaves.append(merkle.leaf_hash(envelope))

    def check(self) -> tuple[list[Node], list[Finding]]:
        """The roots of the complete subtrees, from the left, and what is stored otherwise."""
        roots: list[Node] = []
        findings: list[Finding] = []
        level, first, hashes = 0, self._begin, self._leaves
        while hashes:
            findings += differing(self._source, level, first, hashes)
            if len(hashes) % 2:
                roots.append((level, first + len(hashes) - 1, hashes[-1]))
            hashes = [merkle.node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=False)]
            level, first = level + 1, first // 2
        return roots[::-1], findings


def differing(source: Source, level: int, first: int, hashes: list[bytes]) -> list[Finding]:
    """A finding for each node of a level, from ``first`` on, that is not stored as it was hashed."""
    rows = source.rows(_STORED, level, first, first + len(hashes))
    if rows == list(enumerate(hashes, first)):
        return []
    stored: dict[int, bytes] = dict(rows)
    wrong = [at for at, node in enumerate(hashes, first) if stored.get(at) != node]
    return [node_differs(level, at) for at in wrong]


def node_differs(level: int, position: int) -> Finding:
    """A node that is not as the leaves below make it, is missing, or is one too many."""
    where = f"level {level}, position {position}"
    return Finding("node-differs", where, "a node of the tree is not its subtree's hash")
