"""HPKE opened without the registry's own code: a private key, and every place that a secret may be for.

Base mode of RFC 9180, step by step, so that the expensive step (decapsulation) is done once for a ciphertext
and a key, and each further ``info`` costs three hashes. The hybrid KEM is MLKEM768-X25519 of
draft-ietf-hpke-pq, the X-Wing construction.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.crypto.identity import Identity

BLOB_KEY, VAULT_KEY, CLASSIC_KEY = 32, 96, 32  # bytes of the secrets that are sealed
_MLKEM, _X25519, _TAG = 1088, 32, 16  # bytes
_XWING = b"\\.//^\\"
_HYBRID_ID = b"HPKE" + bytes.fromhex("647a00010002")
_CLASSIC_ID = b"HPKE" + bytes.fromhex("002000010002")
_DHKEM_ID = b"KEM" + bytes.fromhex("0020")


def _sizes(encapsulated: int) -> frozenset[int]:
    once = {encapsulated + _TAG + size for size in (BLOB_KEY, VAULT_KEY)}
    return frozenset(once | {encapsulated + _TAG + size for size in once})


HYBRID_SIZES = _sizes(_MLKEM + _X25519)  # of a sealed secret, and of one that is sealed once more
CLASSIC_SIZES = _sizes(_X25519)
SIZES = HYBRID_SIZES | CLASSIC_SIZES


@dataclass(frozen=True)
class Place:
    """What HPKE's ``info`` says: where a sealed secret belongs."""

    registry: str
    purpose: str
    vault: str
    epoch: int
    recipient: str


@dataclass(frozen=True, eq=False)
class Key:
    """A private key in hand. ``ident`` is how it is named as a recipient: key id, or ``vault#epoch``."""

    ident: str
    x25519: X25519PrivateKey
    mlkem: MLKEM768PrivateKey | None
    secret: bytes

    @classmethod
    def of(cls, identity: Identity) -> Key:
        mine = identity.sealing
        return cls(identity.signing.verifying.keyid, mine.x25519, mine.mlkem, mine.to_secret())

    @classmethod
    def of_secret(cls, ident: str, secret: bytes) -> Key:
        """A vault's key, as it is sealed: ML-KEM's seed where it has one, then X25519's 32 bytes."""
        x25519 = X25519PrivateKey.from_private_bytes(secret[-_X25519:])
        seed = secret[:-_X25519]
        return cls(ident, x25519, MLKEM768PrivateKey.from_seed_bytes(seed) if seed else None, secret)


def pick(key: Key, sealed: bytes, places: Iterable[Place]) -> tuple[Place, bytes] | None:
    """The first place under which ``key`` opens ``sealed``, and the secret; None where there is none."""
    for suite, secret, rest in _decapsulated(key, sealed):
        for place in places:
            opened = _open(suite, secret, rest, place)
            if opened is not None:
                return place, opened
    return None


def _decapsulated(key: Key, sealed: bytes) -> Iterable[tuple[bytes, bytes, bytes]]:
    public = key.x25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    if key.mlkem is not None and len(sealed) in HYBRID_SIZES:
        inner, outer, rest = sealed[:_MLKEM], sealed[_MLKEM:][:_X25519], sealed[_MLKEM + _X25519 :]
        shared = key.mlkem.decapsulate(inner) + _exchange(key, outer)
        yield _HYBRID_ID, hashlib.sha3_256(shared + outer + public + _XWING).digest(), rest
    if len(sealed) in CLASSIC_SIZES:
        outer, rest = sealed[:_X25519], sealed[_X25519:]
        prk = _extract(_DHKEM_ID, b"", b"eae_prk", _exchange(key, outer))
        yield _CLASSIC_ID, _expand(_DHKEM_ID, prk, b"shared_secret", outer + public, 32), rest


def _exchange(key: Key, public: bytes) -> bytes:
    try:
        return key.x25519.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:  # a point of small order: no such thing was ever sealed
        return bytes(_X25519)


def _open(suite: bytes, shared: bytes, ciphertext: bytes, place: Place) -> bytes | None:
    context = _context(suite, place)
    secret = _extract(suite, shared, b"secret", b"")
    key, nonce = (
        _expand(suite, secret, b"key", context, 32),
        _expand(suite, secret, b"base_nonce", context, 12),
    )
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, b"")
    except InvalidTag:
        return None


@lru_cache(maxsize=100_000)
def _context(suite: bytes, place: Place) -> bytes:
    said = {
        "epoch": place.epoch,
        "model": place.vault,
        "purpose": place.purpose,
        "recipient": place.recipient,
        "registry_id": place.registry,
    }
    info = json.dumps(said, separators=(",", ":")).encode()  # RFC 8785: the names are in order, and ASCII
    return b"\0" + _extract(suite, b"", b"psk_id_hash", b"") + _extract(suite, b"", b"info_hash", info)


def _extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + material, "sha256")


def _expand(suite: bytes, secret: bytes, label: bytes, info: bytes, size: int) -> bytes:
    said = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info + b"\1"
    return hmac.digest(secret, said, "sha256")[:size]
