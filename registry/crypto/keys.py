"""Signing keys: ECDSA over the NIST curves (FIPS 186-5), the hash chosen by the curve.

New keys are on P-256. P-384 and P-521 are accepted, as OpenSSF Model Signing v1.0 does, so that keys
which already exist can be used. Signatures are the DER sequence of RFC 3279 section 2.2.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from registry.errors import BadSignature, InvalidIdentity, Malformed

_HINT = "openssl ecparam -genkey -name prime256v1 makes a private key, openssl ec -pubout its public half"
MAX_PUBLIC = 4096  # bytes of a public key, in DER or PEM
_HASHES: dict[str, HashAlgorithm] = {"secp256r1": SHA256(), "secp384r1": SHA384(), "secp521r1": SHA512()}
_ALGORITHMS = {curve: ec.ECDSA(algorithm) for curve, algorithm in _HASHES.items()}


@dataclass(frozen=True)
class VerifyingKey:
    """A public key. Two are equal when their ``spki`` is."""

    spki: bytes  # DER SubjectPublicKeyInfo, RFC 5480, with a named curve and an uncompressed point
    _key: ec.EllipticCurvePublicKey = field(repr=False, compare=False)

    @classmethod
    def of(cls, key: object) -> VerifyingKey:
        """Wrap a key of ``cryptography``. Raises InvalidIdentity unless it is ECDSA on a curve of ours."""
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _HASHES:
            raise InvalidIdentity("the key is not an ECDSA key on P-256, P-384 or P-521", hint=_HINT)
        return cls(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), key)

    @classmethod
    def from_spki(cls, spki: bytes) -> VerifyingKey:
        """Read DER. Only the one encoding that we would write is accepted, so an id names one key.

        Raises Malformed.
        """
        try:
            key = cls.of(_load(load_der_public_key, spki))
        except InvalidIdentity as error:
            raise Malformed("the bytes are not an ECDSA public key on P-256, P-384 or P-521") from error
        if key.spki != spki:
            raise Malformed("the public key is not in its one DER form", on=f"key {key.keyid}")
        return key

    @classmethod
    def from_pem(cls, pem: bytes) -> VerifyingKey:
        """Read a PEM public key of a person's own (RFC 7468 section 13). Raises InvalidIdentity."""
        return cls.of(_load(load_pem_public_key, pem))

    @cached_property
    def _algorithm(self) -> ec.ECDSA:
        return _ALGORITHMS[self._key.curve.name]

    @property
    def keyid(self) -> str:
        """Hexadecimal SHA-256 of ``spki``."""
        return hashlib.sha256(self.spki).hexdigest()

    @property
    def pem(self) -> bytes:
        """The key in PEM, as OpenSSL writes it."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verify(self, sig: bytes, data: bytes) -> None:
        """Return if ``sig`` is this key's signature over ``data``; raise BadSignature otherwise."""
        try:
            self._key.verify(sig, data, self._algorithm)
        except InvalidSignature as error:
            raise BadSignature("the signature does not verify", on=f"key {self.keyid}") from error


class SigningKey:
    """A private key. Its repr shows the public half's id only."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        """Raises InvalidIdentity for another curve than P-256, P-384 and P-521."""
        self.private = key
        self.verifying = VerifyingKey.of(key.public_key())

    @classmethod
    def generate(cls) -> SigningKey:
        """A new key on P-256."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @property
    def keyid(self) -> str:
        """The public half's."""
        return self.verifying.keyid

    def sign(self, data: bytes) -> bytes:
        """A DER signature over ``data``."""
        return self.private.sign(data, ec.ECDSA(_HASHES[self.private.curve.name]))

    def derive(self, info: bytes, length: int = 32) -> bytes:
        """A secret for another purpose: HKDF-SHA256 (RFC 5869) over the private scalar, big-endian."""
        size = (self.private.key_size + 7) // 8
        scalar = self.private.private_numbers().private_value.to_bytes(size, "big")
        return HKDF(SHA256(), length, salt=None, info=info).derive(scalar)

    def __repr__(self) -> str:
        return f"SigningKey(keyid={self.verifying.keyid!r})"


def _load(loader: Callable[[bytes], object], data: bytes) -> object:
    if len(data) > MAX_PUBLIC:
        raise InvalidIdentity("the public key is too long", on=f"{len(data)} bytes, {MAX_PUBLIC} allowed")
    try:
        return loader(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidIdentity("the bytes are not a public key", hint=_HINT) from error
