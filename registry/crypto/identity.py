"""Who acts: a name, a signing key and a sealing key.

The file is PEM that standard tools open: three PKCS#8 blocks, in any order (ECDSA; X25519, RFC 8410;
ML-KEM-768, RFC 9935), and above them explanatory text (RFC 7468 section 2)::

    # name: alice
    # fingerprint: sha256:...

The fingerprint is that of the public identity, name included. PKCS#8 authenticates nothing, and a flipped
bit in an ML-KEM seed makes another valid key: with the fingerprint, damage is noticed when it is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from registry import strictjson
from registry.crypto import pkcs8
from registry.crypto.keys import SigningKey, VerifyingKey
from registry.crypto.sealing import SealingPrivateKey, SealingPublicKey
from registry.errors import InvalidIdentity, InvalidReference, Malformed
from registry.refs import check_name

__all__ = ["Identity", "PublicIdentity", "SigningKey", "VerifyingKey"]

_NAME, _FINGERPRINT = "# name: ", "# fingerprint: sha256:"
T = TypeVar("T")


@dataclass(frozen=True)
class PublicIdentity:
    """What others know of a member."""

    name: str
    signing: VerifyingKey
    sealing: SealingPublicKey

    @property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of ``to_dict`` in RFC 8785 JSON."""
        return hashlib.sha256(strictjson.canonical(self.to_dict())).hexdigest()

    def to_dict(self) -> dict[str, object]:
        """``{"name", "signing": base64 SPKI, "sealing": {"suite", "public": base64}}``."""
        return {
            "name": self.name,
            "signing": strictjson.to_b64(self.signing.spki),
            "sealing": self.sealing.to_dict(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, object]) -> PublicIdentity:
        """Read ``to_dict``. Raises Malformed."""
        obj = dict(value)
        strictjson.only(obj, ("name", "signing", "sealing"))
        try:
            name = check_name(strictjson.text(obj, "name"), "the member")
        except InvalidReference as error:
            raise Malformed(error.message, on=error.on) from error
        signing = VerifyingKey.from_spki(strictjson.b64(obj, "signing"))
        return cls(name, signing, SealingPublicKey.from_dict(strictjson.nested(obj, "sealing")))


@dataclass(frozen=True)
class Identity:
    """A member's own keys. Its repr shows public parts only."""

    name: str
    signing: SigningKey
    sealing: SealingPrivateKey

    @classmethod
    def generate(cls, name: str) -> Identity:
        """New keys for ``name``. Raises InvalidReference where the name is not one."""
        return cls(check_name(name, "the member"), SigningKey.generate(), SealingPrivateKey.generate())

    @property
    def public(self) -> PublicIdentity:
        return PublicIdentity(self.name, self.signing.verifying, self.sealing.public)

    def to_pem(self, passphrase: bytes | None) -> bytes:
        """The identity file, encrypted where a passphrase is given. Raises InvalidIdentity."""
        if self.sealing.mlkem is None:
            raise InvalidIdentity("an identity needs an ML-KEM key", on=self.sealing.suite)
        head = f"{_NAME}{self.name}\n{_FINGERPRINT}{self.public.fingerprint}\n".encode("ascii")
        keys = (self.signing.private, self.sealing.mlkem, self.sealing.x25519)
        return head + b"".join(pkcs8.write(key, passphrase) for key in keys)

    @classmethod
    def from_pem(cls, data: bytes, passphrase: bytes | None) -> Identity:
        """Read an identity file of at most 64 KiB. The fingerprint line may be absent, the name may not.

        Raises WrongPassphrase (wrong or missing), InvalidIdentity (anything else that is not as written).
        """
        file = pkcs8.read(data, passphrase)
        if len(file.keys) != 3:
            raise _invalid(f"it holds {len(file.keys)} keys, not 3")
        signing = SigningKey(_one(file.keys, EllipticCurvePrivateKey, "ECDSA"))  # type: ignore[type-abstract]
        x25519 = _one(file.keys, X25519PrivateKey, "X25519")  # type: ignore[type-abstract]
        mlkem = _one(file.keys, MLKEM768PrivateKey, "ML-KEM-768")  # type: ignore[type-abstract]
        name, fingerprint = _notes(file.notes)
        identity = cls(name, signing, SealingPrivateKey(x25519, mlkem))
        if fingerprint not in (None, identity.public.fingerprint):
            raise _invalid("its keys or its name are not those of its fingerprint")
        return identity


def _one(keys: Sequence[object], kind: type[T], what: str) -> T:
    found = [key for key in keys if isinstance(key, kind)]
    if len(found) != 1:
        raise _invalid(f"it holds {len(found)} {what} keys, not 1")
    return found[0]


def _notes(notes: Sequence[str]) -> tuple[str, str | None]:
    names = [note.removeprefix(_NAME) for note in notes if note.startswith(_NAME)]
    prints = [note.removeprefix(_FINGERPRINT) for note in notes if note.startswith(_FINGERPRINT)]
    if len(names) != 1 or len(prints) > 1 or len(names) + len(prints) != len(notes):
        raise _invalid("above the keys belong one name and at most one fingerprint")
    try:
        return check_name(names[0], "the member"), prints[0] if prints else None
    except InvalidReference as error:
        raise _invalid(error.message) from error


def _invalid(how: str) -> InvalidIdentity:
    return InvalidIdentity("the file is not an identity", on=how, hint="restore it from a copy")
