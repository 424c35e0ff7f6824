"""The tree: against the published vectors, against the RFC's own recursion, and against forged proofs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.crypto import merkle
from registry.crypto.merkle import EMPTY, Node, verify_consistency, verify_inclusion
from registry.errors import BadProof, InvalidInput

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "merkle.json").read_text())
ROOTS = [bytes.fromhex(root) for root in VECTORS["roots"]]
LARGE = 3000  # leaves


class Tree:
    """A node store in memory that counts its reads and knows only the complete subtrees of ``size``."""

    def __init__(self, leaves: Sequence[bytes] = ()) -> None:
        self.nodes: dict[Node, bytes] = {}
        self.size = 0
        self.reads: list[int] = []  # nodes asked for, by call
        for leaf in leaves:
            self.append(merkle.leaf_hash(leaf))

    def append(self, leaf: bytes) -> int:
        made = merkle.appended_nodes(self.size, leaf, self.hashes)
        assert not any((level, index) in self.nodes for level, index, _ in made)
        self.nodes |= {(level, index): value for level, index, value in made}
        self.size += 1
        return len(made)

    def hashes(self, wanted: Sequence[Node]) -> dict[Node, bytes]:
        self.reads.append(len(wanted))
        assert len(set(wanted)) == len(wanted)
        return {node: self.nodes[node] for node in wanted if node in self.nodes}

    def at(self, size: int) -> Tree:
        """The same tree when it was smaller: later nodes are not there yet."""
        past = Tree()
        past.nodes = {(lv, i): value for (lv, i), value in self.nodes.items() if (i + 1) << lv <= size}
        past.size = size
        return past


def leaves(count: int) -> list[bytes]:
    return [index.to_bytes(4, "big") for index in range(count)]


# RFC 9162 in its own recursive words: sections 2.1.1, 2.1.3.1 and 2.1.4.1.


def split(count: int) -> int:
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def mth(d: Sequence[bytes]) -> bytes:
    if not d:
        return hashlib.sha256(b"").digest()
    if len(d) == 1:
        return hashlib.sha256(b"\x00" + d[0]).digest()
    k = split(len(d))
    return hashlib.sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: Sequence[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = split(len(d))
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: Sequence[bytes], whole: bool) -> list[bytes]:
    if m == len(d):
        return [] if whole else [mth(d)]
    k = split(len(d))
    if m <= k:
        return [*subproof(m, d[:k], whole), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


@pytest.fixture(scope="module")
def large() -> Tree:
    return Tree(leaves(LARGE))


@pytest.fixture(scope="module")
def published() -> Tree:
    return Tree([bytes.fromhex(leaf) for leaf in VECTORS["leaves"]])


# The published vectors


def test_published_nodes(published: Tree) -> None:
    expected = {
        (level, index): bytes.fromhex(value)
        for level, row in enumerate(VECTORS["nodes"])
        for index, value in enumerate(row)
    }
    assert published.nodes == expected


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int, published: Tree) -> None:
    assert merkle.root(size, published.at(size).hashes) == ROOTS[size]


@pytest.mark.parametrize("case", VECTORS["inclusion"], ids=lambda case: f"{case['index']}of{case['size']}")
def test_published_inclusion(case: dict[str, Any], published: Tree) -> None:
    index, size = case["index"], case["size"]
    proof = merkle.inclusion_path(index, size, published.at(size).hashes)
    assert [step.hex() for step in proof] == case["path"]
    verify_inclusion(published.nodes[0, index], index, size, proof, ROOTS[size])


@pytest.mark.parametrize("case", VECTORS["consistency"], ids=lambda case: f"{case['old']}to{case['new']}")
def test_published_consistency(case: dict[str, Any], published: Tree) -> None:
    old, new = case["old"], case["new"]
    proof = merkle.consistency_path(old, new, published.at(new).hashes)
    assert [step.hex() for step in proof] == case["path"]
    verify_consistency(old, ROOTS[old], new, ROOTS[new], proof)


# Against the recursion


@pytest.mark.parametrize("size", range(1, 36))
def test_every_proof_of_small_trees(size: int, large: Tree) -> None:
    tree, data = large.at(size), leaves(size)
    root = merkle.root(size, tree.hashes)
    assert root == mth(data)
    for index in range(size):
        proof = merkle.inclusion_path(index, size, tree.hashes)
        assert proof == path(index, data)
        verify_inclusion(tree.nodes[0, index], index, size, proof, root)
    for old in range(1, size + 1):
        proof = merkle.consistency_path(old, size, tree.hashes)
        assert proof == subproof(old, data, True)
        verify_consistency(old, mth(data[:old]), size, root, proof)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_proofs_of_large_trees(large: Tree, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, LARGE))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    tree, entries = large.at(size), leaves(size)
    root = mth(entries)
    assert merkle.root(size, tree.hashes) == root
    inclusion = merkle.inclusion_path(index, size, tree.hashes)
    assert inclusion == path(index, entries)
    verify_inclusion(merkle.leaf_hash(entries[index]), index, size, inclusion, root)
    consistency = merkle.consistency_path(old, size, tree.hashes)
    assert consistency == subproof(old, entries, True)
    verify_consistency(old, mth(entries[:old]), size, root, consistency)
    assert len(tree.reads) <= 3, "one read for each question"
    assert max(tree.reads, default=0) <= 2 * size.bit_length()


def test_an_append_reads_once_and_writes_two_rows_on_average() -> None:
    tree = Tree()
    for size in range(1, 1025):
        tree.reads.clear()
        assert tree.append(merkle.leaf_hash(bytes(4))) <= size.bit_length()
        assert len(tree.reads) <= 1
        assert len(tree.nodes) == 2 * size - size.bit_count()


def test_leaf_and_node_do_not_collide() -> None:
    left, right = merkle.leaf_hash(b"l"), merkle.leaf_hash(b"r")
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)


# The trivial cases that the RFC leaves out


def test_every_tree_grows_from_the_empty_one(large: Tree) -> None:
    assert merkle.root(0, large.at(0).hashes) == EMPTY
    assert merkle.consistency_path(0, 7, large.hashes) == []
    verify_consistency(0, EMPTY, 7, mth(leaves(7)), [])
    verify_consistency(0, EMPTY, 0, EMPTY, [])


@pytest.mark.parametrize(
    ("old", "old_root", "new", "new_root", "proof"),
    [
        (0, ROOTS[1], 7, ROOTS[7], []),
        (0, EMPTY, 7, ROOTS[7], [ROOTS[1]]),
        (0, EMPTY, 0, ROOTS[1], []),
        (5, ROOTS[5], 5, ROOTS[6], []),
        (5, ROOTS[5], 5, ROOTS[5], [ROOTS[1]]),
        (5, ROOTS[5], 7, ROOTS[7], []),
        (-1, EMPTY, 7, ROOTS[7], []),
    ],
    ids=["root-of-nothing", "path-to-nothing", "empty-root", "fork", "path-to-itself", "no-path", "negative"],
)
def test_forged_trivial_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]
) -> None:
    with pytest.raises(BadProof):
        verify_consistency(old, old_root, new, new_root, proof)


# Forged proofs


def forgeries(proof: list[bytes]) -> dict[str, list[bytes]]:
    """Every way here to damage a path: changed, dropped, doubled, swapped, extended, cut hashes."""
    extra, forged = bytes(32), {"prepended": [bytes(32), *proof], "appended": [*proof, bytes(32)]}
    for i, step in enumerate(proof):
        before, after = proof[:i], proof[i + 1 :]
        forged[f"changed-{i}"] = [*before, bytes([step[0] ^ 1]) + step[1:], *after]
        forged[f"dropped-{i}"] = [*before, *after]
        forged[f"doubled-{i}"] = [*before, step, step, *after]
        forged[f"inserted-{i}"] = [*before, extra, step, *after]
        forged[f"cut-{i}"] = [*before, step[:-1], *after]
        forged[f"long-{i}"] = [*before, step + b"\x00", *after]
        if after and after[0] != step:
            forged[f"swapped-{i}"] = [*before, after[0], step, *after[1:]]
    return forged


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8, 11, 16, 21])
def test_forged_inclusion(size: int, large: Tree) -> None:
    tree = large.at(size)
    root = merkle.root(size, tree.hashes)
    for index in range(size):
        leaf, proof = tree.nodes[0, index], merkle.inclusion_path(index, size, tree.hashes)
        for forged in forgeries(proof).values():
            with pytest.raises(BadProof):
                verify_inclusion(leaf, index, size, forged, root)
        for wrong in (*(i for i in range(-1, size + 2) if i != index), index + 2 * size):
            with pytest.raises(BadProof):
                verify_inclusion(leaf, wrong, size, proof, root)
        for wrong in (-1, 0, index, 2 * size, 2 * size + 1, 1 << 64):
            with pytest.raises(BadProof):
                verify_inclusion(leaf, index, wrong, proof, root)
        for other in (large.nodes[0, size + 1], root[:-1], b"", leaf + b"\x00"):
            with pytest.raises(BadProof):
                verify_inclusion(other, index, size, proof, root)
            with pytest.raises(BadProof):
                verify_inclusion(leaf, index, size, proof, other)


@pytest.mark.parametrize("new", [2, 3, 5, 7, 8, 11, 16, 21])
def test_forged_consistency(new: int, large: Tree) -> None:
    tree = large.at(new)
    new_root = merkle.root(new, tree.hashes)
    for old in range(1, new):
        old_root = merkle.root(old, large.at(old).hashes)
        proof = merkle.consistency_path(old, new, tree.hashes)
        for forged in forgeries(proof).values():
            with pytest.raises(BadProof):
                verify_consistency(old, old_root, new, new_root, forged)
        for first, second in (
            (new_root, old_root),
            (old_root, bytes(32)),
            (bytes(32), new_root),
            (old_root[:-1], new_root),
            (old_root, new_root + b"\x00"),
        ):
            with pytest.raises(BadProof):
                verify_consistency(old, first, new, second, proof)
        for low, high in ((new, old), (0, new), (-old, new), (old, old), (old, 4 * new), (old, 1 << 64)):
            with pytest.raises(BadProof):
                verify_consistency(low, old_root, high, new_root, proof)


# Forged proofs whose hashes all fit: only the shape of the tree stands in the way.


def test_path_longer_than_the_tree_to_a_root_that_fits(large: Tree) -> None:
    tree, extra = large.at(7), bytes(32)
    root = merkle.node_hash(extra, merkle.root(7, tree.hashes))
    inclusion = merkle.inclusion_path(4, 7, tree.hashes)
    with pytest.raises(BadProof, match="too long"):
        verify_inclusion(tree.nodes[0, 4], 4, 7, [*inclusion, extra], root)
    old_root = merkle.node_hash(extra, merkle.root(3, tree.hashes))
    consistency = merkle.consistency_path(3, 7, tree.hashes)
    with pytest.raises(BadProof, match="too long"):
        verify_consistency(3, old_root, 7, root, [*consistency, extra])


def test_path_shorter_than_the_tree_to_a_root_that_fits(large: Tree) -> None:
    tree = large.at(8)
    with pytest.raises(BadProof):
        verify_inclusion(tree.nodes[0, 1], 1, 8, [tree.nodes[0, 0]], tree.nodes[1, 0])
    with pytest.raises(BadProof, match="too short"):
        verify_consistency(1, tree.nodes[0, 0], 8, tree.nodes[1, 0], [tree.nodes[0, 1]])


def test_hashes_cut_at_another_place(large: Tree) -> None:
    left, right = large.nodes[0, 0], large.nodes[0, 1]
    root = merkle.node_hash(left, right)
    assert root == merkle.node_hash(left + right[:1], right[1:])
    with pytest.raises(BadProof, match="wrong length"):
        verify_inclusion(left + right[:1], 0, 2, [right[1:]], root)
    with pytest.raises(BadProof, match="wrong length"):
        verify_consistency(1, left + right[:1], 2, root, [right[1:]])


def test_negative_sizes_are_refused_before_any_arithmetic() -> None:
    with pytest.raises(BadProof, match="smaller"):
        verify_consistency(-1, EMPTY, 7, ROOTS[7], [ROOTS[1]])


@pytest.mark.parametrize("rewritten", [0, 3, 9])
def test_history_rewritten_behind_a_client(rewritten: int, large: Tree) -> None:
    remembered = merkle.root(10, large.at(10).hashes)
    entries = leaves(20)
    honest = Tree(entries)
    verify_consistency(10, remembered, 20, mth(entries), merkle.consistency_path(10, 20, honest.hashes))
    entries[rewritten] = b"another act"
    forged = Tree(entries)
    with pytest.raises(BadProof, match="rewritten"):
        verify_consistency(10, remembered, 20, mth(entries), merkle.consistency_path(10, 20, forged.hashes))


# What is asked makes no sense, or rows are gone


@pytest.mark.parametrize(
    "ask",
    [
        lambda read: merkle.root(-1, read),
        lambda read: merkle.inclusion_path(0, 0, read),
        lambda read: merkle.inclusion_path(7, 7, read),
        lambda read: merkle.inclusion_path(-1, 7, read),
        lambda read: merkle.consistency_path(8, 7, read),
        lambda read: merkle.consistency_path(-1, 7, read),
        lambda read: merkle.appended_nodes(-1, bytes(32), read),
        lambda read: merkle.appended_nodes(7, b"the leaf itself", read),
    ],
)
def test_questions_without_an_answer(ask: Callable[[merkle.NodeReader], object], large: Tree) -> None:
    with pytest.raises(InvalidInput):
        ask(large.hashes)


@pytest.mark.parametrize("damage", [None, b"", bytes(31)], ids=["missing", "empty", "short"])
def test_lost_rows_are_noticed(damage: bytes | None, large: Tree) -> None:
    tree = large.at(11)
    tree.nodes.pop((3, 0))
    if damage is not None:
        tree.nodes[3, 0] = damage
    asks: list[Callable[[], object]] = [
        lambda: merkle.root(11, tree.hashes),
        lambda: merkle.inclusion_path(9, 11, tree.hashes),
        lambda: merkle.consistency_path(9, 11, tree.hashes),
        lambda: merkle.appended_nodes(15, bytes(32), tree.hashes),
    ]
    for ask in asks:
        with pytest.raises(BadProof, match="level"):
            ask()
