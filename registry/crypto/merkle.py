"""The ledger's tree: RFC 9162 section 2.1 over SHA-256.

A node is (level, index): the root of the complete subtree over the leaves index * 2^level up to, not
including, (index + 1) * 2^level. Complete subtrees never change once they are there, so they are all that
is stored; every other hash is folded from O(log n) of them, which one call of ``read`` brings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from registry.errors import BadProof, InvalidInput

Node = tuple[int, int]
NodeReader = Callable[[Sequence[Node]], Mapping[Node, bytes]]
HASH = 32  # bytes
EMPTY = hashlib.sha256().digest()  # the root of a tree without leaves
_MISSING = "run registry fsck: rows of the ledger were lost"


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf (section 2.1.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (section 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def appended_nodes(size: int, leaf: bytes, read: NodeReader) -> list[tuple[int, int, bytes]]:
    """The nodes that one more leaf, given by its hash, completes in a tree of ``size`` leaves.

    One for the leaf and one for each trailing 1 bit of ``size``: two on average, log2(size) + 1 at most.
    """
    if size < 0 or len(leaf) != HASH:
        raise InvalidInput("what is appended is a 32-byte leaf hash", on=f"{len(leaf)} bytes at {size}")
    levels = (size ^ (size + 1)).bit_length() - 1  # the trailing 1 bits
    known = _read([(level, (size >> level) - 1) for level in range(levels)], read)
    nodes = [(0, size, leaf)]
    for level in range(levels):
        leaf = node_hash(known[level, (size >> level) - 1], leaf)
        nodes.append((level + 1, size >> (level + 1), leaf))
    return nodes


def root(size: int, read: NodeReader) -> bytes:
    """The tree's hash at ``size`` leaves (section 2.1.1). Raises BadProof if a node is missing."""
    if size < 0:
        raise InvalidInput("a tree has no negative size", on=str(size))
    return _ranges([(0, size)], read)[0] if size else EMPTY


def inclusion_path(index: int, size: int, read: NodeReader) -> list[bytes]:
    """PATH(index, D_size) of section 2.1.3.1, leaf upward. Raises InvalidInput unless index < size."""
    if not 0 <= index < size:
        raise InvalidInput("the ledger has no such entry", on=f"entry {index} of {size}")
    ranges, begin, end = [], 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin = middle
    return _ranges(ranges[::-1], read)


def consistency_path(old: int, new: int, read: NodeReader) -> list[bytes]:
    """PROOF(old, D_new) of section 2.1.4.1. Raises InvalidInput unless 0 <= old <= new.

    Empty for equal sizes and for ``old`` 0: every tree is consistent with the empty one.
    """
    if not 0 <= old <= new:
        raise InvalidInput("the ledger cannot prove this growth", on=f"from {old} to {new} entries")
    ranges, begin, end = [], 0, new
    while 0 < old < end:
        middle = begin + _split(end - begin)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin = middle
    if begin:  # the old root is not itself a node on the way, so its last part is told
        ranges.append((begin, end))
    return _ranges(ranges[::-1], read)


def verify_inclusion(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """The algorithm of section 2.1.3.2. Raises BadProof."""
    on = f"entry {index} of {size}"
    _check_hashes([leaf_hash, root, *path], on)
    if not 0 <= index < size:  # step 1
        raise BadProof("the entry lies outside the tree", on=on)
    fn, sn, hashed = index, size - 1, leaf_hash  # steps 2 and 3
    for sibling in path:  # step 4
        if sn == 0:
            raise BadProof("the inclusion proof is too long", on=on)
        if fn & 1 or fn == sn:
            hashed = node_hash(sibling, hashed)
            fn, sn = _skip(fn, sn)
        else:
            hashed = node_hash(hashed, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn or hashed != root:  # step 5
        raise BadProof("the inclusion proof does not lead to the root", on=on)


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """The algorithm of section 2.1.4.2, and the two trivial cases that it leaves out. Raises BadProof."""
    on = f"from {old_size} to {new_size} entries"
    _check_hashes([old_root, new_root, *path], on)
    if not 0 <= old_size <= new_size:
        raise BadProof("the ledger became smaller", on=on)
    if old_size in (0, new_size):
        expected = EMPTY if old_size == 0 else new_root
        if path or old_root != expected or (new_size == 0 and new_root != EMPTY):
            raise BadProof("the ledger was rewritten", on=on)
        return
    roots = _fold_consistency(old_size, old_root, new_size, path, on)
    if roots != (old_root, new_root):  # step 7
        raise BadProof("the ledger was rewritten, or the consistency proof is damaged", on=on)


def _fold_consistency(
    old: int, old_root: bytes, new: int, path: Sequence[bytes], on: str
) -> tuple[bytes, bytes]:
    """Steps 1 to 6 of section 2.1.4.2, and that sn is 0 at the end, for 0 < old < new."""
    if not path:  # step 1
        raise BadProof("the consistency proof is empty", on=on)
    if old & (old - 1) == 0:  # step 2: an exact power of 2
        path = [old_root, *path]
    fn, sn = old - 1, new - 1  # step 3
    while fn & 1:  # step 4
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]  # step 5
    for value in path[1:]:  # step 6
        if sn == 0:
            raise BadProof("the consistency proof is too long", on=on)
        if fn & 1 or fn == sn:
            first, second = node_hash(value, first), node_hash(value, second)
            fn, sn = _skip(fn, sn)
        else:
            second = node_hash(second, value)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise BadProof("the consistency proof is too short", on=on)
    return first, second


def _skip(fn: int, sn: int) -> tuple[int, int]:
    """Steps 4.b.ii and 6.b.iii: shift both until the lowest bit of ``fn`` is set or ``fn`` is 0."""
    while fn and not fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn


def _split(size: int) -> int:
    """The largest power of two smaller than ``size``, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def _ranges(ranges: Sequence[tuple[int, int]], read: NodeReader) -> list[bytes]:
    """The hash of each range of leaves [begin, end), all from one read.

    Every range comes from splitting a tree as section 2.1.1 does, so it begins at a multiple of the
    power of two that its length rounds up to: its complete subtrees are the 1 bits of its length.
    """
    parts = [_subtrees(begin, end) for begin, end in ranges]
    known = _read([node for part in parts for node in part], read)
    return [_fold([known[node] for node in part]) for part in parts]


def _subtrees(begin: int, end: int) -> list[Node]:
    nodes = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        nodes.append((level, begin >> level))
        begin += 1 << level
    return nodes


def _fold(hashes: Sequence[bytes]) -> bytes:
    folded = hashes[-1]
    for left in reversed(hashes[:-1]):
        folded = node_hash(left, folded)
    return folded


def _read(wanted: Sequence[Node], read: NodeReader) -> Mapping[Node, bytes]:
    known = read(wanted) if wanted else {}
    for node in wanted:
        if len(known.get(node, b"")) != HASH:
            where = f"level {node[0]}, index {node[1]}"
            raise BadProof("a node of the ledger is missing or damaged", on=where, hint=_MISSING)
    return known


def _check_hashes(hashes: Sequence[bytes], on: str) -> None:
    if any(len(value) != HASH for value in hashes):
        raise BadProof("a hash of the proof has the wrong length", on=on)
