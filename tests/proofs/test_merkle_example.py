"""The seven-leaf tree of C2SP merkle-tree, labelled as in its section "Example": roots and proofs."""

from __future__ import annotations

import hashlib

import pytest

from registry.crypto import merkle
from registry.crypto.merkle import Node

DATA = [f"d[{number}]".encode() for number in range(7)]


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


N = dict(zip("abcdefg", map(leaf, DATA), strict=True))
N["h"], N["i"], N["j"] = node(N["a"], N["b"]), node(N["c"], N["d"]), node(N["e"], N["f"])
N["k"] = node(N["h"], N["i"])
N["l"] = node(N["j"], N["g"])
ROOTS = {3: node(N["h"], N["c"]), 4: N["k"], 6: node(N["k"], N["j"]), 7: node(N["k"], N["l"])}


@pytest.fixture(scope="module")
def nodes() -> dict[Node, bytes]:
    known: dict[Node, bytes] = {}
    for size, data in enumerate(DATA):
        made = merkle.appended_nodes(size, leaf(data), lambda wanted: {one: known[one] for one in wanted})
        known.update({(level, index): value for level, index, value in made})
    return known


@pytest.mark.parametrize("size", ROOTS)
def test_roots(size: int, nodes: dict[Node, bytes]) -> None:
    assert merkle.root(size, lambda wanted: nodes) == ROOTS[size]


@pytest.mark.parametrize(("index", "labels"), [(0, "bil"), (3, "chl"), (4, "fgk"), (6, "jk")])
def test_inclusion(index: int, labels: str, nodes: dict[Node, bytes]) -> None:
    path = [N[label] for label in labels]
    assert merkle.inclusion_path(index, 7, lambda wanted: nodes) == path
    merkle.verify_inclusion(leaf(DATA[index]), index, 7, path, ROOTS[7])


@pytest.mark.parametrize(("old", "labels"), [(3, "cdhl"), (4, "l"), (6, "jgk")])
def test_consistency(old: int, labels: str, nodes: dict[Node, bytes]) -> None:
    path = [N[label] for label in labels]
    assert merkle.consistency_path(old, 7, lambda wanted: nodes) == path
    merkle.verify_consistency(old, ROOTS[old], 7, ROOTS[7], path)
