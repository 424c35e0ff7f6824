"""Public identity files: the one form that a member's own key signs, and nothing beside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from registry import strictjson
from registry.crypto import dsse, possession, sealing
from registry.crypto.identity import Identity, PublicIdentity
from registry.crypto.keys import SigningKey
from registry.crypto.sealing import CLASSIC, SealingPrivateKey
from registry.errors import BadEncryption, BadSignature, InvalidIdentity, Malformed, Untrusted

ALICE, MALLORY = Identity.generate("alice"), Identity.generate("mallory")
FILE = possession.prove(ALICE)
REFUSED = (Malformed, BadSignature)


def _envelope() -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads(FILE)
    return envelope


def _statement(public: PublicIdentity = ALICE.public) -> dict[str, Any]:
    """A statement as the format describes it, without anything of the module that is tested."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": public.name, "digest": {"sha256": public.fingerprint}}],
        "predicateType": "https://hallmark-registry/identity/v1",
        "predicate": public.to_dict(),
    }


def _signed(statement: object, key: SigningKey = ALICE.signing) -> bytes:
    return dsse.sign(strictjson.canonical(statement), key).to_bytes()


def _substituted(public: PublicIdentity, keyid: str = ALICE.signing.verifying.keyid) -> bytes:
    """Alice's file after somebody who cannot sign for her put another identity into it."""
    envelope = _envelope()
    envelope["payload"] = strictjson.to_b64(strictjson.canonical(_statement(public)))
    envelope["signatures"][0]["keyid"] = keyid
    return strictjson.canonical(envelope)


def test_what_is_proven_verifies() -> None:
    assert possession.verify(FILE) == possession.verify(FILE + b"\n") == ALICE.public
    classic = Identity("dave", SigningKey.generate(), SealingPrivateKey.generate(CLASSIC))
    assert possession.verify(possession.prove(classic)) == classic.public


def test_the_file_is_one_line_in_the_documented_form() -> None:
    assert b"\n" not in FILE
    assert strictjson.canonical(_envelope()) == FILE
    assert base64.b64decode(_envelope()["payload"]) == strictjson.canonical(_statement())
    (signature,) = _envelope()["signatures"]
    assert signature["keyid"] == ALICE.signing.verifying.keyid
    dsse.verify(dsse.Envelope.from_bytes(FILE), ALICE.signing.verifying)


SUBSTITUTES = {
    "name": PublicIdentity("mallory", ALICE.public.signing, ALICE.public.sealing),
    "sealing-key": PublicIdentity("alice", ALICE.public.signing, MALLORY.public.sealing),
    "signing-key": PublicIdentity("alice", MALLORY.public.signing, ALICE.public.sealing),
}


@pytest.mark.parametrize("public", SUBSTITUTES.values(), ids=SUBSTITUTES.keys())
def test_what_the_key_did_not_sign_is_refused(public: PublicIdentity) -> None:
    """The subject fits each time, and so may the key's id: nothing but the signature tells."""
    for keyid in (ALICE.signing.verifying.keyid, public.signing.keyid):
        with pytest.raises(BadSignature):
            possession.verify(_substituted(public, keyid))


@pytest.mark.parametrize("owner", [ALICE, MALLORY], ids=["named-as-hers", "named-as-his"])
def test_anothers_signature_over_alices_keys_is_refused(owner: Identity) -> None:
    envelope = json.loads(_signed(_statement(), MALLORY.signing))
    envelope["signatures"][0]["keyid"] = owner.signing.verifying.keyid
    with pytest.raises(BadSignature):
        possession.verify(strictjson.canonical(envelope))


def _put(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(whole: dict[str, Any]) -> None:
        *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        place: Any = whole
        for step in way:
            place = place[step]
        place[last] = value

    return change


def test_another_statement_of_hers_is_named_as_such() -> None:
    statement = {**_statement(), "predicateType": "https://hallmark-registry/push/v1"}
    with pytest.raises(Malformed, match="not a public identity"):
        possession.verify(_signed(statement))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_put("_type", "https://in-toto.io/Statement/v0.1"), id="statement-type"),
        pytest.param(_put("predicateType", "https://hallmark-registry/identity/v2"), id="predicate-version"),
        pytest.param(_put("subject/0/name", "bob"), id="subject-name"),
        pytest.param(_put("subject/0/digest/sha256", MALLORY.public.fingerprint), id="subject-digest"),
        pytest.param(_put("subject/0/digest/sha256", ALICE.public.fingerprint.upper()), id="capitals"),
        pytest.param(_put("subject", _statement()["subject"] * 2), id="two-subjects"),
        pytest.param(_put("predicate/name", "bob"), id="name"),
        pytest.param(_put("predicate/sealing", MALLORY.public.sealing.to_dict()), id="sealing-key"),
        pytest.param(_put("predicate/signing", "QQ=="), id="signing-key-not-one"),
        pytest.param(_put("predicate/role", "admin"), id="unknown-field-in-the-predicate"),
        pytest.param(_put("extra", 1), id="unknown-field"),
    ],
)
def test_her_own_signature_excuses_no_other_statement(change: Callable[[dict[str, Any]], None]) -> None:
    statement = _statement()
    change(statement)
    with pytest.raises(Malformed):
        possession.verify(_signed(statement))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_put("payloadType", "application/json"), id="payload-type"),
        pytest.param(_put("signatures", []), id="no-signature"),
        pytest.param(_put("signatures", _envelope()["signatures"] * 2), id="her-signature-twice"),
        pytest.param(_put("signatures/0/keyid", ""), id="no-key-id"),
        pytest.param(_put("signatures/0/keyid", MALLORY.signing.verifying.keyid), id="key-id"),
        pytest.param(_put("signatures/0/sig", ""), id="signature"),
        pytest.param(_put("extra", 1), id="unknown-field"),
    ],
)
def test_a_changed_envelope_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    envelope = _envelope()
    change(envelope)
    with pytest.raises(REFUSED):
        possession.verify(strictjson.canonical(envelope))


def test_a_second_signature_is_refused_whosever_it_is() -> None:
    for other in (MALLORY, ALICE):
        envelope = _envelope()
        envelope["signatures"] += json.loads(_signed(_statement(), other.signing))["signatures"]
        with pytest.raises(Malformed, match="one signature"):
            possession.verify(strictjson.canonical(envelope))


NOT_CANONICAL = {
    "spaces": json.dumps(_envelope()).encode(),
    "order": json.dumps(dict(reversed(_envelope().items())), separators=(",", ":")).encode(),
    "escape": FILE.replace(b"payloadType", b"\\u0070ayloadType"),
    "two-newlines": FILE + b"\n\n",
    "carriage-return": FILE + b"\r\n",
    "space-before": b" " + FILE,
    "utf-16": FILE.decode().encode("utf-16"),
    "name-twice": FILE[:-1] + b',"payloadType":"application/vnd.in-toto+json"}',
    "nothing": b"",
    "cut": FILE[:-1],
}


@pytest.mark.parametrize("data", NOT_CANONICAL.values(), ids=NOT_CANONICAL.keys())
def test_another_spelling_of_the_file_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        possession.verify(data)


def test_the_size_is_looked_at_before_anything_is_parsed() -> None:
    with pytest.raises(Malformed, match="too long"):
        possession.verify(b"[" * (possession.LIMIT + 1))


def test_another_spelling_of_the_statement_is_refused() -> None:
    canonical = strictjson.canonical(_statement())
    spaces, twice = json.dumps(_statement()).encode(), canonical[:-1] + b',"predicateType":""}'
    for payload in (spaces, twice, canonical + b"\n"):
        with pytest.raises(Malformed):
            possession.verify(dsse.sign(payload, ALICE.signing).to_bytes())


def test_other_curves_are_neither_proven_nor_accepted() -> None:
    bob = Identity("bob", SigningKey(ec.generate_private_key(ec.SECP384R1())), SealingPrivateKey.generate())
    with pytest.raises(InvalidIdentity, match="P-256"):
        possession.prove(bob)
    with pytest.raises(Malformed, match="P-256"):
        possession.verify(_signed(_statement(bob.public), bob.signing))


def test_who_registers_anothers_sealing_key_opens_nothing() -> None:
    """The file is accepted, as the module says: it states possession of the sealing key, and no more."""
    posing = PublicIdentity("mallory", MALLORY.public.signing, ALICE.public.sealing)
    assert possession.verify(_signed(_statement(posing), MALLORY.signing)) == posing
    for member in (ALICE.public, posing):  # the sealing key is the same, the place is not
        sealed = sealing.seal(b"secret", member.sealing, member.signing.keyid.encode())
        with pytest.raises(BadEncryption):
            sealing.open_sealed(sealed, MALLORY.sealing, member.signing.keyid.encode())
    hers = sealing.seal(b"secret", ALICE.public.sealing, ALICE.public.signing.keyid.encode())
    with pytest.raises(BadEncryption):
        sealing.open_sealed(hers, ALICE.sealing, posing.signing.keyid.encode())


@settings(max_examples=400, deadline=None)
@given(place=st.integers(0, len(FILE) - 1), flip=st.integers(1, 255))
def test_no_flipped_byte_is_accepted(place: int, flip: int) -> None:
    changed = bytearray(FILE)
    changed[place] ^= flip
    with pytest.raises(REFUSED):
        possession.verify(bytes(changed))


@settings(max_examples=200, deadline=None)
@given(start=st.integers(0, len(FILE)), removed=st.integers(0, 200), added=st.binary(max_size=50))
def test_no_edit_is_accepted_with_other_content(start: int, removed: int, added: bytes) -> None:
    _refused_or_hers(FILE[:start] + added + FILE[start + removed :], Malformed, BadSignature)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)
_PLACES = ["_type", "subject", "subject/0/digest", "predicate", "predicate/name", "predicate/sealing/suite"]


@settings(max_examples=200, deadline=None)
@given(place=st.sampled_from(_PLACES), value=_json)
def test_whatever_she_signs_instead_is_malformed(place: str, value: object) -> None:
    statement = _statement()
    _put(place, value)(statement)
    _refused_or_hers(_signed(statement), Malformed)


def _refused_or_hers(data: bytes, *refused: type[Untrusted]) -> None:
    try:
        accepted = possession.verify(data)
    except refused:
        return
    assert accepted == ALICE.public
    assert data.removesuffix(b"\n") == FILE
