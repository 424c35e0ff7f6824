"""Witness policies: C2SP tlog-policy, with the cases that the specification and others' tests name."""

from __future__ import annotations

import base64
import itertools
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from registry.crypto import notes
from registry.crypto.cosignature import WitnessKey
from registry.crypto.quorum import LIMIT, Policy
from registry.errors import InvalidInput

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "cosignatures.json").read_text())
LOG = VECTORS["vkeys"]["log"]


def vkey(number: int, name: str = "") -> str:
    secret = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    return WitnessKey(name or f"w{number}.example", secret).public.vkey


W = [vkey(number) for number in range(7)]
EXAMPLE = f"""log {LOG}

witness X1 {W[1]}
witness X2 {W[2]}
witness X3 {W[3]} https://x3.example/
group X-witnesses 2 X1 X2 X3

witness Y1 {W[4]}
\t witness  Y2\t{W[5]}
witness Y3 {W[6]}
  # everybody of Y is as good
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def read(text: str | bytes) -> Policy:
    return Policy.parse(text if isinstance(text, bytes) else text.encode())


def test_the_example_of_the_specification() -> None:
    policy = read(EXAMPLE)
    assert policy.logs == (LOG,)
    xs, ys = ("X1", "X2", "X3"), ("Y1", "Y2", "Y3")
    for count in range(7):
        for names in itertools.combinations((*xs, *ys), count):
            enough = len(set(names) & set(xs)) >= 2 and bool(set(names) & set(ys))
            assert policy.met(names) == enough, names
    assert read(policy.to_bytes()) == policy


@given(
    st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n), st.sets(st.integers(1, n))))
)
def test_k_of_n(case: tuple[int, int, set[int]]) -> None:
    total, least, there = case
    policy = Policy.of(least, W[:total], LOG)
    names = list(policy.witnesses)
    assert policy.demands
    assert policy.met({names[number - 1] for number in there}) == (len(there) >= least)
    assert read(policy.to_bytes()) == policy


def test_nobody_at_all() -> None:
    policy = read("quorum none\n")
    assert not policy.demands
    assert policy.met(())


def test_one_witness_is_a_quorum() -> None:
    policy = read(f"\n# comment\n\twitness \t w1  {W[1]}   https://w1.example.com/  \n\n  quorum\tw1")
    assert policy.met({"w1"})
    assert not policy.met(())


def test_names_are_octets() -> None:
    kelvin = f"witness \xe2\x84\xaa {W[1]}\nwitness K {W[2]}\nwitness K\x80 {W[3]}\nquorum K\x80\n".encode(
        "latin-1"
    )
    policy = Policy.parse(kelvin)
    assert not policy.met({"K", "\N{KELVIN SIGN}"})
    assert Policy.parse(policy.to_bytes()) == policy


def test_keywords_are_names_too() -> None:
    policy = read(f"witness all {W[1]}\nwitness any {W[2]}\ngroup group 2 all any\nquorum group\n")
    assert policy.met({"all", "any"})


def test_a_post_quantum_witness() -> None:
    policy = read(f"witness w {VECTORS['subtree']['vkey']}\nquorum w\n")
    assert policy.witnesses["w"].name == "witness.example/w1"


def unlike(kind: int) -> str:
    return notes.vkey("odd.example", kind, bytes(32))


REFUSED = {
    "control octet": "quorum none\n\x01",
    "carriage return": "quorum none\r\n",
    "unknown keyword": "quibble w1\nquorum none\n",
    "comment at the end": f"witness w1 {W[1]} https://w1.example.com/ # comment\nquorum w1\n",
    "log without vkey": "log\nquorum none\n",
    "log with something else": "log garbage\nquorum none\n",
    "log twice": f"log {LOG}\nlog {LOG} https://log.example.com/\nquorum none\n",
    "witness without vkey": "witness w1\nquorum none\n",
    "witness with the key of a ledger": f"witness w1 {LOG}\nquorum w1\n",
    "witness of another type": f"witness w1 {unlike(2)}\nquorum w1\n",
    "witness named none": f"witness none {W[1]}\nquorum none\n",
    "witness name twice": f"witness w1 {W[1]}\nwitness w1 {W[2]}\nquorum w1\n",
    "witness key twice": f"witness w1 {W[1]}\nwitness w2 {vkey(1, 'impostor.example')}\nquorum w1\n",
    "group of a witness's name": f"witness w1 {W[1]}\ngroup w1 any w1\nquorum w1\n",
    "group of nobody": f"witness w1 {W[1]}\ngroup g1 1\nquorum w1\n",
    "group named none": f"witness w1 {W[1]}\ngroup none any w1\nquorum none\n",
    "none of them": f"witness w1 {W[1]}\ngroup g1 0 w1\nquorum g1\n",
    "fewer than none": f"witness w1 {W[1]}\ngroup g1 -1 w1\nquorum g1\n",
    "leading zero": f"witness w1 {W[1]}\ngroup g1 01 w1\nquorum g1\n",
    "more than there are": f"witness w1 {W[1]}\ngroup g1 2 w1\nquorum g1\n",
    "unknown member": f"witness w1 {W[1]}\ngroup g1 any w2\nquorum g1\n",
    "member named later": f"group g1 any w1\nwitness w1 {W[1]}\nquorum g1\n",
    "none as a member": f"witness w1 {W[1]}\ngroup g1 any none w1\nquorum g1\n",
    "member twice": f"witness w1 {W[1]}\ngroup g1 all w1 w1\nquorum g1\n",
    "member of two groups": f"witness w1 {W[1]}\ngroup g1 any w1\ngroup g2 any w1\nquorum g1\n",
    "no quorum": f"witness w1 {W[1]}\n",
    "two quorums": f"witness w1 {W[1]}\nquorum w1\nquorum w1\n",
    "unknown quorum": "quorum unknown\n",
    "quorum named later": f"quorum w1\nwitness w1 {W[1]}\n",
    "quorum without a name": "quorum\n",
    "too long": f"quorum none\n#{'x' * LIMIT}\n",
    "too many": "".join(f"witness w{n} {vkey(n)}\n" for n in range(65)) + "quorum w1\n",
    "vkey that is not UTF-8": b"witness w1 w\x80+00000000+"
    + base64.b64encode(b"\x04" + bytes(32))
    + b"\nquorum w1\n",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_policy(what: str) -> None:
    with pytest.raises(InvalidInput):
        read(REFUSED[what])


def test_the_line_is_named() -> None:
    with pytest.raises(
        InvalidInput, match=r"line 2 of the witness policy: a quorum that no line before names"
    ):
        read("# nobody\nquorum w1\n")


@pytest.mark.parametrize(
    ("least", "vkeys"), [(0, W[:2]), (3, W[:2]), (1, []), (1, [W[0], W[0]]), (1, [W[0] + " x"])]
)
def test_what_nobody_can_demand(least: int, vkeys: list[str]) -> None:
    with pytest.raises(InvalidInput):
        Policy.of(least, vkeys)


def test_members_are_called_by_their_own_names() -> None:
    log = notes.vkey("hallmark-registry/id", 1, bytes(32))
    given = [
        vkey(1, "hallmark-registry/id/alice"),
        vkey(2, "hallmark-registry/id/alice"),
        vkey(3, "example.com/w"),
        vkey(4, "none"),
    ]
    assert list(Policy.of(1, given, log).witnesses) == ["alice", "alice#2", "example.com/w", "none#4"]
