"""Cosignatures of witnesses: C2SP tlog-cosignature, Ed25519 (type 0x04) and ML-DSA-44 (type 0x06).

A cosignature is a signature line on a checkpoint: eight bytes of POSIX time, big-endian, and the signature.
It says that at that time this was the largest tree that the witness had seen of this ledger, and that every
tree it had seen before is the beginning of it. ML-DSA-44 (FIPS 204) holds against quantum computers too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from registry.crypto import checkpoint, notes, pkcs8
from registry.crypto.keys import SigningKey
from registry.errors import BadCheckpoint, InvalidIdentity, Malformed

ED25519: Final = 4  # signed-note: the signature type identifiers
MLDSA44: Final = 6
_SIZES: Final = {ED25519: 32, MLDSA44: 1312}  # bytes of a public key
_NAME: Final = 255  # bytes: cosigner_name<1..2^8-1>, and the ledger's origin likewise
_TIME: Final = 1 << 63  # no timestamp reaches this
_SEED: Final = b"hallmark-registry witness key v1\n"
_LABEL: Final = b"subtree/v1\n\x00"
_HINT = "do not trust this checkpoint; ask the witness what it has signed"


@dataclass(frozen=True)
class WitnessPublicKey:
    """A witness as clients pin it: name, type and public key. Raises Malformed for what is no such key."""

    name: str
    kind: int
    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != _SIZES.get(self.kind):
            raise Malformed("the key is not one of a witness (Ed25519 or ML-DSA-44)", on=self.name)
        if not notes.is_name(self.name) or len(self.name.encode()) > _NAME:
            raise Malformed("this is no name for a witness", on=repr(self.name[:80]))

    @classmethod
    def from_vkey(cls, text: str) -> WitnessPublicKey:
        """Read a vkey. Raises Malformed."""
        return cls(*notes.read_vkey(text))

    @property
    def key_id(self) -> bytes:
        return notes.key_id(self.name, self.kind, self.raw)

    @property
    def vkey(self) -> str:
        return notes.vkey(self.name, self.kind, self.raw)

    def verify(self, signature: notes.Signature, text: str) -> int:
        """The time of a cosignature, POSIX seconds, if it is this witness's on the note text.

        Raises BadCheckpoint.
        """
        time, value = int.from_bytes(signature.value[:8], "big"), signature.value[8:]
        if time >= _TIME:
            raise BadCheckpoint("a cosignature's time is none", on=self.name, hint=_HINT)
        try:
            if self.kind == ED25519:
                Ed25519PublicKey.from_public_bytes(self.raw).verify(value, _ed25519(time, text))
            else:
                MLDSA44PublicKey.from_public_bytes(self.raw).verify(value, _mldsa(self.name, time, text))
        except (InvalidSignature, ValueError) as error:
            raise BadCheckpoint("a cosignature does not verify", on=self.name, hint=_HINT) from error
        return time


class WitnessKey:
    """A witness's private key under its name. Its repr reveals nothing of it.

    One key has one name: an Ed25519 cosignature does not say under which name it was made.
    """

    def __init__(self, name: str, key: Ed25519PrivateKey | MLDSA44PrivateKey) -> None:
        """Raises Malformed for a name that is none."""
        self._key = key
        kind = ED25519 if isinstance(key, Ed25519PrivateKey) else MLDSA44
        self.public = WitnessPublicKey(name, kind, key.public_key().public_bytes_raw())

    @classmethod
    def from_pem(cls, name: str, pem: bytes, passphrase: bytes | None = None) -> WitnessKey:
        """Read one PKCS#8 block. Raises InvalidIdentity or WrongPassphrase."""
        match pkcs8.read(pem, passphrase).keys:
            case ((Ed25519PrivateKey() | MLDSA44PrivateKey()) as key,):
                return cls(name, key)
        raise InvalidIdentity(
            "the file is not one private key of a witness",
            hint="'openssl genpkey -algorithm ed25519 -out FILE' makes one",
        )

    @classmethod
    def derive(cls, signing: SigningKey, name: str, kind: int = ED25519) -> WitnessKey:
        """A member's key as a witness of that name: HKDF (RFC 5869) over their signing key's private scalar.

        So the identity file is all that a member keeps; another name or type makes another key.
        """
        info = _SEED + bytes([kind]) + name.encode()
        seed = signing.derive(info)
        if kind == ED25519:
            return cls(name, Ed25519PrivateKey.from_private_bytes(seed))
        return cls(name, MLDSA44PrivateKey.from_seed_bytes(seed))

    def sign(self, text: str, time: int) -> notes.Signature:
        """The cosignature on a checkpoint's note text at a POSIX time. Raises BadCheckpoint: it is none."""
        checkpoint.parse(text, text.partition("\n")[0])
        if self.public.kind == ED25519:
            value = self._key.sign(_ed25519(time, text))
        else:
            value = self._key.sign(_mldsa(self.public.name, time, text))
        return notes.Signature(self.public.name, self.public.key_id, time.to_bytes(8, "big") + value)

    def __repr__(self) -> str:
        return f"WitnessKey({self.public.vkey[:80]!r})"


def _ed25519(time: int, text: str) -> bytes:
    """Ed25519 signed message: the whole note text, extension lines included."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _mldsa(name: str, time: int, text: str) -> bytes:
    """ML-DSA-44 signed message of a checkpoint: the subtree from its first leaf on."""
    tree = checkpoint.parse(text, text.partition("\n")[0])
    return subtree(name, time, tree.origin, 0, tree.size, tree.root)


def subtree(name: str, time: int, origin: str, start: int, end: int, root: bytes) -> bytes:
    """The structure ``cosigned_message``. Raises BadCheckpoint for names that it cannot hold."""
    cosigner, log = name.encode(), origin.encode()
    if not 0 < len(log) <= _NAME:
        raise BadCheckpoint("the ledger's name is too long for a cosignature", on=origin[:80])
    numbers = [value.to_bytes(8, "big") for value in (time, start, end)]
    return b"".join(
        (
            _LABEL,
            bytes([len(cosigner)]),
            cosigner,
            numbers[0],
            bytes([len(log)]),
            log,
            numbers[1],
            numbers[2],
            root,
        )
    )
