"""C2SP tlog-proof as text, and the right edge of a tree: each against its definition."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.crypto import frontier, merkle, tlogproof
from registry.crypto.frontier import Frontier
from registry.crypto.tlogproof import LogProof
from registry.errors import BadProof, Malformed
from support import notary

NOTE = "example.com/log\n9\nAAAA\n\n\u2014 example.com/log AAAA\n"
PROOF = LogProof(7, (bytes(range(32)), bytes(32)), NOTE)
TEXT = (
    "c2sp.org/tlog-proof@v1\nindex 7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    f"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n{NOTE}"
)

proofs = st.builds(
    LogProof,
    st.integers(0, 10**16 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=64).map(tuple),
    st.just(NOTE),
)


def test_a_proof_is_written_as_the_specification_says() -> None:
    assert tlogproof.render(PROOF) == TEXT
    assert tlogproof.parse(TEXT) == PROOF


@given(proofs)
def test_what_is_written_is_read_back(proof: LogProof) -> None:
    assert tlogproof.parse(tlogproof.render(proof)) == proof


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT.replace("@v1", "@v2"),
        TEXT.replace("index 7\n", "extra AAAA\nindex 7\n"),
        TEXT.replace("index 7\n", ""),
        TEXT.replace("index 7", "index 07"),
        TEXT.replace("index 7", "index -7"),
        TEXT.replace("index 7", "index 7 "),
        TEXT.replace("index 7", "index \u0667"),
        TEXT.replace("index 7", f"index {'9' * 17}"),
        TEXT.replace("Hh8=\n", "Hh9=\n"),
        TEXT.replace("Hh8=\n", "Hh8\n"),
        TEXT.replace("Hh8=\n", "Hh8= \n"),
        TEXT.replace("Hh8=\n", "Hh8=\r\n"),
        TEXT.replace("AAEC", "\u00c4AEC"),
        TEXT.replace(f"\n\n{NOTE}", "\n\n"),
        TEXT.replace(f"\n\n{NOTE}", ""),
        tlogproof.render(replace(PROOF, path=(bytes(31),))),
        tlogproof.render(replace(PROOF, path=(bytes(32),) * 65)),
        TEXT + "x" * tlogproof.MAX_TEXT,
    ],
)
def test_another_spelling_of_a_proof(text: str) -> None:
    with pytest.raises(Malformed):
        tlogproof.parse(text)


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_tree_goes_on_from_its_right_edge(begun: int, more: int) -> None:
    leaves = [bytes([index]) for index in range(begun + more)]
    tree = Frontier(begun, notary.subtrees(leaves[:begun]))
    for size in range(begun, begun + more):
        assert tree.root() == notary.root(leaves[:size])
        tree.append(merkle.leaf_hash(leaves[size]))
    assert (tree.size, tree.root()) == (begun + more, notary.root(leaves))


@given(st.integers(0, 5000))
def test_the_right_edge_lies_where_the_ledger_keeps_it(size: int) -> None:
    covered = [range(index << level, (index + 1) << level) for level, index in frontier.places(size)]
    assert [leaf for part in covered for leaf in part] == list(range(size))
    assert len(covered) == size.bit_count()


@pytest.mark.parametrize(("size", "hashes"), [(0, 1), (3, 1), (3, 3), (4, 0), (-1, 0), (1 << 63, 0)])
def test_an_edge_of_another_tree(size: int, hashes: int) -> None:
    with pytest.raises(BadProof):
        Frontier(size, [bytes(32)] * hashes)


def test_an_edge_of_cut_hashes() -> None:
    with pytest.raises(BadProof):
        Frontier(3, [bytes(33), bytes(31)])
