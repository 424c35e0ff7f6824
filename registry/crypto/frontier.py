"""The right edge of a growing tree: what it takes to go on hashing where somebody else has stopped.

A tree of n leaves is the complete subtrees that the 1 bits of n stand for, largest first (RFC 9162, section
2.1.1). Whoever has their hashes needs none of the leaves below them: O(log n) values for any n.
"""

from __future__ import annotations

from collections.abc import Sequence

from registry.crypto.merkle import EMPTY, HASH, Node, node_hash
from registry.errors import BadProof


def places(size: int) -> list[Node]:
    """The complete subtrees of a tree of ``size`` leaves, as (level, index), largest first."""
    found, begin = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            found.append((level, begin >> level))
            begin += 1 << level
    return found


class Frontier:
    """A tree of ``size`` leaves, by its complete subtrees; it grows leaf by leaf.

    Raises BadProof for hashes that are not as many as the size has subtrees, or of another length.
    """

    def __init__(self, size: int = 0, subtrees: Sequence[bytes] = ()) -> None:
        if size < 0 or len(subtrees) != size.bit_count() or any(len(one) != HASH for one in subtrees):
            raise BadProof("the subtrees are not those of a tree of this size", on=f"{size} entries")
        self.size = size
        self._hashes = list(subtrees)

    @property
    def subtrees(self) -> tuple[bytes, ...]:
        """What another one of this size is made of."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """One more leaf, by its hash: every subtree that it completes is folded."""
        size = self.size
        while size & 1:
            leaf = node_hash(self._hashes.pop(), leaf)
            size >>= 1
        self._hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The tree's hash."""
        if not self._hashes:
            return EMPTY
        folded = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            folded = node_hash(left, folded)
        return folded
