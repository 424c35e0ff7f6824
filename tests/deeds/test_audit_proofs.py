"""Proofs of one act, as an outsider gets them: honest ones hold, and nothing in them can be changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.audit import document
from registry.audit.checking import Checked, check_proof
from registry.errors import (
    BadAuthority,
    BadCheckpoint,
    BadProof,
    BadSignature,
    Malformed,
    Untrusted,
    WrongRegistry,
)
from support import notary
from support.notary import Json, Notary, b64, written

told = cache(notary.told)  # nobody changes it
other = cache(notary.told)  # another registry of the same history
PULL, EVE, REFUSAL, DISABLE, LAST = 6, 7, 8, 9, 11
LATER = "the law changed only afterwards, with entry"
Edit = Callable[[Json], object]


def check(proof: Json, registry: Notary | None = None) -> Checked:
    return check_proof(written(proof), (registry or told()).registry_id)


@pytest.mark.parametrize("size", range(1, 13))
def test_every_entry_of_every_tree_is_proven(size: int) -> None:
    for seq in range(size):
        found = check(told().proof(seq, size))
        assert (found.event.seq, found.size, found.root) == (
            seq,
            size,
            notary.root(told().entries[:size]).hex(),
        )


def test_what_a_proof_says_for_people() -> None:
    found = check(told().proof(PULL))
    assert found.registry_id == told().registry_id
    assert (found.event.actor, found.event.action, found.event.on) == ("bob", "pull", "vision/net")
    assert (found.event.version, found.event.purpose, found.event.outcome) == (1, "test", "allowed")
    assert (found.event.time, found.event.host) == (told().time, "bench")
    assert found.right == "pull on vision/net granted to bob"
    assert found.in_time == f"{LATER} {DISABLE}"
    assert (found.law, found.witnesses) == (6, ())
    assert found.to_dict()["event"]["actor"] == "bob"


@pytest.mark.parametrize(
    ("seq", "actor", "right", "in_time"),
    [
        (0, "root", "the registry id is the digest of this act", f"{LATER} 1"),
        (4, "root", "admin", f"{LATER} 5"),
        (EVE, "eve", "pull on vision/net granted to eve", f"{LATER} 9"),
        (REFUSAL, "bob", "the ledger's own record, signed by its key", f"{LATER} 9"),
        (10, "bob", "pull on vision/net granted to bob", "entry 11 was signed under the same law"),
        (LAST, "bob", "pull on vision/net granted to bob", "it was the newest entry of all"),
    ],
)
def test_who_could_do_it_and_what_shows_it(seq: int, actor: str, right: str, in_time: str) -> None:
    found = check(told().proof(seq))
    assert (found.event.actor, found.right, found.in_time) == (actor, right, in_time)


def test_a_refusal_is_told_as_one() -> None:
    event = check(told().proof(REFUSAL)).event
    assert (event.action, event.outcome, event.code) == ("pull", "refused", "not-permitted")


# --- every part changed ---------------------------------------------------------------------------


def _flip(data: str) -> str:
    """Base64 of other bytes."""
    raw = bytearray(notary.base64.b64decode(data))
    raw[len(raw) // 2] ^= 1
    return b64(bytes(raw))


def _set(*path: Any, value: Any) -> Edit:
    def edit(proof: Json) -> None:
        place: Any = proof
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value(place[path[-1]]) if callable(value) else value

    return edit


def _drop(*path: Any) -> Edit:
    def edit(proof: Json) -> None:
        place: Any = proof
        for name in path[:-1]:
            place = place[name]
        del place[path[-1]]

    return edit


def _line(number: int, change: Callable[[str], str]) -> Edit:
    """Of the tlog-proof's text."""

    def edit(proof: Json) -> None:
        lines = proof["proof"].split("\n")
        lines[number] = change(lines[number])
        proof["proof"] = "\n".join(lines)

    return edit


def _note(make: Callable[[], str]) -> Edit:
    def edit(proof: Json) -> None:
        proof["proof"] = proof["proof"].partition("\n\n")[0] + "\n\n" + make()

    return edit


def _cut_law(proof: Json) -> None:
    """A law that ends one act earlier, with the place of its end."""
    proof["law"].pop()
    proof["head"] = told().place(told().laws[len(proof["law"]) - 1])


def _law_too_far(proof: Json) -> None:
    proof["law"].append(told().envelope(DISABLE))
    proof["head"] = told().place(DISABLE)


def _swapped(text: str, one: int, two: int) -> str:
    lines = text.split("\n")
    lines[one], lines[two] = lines[two], lines[one]
    return "\n".join(lines)


CHANGES: dict[str, tuple[Edit, type[Untrusted]]] = {
    # the act
    "another act in its place": (_set("entry", value=lambda _: told().envelope(10)), BadProof),
    "the act's payload changed": (_set("entry", "payload", value=_flip), BadProof),
    "the act's signature changed": (_set("entry", "signatures", 0, "sig", value=_flip), BadProof),
    "the act's key id changed": (_set("entry", "signatures", 0, "keyid", value="0" * 64), BadProof),
    "a second signature on the act": (
        _set("entry", "signatures", value=lambda found: [*found, found[0]]),
        Malformed,
    ),
    "no signature on the act": (_set("entry", "signatures", value=[]), Malformed),
    "another payload type": (_set("entry", "payloadType", value="text/plain"), Malformed),
    "the act of another registry": (_set("entry", value=lambda _: other().envelope(PULL)), BadProof),
    # its place
    "another index": (_line(1, lambda _: "index 7"), BadProof),
    "an index beyond the tree": (_line(1, lambda _: "index 12"), BadProof),
    "a gigantic index": (_line(1, lambda _: "index 9999999999999999"), BadProof),
    "a hash of the path changed": (_line(2, _flip), BadProof),
    "a hash of the path twice": (
        lambda proof: _line(2, lambda _: proof["proof"].split("\n")[3])(proof),
        BadProof,
    ),
    "two hashes of the path changed over": (_set("proof", value=lambda text: _swapped(text, 2, 3)), BadProof),
    "a path cut off": (
        _set("proof", value=lambda text: text.replace(text.split("\n")[5] + "\n", "")),
        BadProof,
    ),
    "a path too long": (_line(5, lambda line: f"{line}\n{b64(bytes(32))}"), BadProof),
    "no path": (
        _set("proof", value=lambda text: "\n".join(text.split("\n")[:2] + text.split("\n")[6:])),
        BadProof,
    ),
    "a path of many hashes": (_line(5, lambda line: "\n".join([line] * 100)), Malformed),
    "a line of extra data": (_line(0, lambda line: f"{line}\nextra AAAA"), Malformed),
    # the checkpoint
    "a checkpoint without signature": (
        _set("proof", value=lambda text: text.partition("\u2014")[0]),
        BadCheckpoint,
    ),
    "another size in the checkpoint": (
        _set("proof", value=lambda text: text.replace("\n12\n", "\n13\n")),
        BadCheckpoint,
    ),
    "an older checkpoint": (_note(lambda: told().note(9)), BadProof),
    "the checkpoint of another registry": (_note(lambda: other().note()), BadCheckpoint),
    "the checkpoint of a fork": (_note(lambda: told().note(tree=[*told().entries[:-1], b"{}"])), BadProof),
    "no checkpoint": (_set("proof", value=lambda text: text.partition("\n\n")[0]), Malformed),
    "a gigantic checkpoint": (_set("proof", value=lambda text: text + "x" * (1 << 17)), Malformed),
    # the law
    "no law": (_set("law", value=[]), WrongRegistry),
    "no law and no place of it": (lambda proof: proof.update(law=[], head=None), WrongRegistry),
    "the genesis act left out": (_drop("law", 0), WrongRegistry),
    "an act of the law left out in the middle": (_drop("law", 2), BadAuthority),
    "the last act of the law left out": (_drop("law", 5), BadProof),
    "the last act of the law left out, with its place": (_cut_law, BadAuthority),
    "acts of the law changed over": (_set("law", value=lambda law: [*law[:4], law[5], law[4]]), BadAuthority),
    "an act of the law twice": (_set("law", value=lambda law: [*law[:5], law[4], law[5]]), BadAuthority),
    "an act that is not of the law": (
        _set("law", value=lambda law: [*law, told().envelope(EVE)]),
        BadAuthority,
    ),
    "a law that goes on too far": (_set("law", value=lambda law: [*law, told().envelope(DISABLE)]), BadProof),
    "a law that goes on too far, with its place": (_law_too_far, BadAuthority),
    "the signature of an act of the law changed": (
        _set("law", 4, "signatures", 0, "sig", value=_flip),
        BadSignature,
    ),
    "the payload of an act of the law changed": (_set("law", 4, "payload", value=_flip), Untrusted),
    "the law of another registry": (_set("law", value=lambda _: other().proof(PULL)["law"]), WrongRegistry),
    "an act of another registry's law": (_set("law", 4, value=lambda _: other().envelope(4)), WrongRegistry),
    "the genesis act twice": (_set("law", value=lambda law: [law[0], *law]), BadAuthority),
    # where the law lies
    "no place of the law": (_set("head", value=None), BadAuthority),
    "another place of the law": (_set("head", "index", value=4), BadProof),
    "a path of the law changed": (_set("head", "path", 0, value=_flip), BadProof),
    "a path of the law cut off": (_drop("head", "path", -1), BadProof),
    "a gigantic place of the law": (_set("head", "index", value=(1 << 53) - 1), BadProof),
    "a negative place of the law": (_set("head", "index", value=-1), Malformed),
    # what came after
    "nothing after": (_set("after", value=None), BadAuthority),
    "an earlier entry as what came after": (_set("after", value=lambda _: told().shown(5)), BadAuthority),
    "the act itself as what came after": (_set("after", value=lambda _: told().shown(PULL)), BadAuthority),
    "a later entry under another law": (_set("after", value=lambda _: told().shown(LAST)), BadAuthority),
    "the place of what came after changed": (_set("after", "index", value=10), BadProof),
    "what came after changed": (_set("after", "entry", "payload", value=_flip), BadProof),
    "the path of what came after changed": (_set("after", "path", 0, value=_flip), BadProof),
    # the document
    "the id of another registry": (_set("registry", value=lambda _: other().registry_id), WrongRegistry),
    "another media type": (_set("mediaType", value="application/json"), Malformed),
    "a field left out": (_drop("witnessed"), Malformed),
    "a field too many": (lambda proof: proof.update(note=""), Malformed),
    "a number as text": (_set("head", "index", value="5"), Malformed),
    "a path of half a hash": (_set("head", "path", 0, value=b64(bytes(16))), Malformed),
    "witnesses of another history": (
        lambda proof: proof.update(
            witnessed=[{"note": told().note(tree=[b"x", b"y"]), "path": [b64(bytes(32))]}]
        ),
        BadProof,
    ),
    "witnesses of another registry": (
        lambda proof: proof.update(witnessed=[{"note": other().note(), "path": []}]),
        BadCheckpoint,
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_proof(name: str) -> None:
    edit, error = CHANGES[name]
    honest = told().proof(PULL)
    proof = copy.deepcopy(honest)
    edit(proof)
    assert proof != honest
    with pytest.raises(error):
        check(proof)


def test_a_whole_proof_of_another_registry() -> None:
    proof = other().proof(PULL)
    assert check(proof, other()).event.actor == "bob"
    with pytest.raises(WrongRegistry, match="another registry"):
        check(proof)
    with pytest.raises(WrongRegistry, match="another genesis"):
        check({**proof, "registry": told().registry_id})


# --- other bytes that say the same ----------------------------------------------------------------

HONEST = written(told().proof(PULL))
SPELLINGS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"proof\n",
    "an array": b"[]\n",
    "spaces": json.dumps(told().proof(PULL)).encode() + b"\n",
    "a newline more": HONEST + b"\n",
    "a newline less": HONEST[:-1],
    "a byte-order mark": b"\xef\xbb\xbf" + HONEST,
    "two documents": HONEST + HONEST,
    "a name twice": HONEST.replace(b'{"after"', b'{"registry":"","after"', 1),
    "names in another order": b'{"registry":"%s",' % told().registry_id.encode()
    + HONEST.replace(b',"registry":"%s"' % told().registry_id.encode(), b"", 1)[1:],
    "an escaped letter": HONEST.replace(b'"law"', b'"l\\u0061w"', 1),
    "UTF-16": HONEST.decode().encode("utf-16"),
    "cut off": HONEST[: len(HONEST) // 2] + b"\n",
    "nested a hundred thousand deep": b"[" * 100_000 + b"\n",
    "not UTF-8": HONEST.replace(b"c2sp", b"c2s\xff", 1),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_another_spelling(name: str) -> None:
    assert SPELLINGS[name] != HONEST
    with pytest.raises(Malformed):
        check_proof(SPELLINGS[name], told().registry_id)


def test_a_document_longer_than_any_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_PROOF", 0)  # what counts is what the reader was told
    with pytest.raises(Malformed, match="too long"):
        document.read(b" " * 101, document.Document, 100)


@settings(max_examples=300)
@given(st.integers(0, len(HONEST) - 1), st.integers(1, 255))
def test_any_byte_changed(position: int, change: int) -> None:
    spoiled = bytearray(HONEST)
    spoiled[position] ^= change
    with pytest.raises(Untrusted):
        check_proof(bytes(spoiled), told().registry_id)


@settings(max_examples=60)
@given(st.integers(0, len(HONEST) - 1))
def test_cut_anywhere(length: int) -> None:
    with pytest.raises(Malformed):
        check_proof(HONEST[:length], told().registry_id)
