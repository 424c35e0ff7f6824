"""Sealed secrets: published vectors for both suites, and a secret moved, changed or opened by another."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, Suite
from hypothesis import given
from hypothesis import strategies as st

from registry.crypto import sealing
from registry.crypto.sealing import CLASSIC, HYBRID, SUITES, Sealed, SealingPrivateKey, SealingPublicKey
from registry.errors import BadEncryption, InvalidInput, Malformed

VECTORS = Path(__file__).parents[1] / "vectors"
PLACE: dict[str, Any] = {
    "registry_id": "ab" * 32,
    "purpose": "blob-key",
    "model": "vision/resnet50",
    "epoch": 1,
    "recipient": "vault",
}
INFO = sealing.info_for(**PLACE)
SECRET = bytes(range(32))
KEYS = {suite: SealingPrivateKey.generate(suite) for suite in SUITES}


def _vector(name: str) -> dict[str, Any]:
    """A vector file, its hexadecimal read into bytes."""
    values: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    for key in ("info", "skRm", "pkRm", "enc", "shared_secret", "key", "base_nonce"):
        values[key] = bytes.fromhex(values[key])
    return values


def _key_and_nonce(vector: dict[str, Any], aead_id: int, info: bytes) -> tuple[bytes, bytes]:
    """RFC 9180 section 5.1, KeySchedule in base mode with HKDF-SHA256, written out for these tests."""
    suite = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (vector["kem_id"], 1, aead_id))

    def extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt, b"HPKE-v1" + suite + label + ikm, "sha256")

    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(vector["shared_secret"], b"secret", b"")

    def expand(label: bytes, size: int) -> bytes:
        labelled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
        return hmac.digest(secret, labelled + b"\1", "sha256")[:size]

    return expand(b"key", 32), expand(b"base_nonce", 12)


def _hybrid_vector_key(vector: dict[str, Any]) -> SealingPrivateKey:
    return SealingPrivateKey.from_secret(HYBRID, hashlib.shake_256(vector["skRm"]).digest(96))


def test_the_published_vector_of_the_x25519_suite_opens() -> None:
    vector = _vector("hpke_x25519")
    key = SealingPrivateKey.from_secret(CLASSIC, vector["skRm"])
    assert key.public.to_bytes() == vector["pkRm"]
    first = {name: bytes.fromhex(value) for name, value in vector["encryption"].items()}
    opened = openssl.hpke._decrypt_with_aad(
        sealing._SUITES[CLASSIC], vector["enc"] + first["ct"], key.x25519, vector["info"], first["aad"]
    )
    assert opened == first["pt"]


def test_the_published_vector_of_the_hybrid_kem_opens() -> None:
    vector = _vector("hpke_mlkem768x25519")
    key = _hybrid_vector_key(vector)
    assert key.public.to_bytes() == vector["pkRm"]
    assert key.mlkem is not None
    first = {name: bytes.fromhex(value) for name, value in vector["encryption"].items()}
    suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    parts = MLKEM768X25519PrivateKey(key.mlkem, key.x25519)
    opened = openssl.hpke._decrypt_with_aad(
        suite, vector["enc"] + first["ct"], parts, vector["info"], first["aad"]
    )
    assert opened == first["pt"]


@pytest.mark.parametrize("suite", SUITES)
def test_a_message_made_from_the_published_secret_without_the_library_opens(suite: str) -> None:
    name = "hpke_x25519" if suite == CLASSIC else "hpke_mlkem768x25519"
    vector = _vector(name)
    derived = _key_and_nonce(vector, vector["aead_id"], vector["info"])
    assert derived == (vector["key"], vector["base_nonce"])
    key, nonce = _key_and_nonce(vector, 2, INFO)  # 2 is AES-256-GCM, RFC 9180 section 7.3
    message = vector["enc"] + AESGCM(key).encrypt(nonce, SECRET, b"")
    ours = (
        SealingPrivateKey.from_secret(CLASSIC, vector["skRm"])
        if suite == CLASSIC
        else _hybrid_vector_key(vector)
    )
    assert sealing.open_sealed(Sealed(suite, message), ours, INFO) == SECRET


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(SUITES))
def test_what_is_sealed_opens(secret: bytes, info: bytes, suite: str) -> None:
    sealed = sealing.seal(secret, KEYS[suite].public, info)
    assert sealing.open_sealed(Sealed.from_dict(sealed.to_dict()), KEYS[suite], info) == secret


def test_a_hybrid_sealed_key_takes_1168_bytes() -> None:
    assert len(sealing.seal(SECRET, KEYS[HYBRID].public, INFO).ciphertext) == 1168


def test_sealing_twice_gives_two_ciphertexts() -> None:
    public = KEYS[HYBRID].public
    assert sealing.seal(SECRET, public, INFO) != sealing.seal(SECRET, public, INFO)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("registry_id", "cd" * 32),
        ("purpose", "vault-share"),
        ("model", "vision/resnet51"),
        ("epoch", 2),
        ("recipient", "mallory"),
    ],
)
def test_a_secret_moved_to_another_place_does_not_open(suite: str, field: str, value: object) -> None:
    sealed = sealing.seal(SECRET, KEYS[suite].public, INFO)
    with pytest.raises(BadEncryption):
        sealing.open_sealed(sealed, KEYS[suite], sealing.info_for(**{**PLACE, field: value}))


@pytest.mark.parametrize("suite", SUITES)
def test_another_key_does_not_open(suite: str) -> None:
    sealed = sealing.seal(SECRET, KEYS[suite].public, INFO)
    with pytest.raises(BadEncryption):
        sealing.open_sealed(sealed, SealingPrivateKey.generate(suite), INFO)


@pytest.mark.parametrize("half", ["mlkem", "x25519"])
def test_one_half_of_the_hybrid_key_does_not_open(half: str) -> None:
    mine, other = KEYS[HYBRID].to_secret(), SealingPrivateKey.generate().to_secret()
    mixed = mine[:64] + other[64:] if half == "mlkem" else other[:64] + mine[64:]
    sealed = sealing.seal(SECRET, KEYS[HYBRID].public, INFO)
    with pytest.raises(BadEncryption):
        sealing.open_sealed(sealed, SealingPrivateKey.from_secret(HYBRID, mixed), INFO)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("place", [0, 31, -49, -48, -17, -16, -1])
def test_a_flipped_byte_does_not_open(suite: str, place: int) -> None:
    sealed = sealing.seal(SECRET, KEYS[suite].public, INFO)
    changed = bytearray(sealed.ciphertext)
    changed[place] ^= 1
    with pytest.raises(BadEncryption):
        sealing.open_sealed(replace(sealed, ciphertext=bytes(changed)), KEYS[suite], INFO)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("kept", [0, 1, 31, 32, 47, -16, -1])
def test_a_truncated_ciphertext_does_not_open(suite: str, kept: int) -> None:
    sealed = sealing.seal(SECRET, KEYS[suite].public, INFO)
    with pytest.raises(BadEncryption):
        sealing.open_sealed(replace(sealed, ciphertext=sealed.ciphertext[:kept]), KEYS[suite], INFO)


@pytest.mark.parametrize("named", [HYBRID, "hpke-none", ""])
def test_a_ciphertext_relabelled_with_another_suite_does_not_open(named: str) -> None:
    sealed = sealing.seal(SECRET, KEYS[CLASSIC].public, INFO)
    with pytest.raises(BadEncryption, match="another suite"):
        sealing.open_sealed(replace(sealed, suite=named), KEYS[CLASSIC], INFO)
    with pytest.raises(BadEncryption):
        sealing.open_sealed(replace(sealed, suite=HYBRID), KEYS[HYBRID], INFO)


@pytest.mark.parametrize("suite", SUITES)
def test_keys_read_back_as_they_were(suite: str) -> None:
    key = KEYS[suite]
    assert SealingPrivateKey.from_secret(suite, key.to_secret()).public == key.public
    assert SealingPublicKey.from_dict(key.public.to_dict()) == key.public
    assert SealingPublicKey.from_bytes(suite, key.public.to_bytes()) == key.public


@pytest.mark.parametrize(
    ("suite", "raw"),
    [
        pytest.param("hpke-none", bytes(32), id="unknown-suite"),
        pytest.param(CLASSIC, KEYS[HYBRID].public.raw, id="hybrid-key-in-the-classic-suite"),
        pytest.param(HYBRID, KEYS[HYBRID].public.raw[:-1], id="one-byte-short"),
        pytest.param(HYBRID, KEYS[HYBRID].public.raw + b"\0", id="one-byte-long"),
        pytest.param(HYBRID, b"\xff" * 1184 + KEYS[CLASSIC].public.raw, id="coefficients-beyond-q"),
        pytest.param(CLASSIC, bytes(32), id="point-zero"),
        pytest.param(CLASSIC, b"\1" + bytes(31), id="point-of-small-order"),
        pytest.param(HYBRID, KEYS[HYBRID].public.raw[:1184] + bytes(32), id="hybrid-with-point-zero"),
    ],
)
def test_a_public_key_nothing_can_be_sealed_to_is_refused(suite: str, raw: bytes) -> None:
    with pytest.raises(Malformed):
        SealingPublicKey.from_bytes(suite, raw)


@pytest.mark.parametrize(("suite", "size"), [(HYBRID, 32), (HYBRID, 95), (CLASSIC, 96), ("hpke-none", 32)])
def test_a_secret_key_of_the_wrong_length_or_suite_is_refused(suite: str, size: int) -> None:
    with pytest.raises(Malformed):
        SealingPrivateKey.from_secret(suite, bytes(size))


def test_keys_and_places_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InvalidInput):
        SealingPrivateKey.generate("hpke-none")
    with pytest.raises(InvalidInput):
        sealing.info_for(**{**PLACE, "purpose": "anything"})


def test_the_place_is_canonical_json_of_five_fields() -> None:
    assert json.loads(INFO) == PLACE
    assert json.dumps(PLACE, sort_keys=True, separators=(",", ":")).encode() == INFO


@pytest.mark.parametrize("suite", SUITES)
def test_a_private_key_does_not_print_itself(suite: str) -> None:
    assert repr(KEYS[suite]) == f"SealingPrivateKey(suite={suite!r})"
