"""Checkpoints of the ledger: C2SP tlog-checkpoint in a C2SP signed-note, with Ed25519.

::

    origin                                  who keeps the ledger
    42                                      how many leaves, in decimal
    base64(root)                            32 bytes: the tree's hash
    (more non-empty lines)                  extensions: signed, tolerated, not used

    — name base64(key id || signature)      one line for each signature; name = origin for the ledger's

The signature covers the text up to, not including, the blank line. Other names and key ids (witnesses,
a key that comes or goes) are ignored, as the note specification demands.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from registry.crypto import notes, pkcs8
from registry.crypto.sealing import DEFAULT, SealingPrivateKey
from registry.errors import BadCheckpoint, InvalidIdentity, Malformed

MAX_NOTE = notes.MAX_NOTE
_ED25519 = 1  # signed-note: the signature type identifier
_SPKI = bytes.fromhex("302a300506032b6570032100")  # what comes before the 32 bytes
_RELEASE = b"hallmark-registry release key v1"
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")  # below 10^19, so below 2^64


@dataclass(frozen=True)
class Checkpoint:
    """What the ledger says of itself: at ``size`` leaves its hash is ``root`` (32 bytes)."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class LedgerPublicKey:
    """An Ed25519 public key (RFC 8032): 32 bytes. Raises Malformed for another length."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise Malformed("a ledger key has 32 bytes", on=f"{len(self.raw)} bytes")

    @property
    def keyid(self) -> str:
        """Hexadecimal SHA-256 of the DER SubjectPublicKeyInfo (RFC 8410): names the key in an envelope."""
        return hashlib.sha256(_SPKI + self.raw).hexdigest()

    def key_id(self, name: str) -> bytes:
        """The four bytes that tell this key, under this name, from others (signed-note, Signatures)."""
        return notes.key_id(name, _ED25519, self.raw)

    def vkey(self, name: str) -> str:
        """The key as text, for witnesses and monitors: name+hex(key id)+base64(type || key)."""
        return notes.vkey(name, _ED25519, self.raw)

    def verify(self, signature: bytes, data: bytes) -> None:
        """Return if ``signature`` is this key's over ``data``; raise BadCheckpoint otherwise."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except InvalidSignature as error:
            raise BadCheckpoint("the ledger's signature does not verify", hint=notes.HINT) from error


class LedgerKey:
    """The ledger's Ed25519 private key. Its repr reveals nothing of it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = LedgerPublicKey(key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> LedgerKey:
        """A new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes | None = None) -> LedgerKey:
        """Read one PKCS#8 block (RFC 8410). Raises InvalidIdentity or WrongPassphrase."""
        match pkcs8.read(pem, passphrase).keys:
            case (Ed25519PrivateKey() as key,):
                return cls(key)
        raise InvalidIdentity("the ledger key is not one Ed25519 private key", hint="restore it from a copy")

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """One PKCS#8 block, encrypted where a passphrase is given."""
        return pkcs8.write(self._key, passphrase)

    def sign(self, data: bytes) -> bytes:
        """The 64-byte signature over ``data``."""
        return self._key.sign(data)

    @property
    def keyid(self) -> str:
        """The public half's."""
        return self.public.keyid

    def release(self) -> SealingPrivateKey:
        """The release key: takes the outer layer off limited shares. HKDF (RFC 5869) over the Ed25519 seed,
        so that the one file is all the door has to keep."""
        hkdf = HKDF(SHA256(), SealingPrivateKey.secret_size(), salt=None, info=_RELEASE)
        return SealingPrivateKey.from_secret(DEFAULT, hkdf.derive(self._key.private_bytes_raw()))

    def __repr__(self) -> str:
        return f"LedgerKey(public={self.public.raw.hex()!r})"


def origin_of(registry_id: str) -> str:
    """The origin line, and the key name, of a registry's ledger."""
    return f"hallmark-registry/{registry_id}"


def sign_checkpoint(checkpoint: Checkpoint, key: LedgerKey) -> str:
    """The signed note. Raises BadCheckpoint for a checkpoint that the format cannot say."""
    text = f"{checkpoint.origin}\n{checkpoint.size}\n{notes.encode(checkpoint.root)}\n"
    if not notes.is_name(checkpoint.origin) or parse(text, checkpoint.origin) != checkpoint:
        raise BadCheckpoint("the checkpoint cannot be written", on=repr(checkpoint.origin))
    return _sign_note(text, checkpoint.origin, key)


def open_checkpoint(note: str, origin: str, key: LedgerPublicKey) -> Checkpoint:
    """The checkpoint in a note, which ``key`` signed as ``origin`` exactly once. Raises BadCheckpoint."""
    return parse(_open_note(note, origin, key), origin)


def parse(text: str, origin: str) -> Checkpoint:
    """The note text of tlog-checkpoint, unverified: three lines or more, none empty. Raises BadCheckpoint."""
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise notes.damaged("its text is not a checkpoint", origin)
    if lines[0] != origin:
        raise notes.damaged("it speaks of another ledger", origin)
    root = notes.decode(lines[2])
    if not _SIZE.fullmatch(lines[1]) or root is None or len(root) != 32:
        raise notes.damaged("its size or its root is not one", origin)
    return Checkpoint(origin, int(lines[1]), root)


def _sign_note(text: str, name: str, key: LedgerKey) -> str:
    signature = notes.Signature(name, key.public.key_id(name), key.sign(text.encode()))
    return notes.Note(text, (signature,)).to_text()


def _open_note(note: str, name: str, key: LedgerPublicKey) -> str:
    """The text of a note: nothing reads it before the signature over it has held."""
    parsed = notes.parse(note, name)
    ours = parsed.of(name, key.key_id(name))
    if len(ours) != 1:
        raise notes.damaged(f"it has {len(ours)} signatures of the ledger's key, not one", name)
    key.verify(ours[0].value, parsed.text.encode())
    return parsed.text
