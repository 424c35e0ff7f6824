"""The keys of a generated company, each derived from the seed and its owner's name. They protect nothing."""

from __future__ import annotations

from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.ledgers.chance import stream
from registry.crypto.checkpoint import LedgerKey
from registry.crypto.identity import Identity
from registry.crypto.keys import SigningKey
from registry.crypto.sealing import DEFAULT, SealingPrivateKey, SealingPublicKey

# The order of P-256 (SP 800-186, section 3.2.1.3).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class SteadyKey(SigningKey):
    """Signs the same bytes the same way each time (RFC 6979)."""

    def sign(self, data: bytes) -> bytes:
        """A DER signature over ``data``."""
        return self.private.sign(data, ec.ECDSA(SHA256(), deterministic_signing=True))


@lru_cache(maxsize=8192)
def signing(seed: str, name: str, generation: int) -> SteadyKey:
    """A member's signing key; each time it is replaced begins a ``generation``."""
    number = int.from_bytes(stream(seed, 40, "signing", name, generation), "big")
    return SteadyKey(ec.derive_private_key(number % (_ORDER - 1) + 1, ec.SECP256R1()))


@lru_cache(maxsize=8192)
def keyid(seed: str, name: str, generation: int) -> str:
    """The id of a signing key."""
    return signing(seed, name, generation).keyid


def identity(seed: str, name: str, generation: int = 0) -> Identity:
    """A member's keys."""
    secret = stream(seed, SealingPrivateKey.secret_size(), "sealing", name, generation)
    return Identity(name, signing(seed, name, generation), SealingPrivateKey.from_secret(DEFAULT, secret))


def vault(seed: str, name: str, epoch: int) -> SealingPublicKey:
    """The public half of a vault's epoch."""
    secret = stream(seed, SealingPrivateKey.secret_size(), "vault", name, epoch)
    return SealingPrivateKey.from_secret(DEFAULT, secret).public


@lru_cache(maxsize=8)
def ledger(seed: str) -> LedgerKey:
    """The ledger's key."""
    return LedgerKey(Ed25519PrivateKey.from_private_bytes(stream(seed, 32, "ledger")))
