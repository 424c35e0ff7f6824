"""Proofs and exports under the eyes of witnesses: k of n who have seen what is proven, or it is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.audit.checking import check_proof
from registry.audit.ranges import check_range
from registry.crypto import notes
from registry.crypto.cosignature import WitnessKey
from registry.crypto.quorum import Policy
from registry.crypto.witnessed import SLACK, Demand
from registry.errors import BadCheckpoint, BadProof, Untrusted
from support import notary
from support.notary import Json, b64, consistency, written

told = cache(notary.told)
SEQ, END = 6, 12
NOW = 1_800_000_000
WITNESSES = [
    WitnessKey(f"w{number}.example", Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))
    for number in (1, 2, 3)
]

BOTH = ("w1.example", "w2.example")


def demand(least: int, *by: int) -> Demand:
    return Demand(Policy.of(least, [WITNESSES[number].public.vkey for number in by or (0, 1, 2)]), NOW)


def cosigned(note: str, by: Sequence[int], time: int = NOW) -> str:
    parsed = notes.parse(note, "the note")
    lines = tuple(WITNESSES[number].sign(parsed.text, time) for number in by)
    return notes.Note(parsed.text, parsed.signatures + lines).to_text()


def seen(size: int, *by: int, time: int = NOW) -> Json:
    path = [b64(one) for one in consistency(size, told().entries)]
    return {"note": cosigned(told().note(size), by, time), "path": path}


def witnesses(proof: Json, asked: Demand | None) -> tuple[str, ...]:
    return check_proof(written(proof), told().registry_id, asked).witnesses


def test_two_of_three_saw_the_act() -> None:
    proof = told().proof(SEQ, witnessed=[seen(8, 0), seen(10, 1)])
    assert witnesses(proof, demand(2)) == BOTH
    assert witnesses(proof, demand(2, 1, 0)) == BOTH
    assert witnesses(proof, None) == ()


def test_they_may_have_cosigned_the_newest_checkpoint_itself() -> None:
    proof = told().proof(SEQ)
    head, _, note = proof["proof"].partition("\n\n")
    proof["proof"] = f"{head}\n\n{cosigned(note, (0, 2))}"
    assert witnesses(proof, demand(2)) == ("w1.example", "w3.example")


Witnessed = Callable[[], list[Json]]
TOO_FEW: dict[str, Witnessed] = {
    "nobody": lambda: [],
    "one of two": lambda: [seen(10, 0)],
    "one witness twice": lambda: [seen(10, 0), seen(11, 0)],
    "one witness twice on one note": lambda: [seen(10, 0, 0)],
    "one of them before the act": lambda: [seen(SEQ, 0), seen(10, 1)],
    "one of them of the future": lambda: [seen(10, 0), seen(10, 1, time=NOW + SLACK + 1)],
    "one of them on another size": lambda: [seen(10, 0), {**seen(10, 1), "note": _moved(10, 11, 1)}],
    "one of them on another's note": lambda: [seen(10, 0), {**seen(10), "note": _moved(9, 10, 1)}],
}


def _moved(signed: int, shown: int, by: int) -> str:
    """A cosignature of one tree under the checkpoint of another."""
    line = cosigned(told().note(signed), (by,)).splitlines()[-1]
    return f"{told().note(shown)}{line}\n"


@pytest.mark.parametrize("name", TOO_FEW)
def test_fewer_witnesses_than_demanded(name: str, tmp_path: Path) -> None:
    with pytest.raises(Untrusted):
        witnesses(told().proof(SEQ, witnessed=TOO_FEW[name]()), demand(2))
    parcel = told().parcel(tmp_path / "export", 0, END)
    (parcel / "proof.json").write_bytes(written(told().joint(0, END, witnessed=TOO_FEW[name]())))
    with pytest.raises(Untrusted):
        check_range(parcel, told().registry_id, demand(2))


def test_witnesses_who_saw_the_act_and_not_all_of_the_range(tmp_path: Path) -> None:
    shown = [seen(10, 0, 1)]
    assert witnesses(told().proof(SEQ, witnessed=shown), demand(2)) == BOTH
    parcel = told().parcel(tmp_path / "export", 0, END)
    (parcel / "proof.json").write_bytes(written(told().joint(0, END, witnessed=shown)))
    with pytest.raises(BadCheckpoint, match="not seen this yet"):
        check_range(parcel, told().registry_id, demand(2))
    (parcel / "checkpoint").write_text(cosigned(told().note(), (0, 1)))
    assert check_range(parcel, told().registry_id, demand(2)).witnesses == BOTH


@pytest.mark.parametrize("line", range(3, 6))
def test_a_signature_line_changed(line: int) -> None:
    """The ledger's and those of the witnesses: with all of them demanded, not a letter can change."""
    honest = told().proof(SEQ, witnessed=[seen(10, 0, 1)])
    lines = honest["witnessed"][0]["note"].split("\n")[:-1]
    for at in range(0, len(lines[line + 1]), 7):
        proof, changed = copy.deepcopy(honest), lines[line + 1]
        letter = "A" if changed[at] != "A" else "B"
        proof["witnessed"][0]["note"] = "\n".join(
            [*lines[: line + 1], changed[:at] + letter + changed[at + 1 :], *lines[line + 2 :], ""]
        )
        with pytest.raises(Untrusted):
            witnesses(proof, demand(2, 0, 1))


def test_what_witnesses_saw_of_a_fork() -> None:
    forked = [*told().entries[:3], b"{}", *told().entries[4:10]]
    shown = {**seen(10), "note": cosigned(told().note(tree=forked), (0, 1))}
    for asked in (None, demand(2)):
        with pytest.raises((BadProof, BadCheckpoint)):
            witnesses(told().proof(SEQ, witnessed=[shown]), asked)


def test_what_witnesses_saw_of_a_longer_ledger() -> None:
    """A proof from a ledger that was cut behind its witnesses."""
    shown = {"note": cosigned(told().note(), (0, 1)), "path": []}
    with pytest.raises((BadProof, BadCheckpoint)):
        witnesses(told().proof(SEQ, 9, witnessed=[shown]), None)
