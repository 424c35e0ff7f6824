"""Secrets sealed to one recipient: HPKE base mode, single shot (RFC 9180 sections 5.1.1 and 6.1).

The default KEM is MLKEM768-X25519 (draft-ietf-hpke-pq, id 0x647a, the X-Wing construction): what is stored
today may be attacked in twenty years. ``info`` binds a sealed secret to its place, so that it cannot be
moved to another model, epoch, purpose, recipient or registry. Base mode does not say who sealed: the
signed act that carries the ciphertext does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from registry import strictjson
from registry.errors import BadEncryption, InvalidInput, Malformed

HYBRID = "hpke-mlkem768x25519-hkdf-sha256-aes256gcm"
CLASSIC = "hpke-x25519-hkdf-sha256-aes256gcm"
DEFAULT = HYBRID
SUITES = (HYBRID, CLASSIC)
PURPOSES = ("blob-key", "vault-share", "release")

_X25519 = 32  # bytes, public and private
_MLKEM_SEED = 64  # bytes, d || z of FIPS 203
_MLKEM_PUBLIC = 1184  # bytes
_SUITES = {
    HYBRID: Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM),
    CLASSIC: Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM),
}
_PUBLIC_SIZES = {HYBRID: _MLKEM_PUBLIC + _X25519, CLASSIC: _X25519}
_SECRET_SIZES = {HYBRID: _MLKEM_SEED + _X25519, CLASSIC: _X25519}


@dataclass(frozen=True)
class SealingPublicKey:
    """What secrets are sealed to. ``raw`` is ML-KEM-768's key (1184 bytes, if any), then X25519's (32)."""

    suite: str
    raw: bytes
    _key: X25519PublicKey | MLKEM768X25519PublicKey = field(repr=False, compare=False)

    @classmethod
    def from_bytes(cls, suite: str, raw: bytes) -> SealingPublicKey:
        """Raises Malformed, also for a key that FIPS 203 section 7.2 or RFC 7748 section 6.1 refuses.

        Such a key admitted here would make every later act fail that must seal to it.
        """
        _check_size(suite, raw, _PUBLIC_SIZES)
        x25519 = X25519PublicKey.from_public_bytes(raw[-_X25519:])
        try:
            X25519PrivateKey.generate().exchange(x25519)  # refuses points of small order
            if suite == CLASSIC:
                return cls(suite, raw, x25519)
            mlkem = MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM_PUBLIC])
        except ValueError as error:
            raise Malformed("the bytes are not a sealing key", on=suite) from error
        return cls(suite, raw, MLKEM768X25519PublicKey(mlkem, x25519))

    def to_bytes(self) -> bytes:
        return self.raw

    def to_dict(self) -> dict[str, str]:
        return {"suite": self.suite, "public": strictjson.to_b64(self.raw)}

    @classmethod
    def from_dict(cls, value: Mapping[str, object]) -> SealingPublicKey:
        """Raises Malformed."""
        obj = dict(value)
        strictjson.only(obj, ("suite", "public"))
        return cls.from_bytes(strictjson.text(obj, "suite"), strictjson.b64(obj, "public"))


class SealingPrivateKey:
    """Opens what was sealed to ``public``. ``mlkem`` is None in the suite without ML-KEM."""

    def __init__(self, x25519: X25519PrivateKey, mlkem: MLKEM768PrivateKey | None) -> None:
        self.x25519 = x25519
        self.mlkem = mlkem
        self.suite = HYBRID if mlkem else CLASSIC
        self.public = SealingPublicKey.from_bytes(self.suite, _public_bytes(x25519, mlkem))

    @classmethod
    def generate(cls, suite: str = DEFAULT) -> SealingPrivateKey:
        """A new key. Raises InvalidInput for a suite that is not in SUITES."""
        if suite not in SUITES:
            raise InvalidInput("the sealing suite is not known", on=repr(suite), hint=f"one of {SUITES}")
        mlkem = MLKEM768PrivateKey.generate() if suite == HYBRID else None
        return cls(X25519PrivateKey.generate(), mlkem)

    @classmethod
    def from_secret(cls, suite: str, secret: bytes) -> SealingPrivateKey:
        """Read ``to_secret``. Raises Malformed."""
        _check_size(suite, secret, _SECRET_SIZES)
        x25519 = X25519PrivateKey.from_private_bytes(secret[-_X25519:])
        if suite == CLASSIC:
            return cls(x25519, None)
        return cls(x25519, MLKEM768PrivateKey.from_seed_bytes(secret[:_MLKEM_SEED]))

    @staticmethod
    def secret_size(suite: str = DEFAULT) -> int:
        """Bytes in ``to_secret``."""
        return _SECRET_SIZES[suite]

    def to_secret(self) -> bytes:
        """The key itself: ML-KEM's 64-byte seed where the suite has one, then X25519's 32 bytes.

        That is what draft-ietf-hpke-pq derives from its 32-byte seed by SHAKE256, before the seed is
        split; the library makes hybrid keys from the parts, so the parts are kept.
        """
        return (self.mlkem.private_bytes_raw() if self.mlkem else b"") + self.x25519.private_bytes_raw()

    def __repr__(self) -> str:
        return f"SealingPrivateKey(suite={self.suite!r})"


@dataclass(frozen=True)
class Sealed:
    """A sealed secret: the KEM's encapsulated key, then the AEAD ciphertext."""

    suite: str
    ciphertext: bytes

    def to_dict(self) -> dict[str, str]:
        return {"suite": self.suite, "ciphertext": strictjson.to_b64(self.ciphertext)}

    @classmethod
    def from_dict(cls, value: Mapping[str, object]) -> Sealed:
        """Raises Malformed."""
        obj = dict(value)
        strictjson.only(obj, ("suite", "ciphertext"))
        return cls(strictjson.text(obj, "suite"), strictjson.b64(obj, "ciphertext"))


def info_for(*, registry_id: str, purpose: str, model: str, epoch: int, recipient: str) -> bytes:
    """HPKE's ``info``: the place of a sealed secret, as RFC 8785 JSON of exactly these five fields."""
    if purpose not in PURPOSES:
        raise InvalidInput("nothing is sealed for this purpose", on=repr(purpose), hint=f"one of {PURPOSES}")
    place = {
        "registry_id": registry_id,
        "purpose": purpose,
        "model": model,
        "epoch": epoch,
        "recipient": recipient,
    }
    return strictjson.canonical(place)


def seal(secret: bytes, to: SealingPublicKey, info: bytes) -> Sealed:
    """``secret`` for the holder of one private key, opened only under the same ``info``."""
    return Sealed(to.suite, _SUITES[to.suite].encrypt(secret, to._key, info))


def open_sealed(sealed: Sealed, key: SealingPrivateKey, info: bytes) -> bytes:
    """The secret. Raises BadEncryption: another suite, key or ``info``, or a changed ciphertext."""
    if sealed.suite != key.suite:
        raise BadEncryption("the secret is sealed in another suite", on=repr(sealed.suite[:64]))
    parts = MLKEM768X25519PrivateKey(key.mlkem, key.x25519) if key.mlkem else key.x25519
    try:
        return _SUITES[key.suite].decrypt(sealed.ciphertext, parts, info)
    except (InvalidTag, ValueError) as error:
        raise BadEncryption("the sealed secret does not open with this key in this place") from error


def _public_bytes(x25519: X25519PrivateKey, mlkem: MLKEM768PrivateKey | None) -> bytes:
    return (mlkem.public_key().public_bytes_raw() if mlkem else b"") + x25519.public_key().public_bytes_raw()


def _check_size(suite: str, data: bytes, sizes: Mapping[str, int]) -> None:
    if suite not in sizes:
        raise Malformed("the sealing suite is not known", on=repr(suite[:64]))
    if len(data) != sizes[suite]:
        raise Malformed("a sealing key has the wrong length", on=f"{len(data)} bytes, not {sizes[suite]}")
