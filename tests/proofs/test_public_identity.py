"""Public identities: read back as they were, and only in their one form."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry import strictjson
from registry.crypto.identity import Identity, PublicIdentity, VerifyingKey
from registry.crypto.sealing import CLASSIC
from registry.errors import InvalidIdentity, Malformed

ALICE = Identity.generate("alice")


def test_the_public_half_reads_back_from_json() -> None:
    written = strictjson.canonical(ALICE.public.to_dict())
    read = PublicIdentity.from_dict(strictjson.parse_object(written, limit=1 << 16))
    assert read == ALICE.public
    assert read.fingerprint == ALICE.public.fingerprint
    assert read.fingerprint != replace(read, name="bob").fingerprint


def _public(**fields: object) -> dict[str, object]:
    return {**ALICE.public.to_dict(), **fields}


def _spki(key: ec.EllipticCurvePrivateKey | X25519PrivateKey) -> str:
    return strictjson.to_b64(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _compressed() -> str:
    """The same key with its point compressed: another id for the same signer, if it were accepted."""
    spki = ALICE.signing.verifying.spki
    head, x, odd = (
        bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200"),
        spki[-64:-32],
        spki[-1] & 1,
    )
    return strictjson.to_b64(head + bytes((2 + odd,)) + x)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(_public(role="admin"), id="unknown-field"),
        pytest.param(_public(name="no/slash"), id="name"),
        pytest.param(_public(signing="QQ=="), id="signing-not-der"),
        pytest.param(_public(signing=_compressed()), id="signing-compressed"),
        pytest.param(_public(signing=_spki(X25519PrivateKey.generate())), id="signing-x25519"),
        pytest.param(_public(signing=_spki(ec.generate_private_key(ec.SECP256K1()))), id="signing-secp256k1"),
        pytest.param(_public(signing=strictjson.to_b64(bytes(5000))), id="signing-too-long"),
        pytest.param(_public(sealing={"suite": CLASSIC}), id="sealing-without-key"),
        pytest.param(_public(sealing={"suite": "none", "public": ""}), id="sealing-suite"),
        pytest.param({"name": "alice"}, id="keys-missing"),
    ],
)
def test_malformed_public_identities_are_refused(value: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        PublicIdentity.from_dict(value)


def test_a_public_key_reads_back_from_pem() -> None:
    pem = ALICE.signing.verifying.pem
    assert VerifyingKey.from_pem(pem) == ALICE.signing.verifying
    for bad in (b"", ALICE.to_pem(None), pem + b"\n" * 4096):
        with pytest.raises(InvalidIdentity):
            VerifyingKey.from_pem(bad)
