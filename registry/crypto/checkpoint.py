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

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from registry.crypto import pkcs8
from registry.crypto.sealing import DEFAULT, SealingPrivateKey
from registry.errors import BadCheckpoint, InvalidIdentity, Malformed

MAX_NOTE = 64 << 10  # bytes
_ED25519 = b"\x01"  # signed-note: the signature type identifier
_SPKI = bytes.fromhex("302a300506032b6570032100")  # what comes before the 32 bytes
_RELEASE = b"hallmark-registry release key v1"
_DASH = "\u2014 "
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")  # below 10^19, so below 2^64
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")  # signed-note allows no control character but newline
_HINT = "do not use this registry: its database, its server or the way to it was changed"


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
        return hashlib.sha256(name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    def vkey(self, name: str) -> str:
        """The key as text, for witnesses and monitors: name+hex(key id)+base64(type || key)."""
        return f"{name}+{self.key_id(name).hex()}+{_encode(_ED25519 + self.raw)}"

    def verify(self, signature: bytes, data: bytes) -> None:
        """Return if ``signature`` is this key's over ``data``; raise BadCheckpoint otherwise."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except InvalidSignature as error:
            raise BadCheckpoint("the ledger's signature does not verify", hint=_HINT) from error


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
    text = f"{checkpoint.origin}\n{checkpoint.size}\n{_encode(checkpoint.root)}\n"
    if not _is_name(checkpoint.origin) or _parse(text, checkpoint.origin) != checkpoint:
        raise BadCheckpoint("the checkpoint cannot be written", on=repr(checkpoint.origin))
    return _sign_note(text, checkpoint.origin, key)


def open_checkpoint(note: str, origin: str, key: LedgerPublicKey) -> Checkpoint:
    """The checkpoint in a note, which ``key`` signed as ``origin`` exactly once. Raises BadCheckpoint."""
    return _parse(_open_note(note, origin, key), origin)


def _sign_note(text: str, name: str, key: LedgerKey) -> str:
    signature = key.public.key_id(name) + key.sign(text.encode())
    return f"{text}\n{_DASH}{name} {_encode(signature)}\n"


def _open_note(note: str, name: str, key: LedgerPublicKey) -> str:
    """The text of a note: nothing reads it before the signature over it has held."""
    _check_characters(note, name)
    # signed-note: the last empty line divides text and signatures. The text keeps its own newline.
    head, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise _damaged("it is not a signed note", name)
    signatures = [_signature(line, name) for line in tail[:-1].split("\n")]
    ours = [sig for signer, key_id, sig in signatures if (signer, key_id) == (name, key.key_id(name))]
    if len(ours) != 1:
        raise _damaged(f"it has {len(ours)} signatures of the ledger's key, not one", name)
    text = head + "\n"
    key.verify(ours[0], text.encode())
    return text


def _check_characters(note: str, origin: str) -> None:
    try:
        size = len(note.encode())
    except UnicodeEncodeError as error:
        raise _damaged("it is not UTF-8", origin) from error
    if size > MAX_NOTE:
        raise _damaged(f"{size} bytes, {MAX_NOTE} allowed", origin)
    if _CONTROL.search(note):
        raise _damaged("it holds a control character", origin)


def _signature(line: str, origin: str) -> tuple[str, bytes, bytes]:
    """Key name, key id and signature of one signature line."""
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    value = _decode(encoded)
    if not line.startswith(_DASH) or not _is_name(name) or value is None or len(value) <= 4:
        raise _damaged("a signature line is not one", origin)
    return name, value[:4], value[4:]


def _parse(text: str, origin: str) -> Checkpoint:
    """The note text of tlog-checkpoint: at least three lines, none empty."""
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise _damaged("its text is not a checkpoint", origin)
    if lines[0] != origin:
        raise _damaged("it speaks of another ledger", origin)
    root = _decode(lines[2])
    if not _SIZE.fullmatch(lines[1]) or root is None or len(root) != 32:
        raise _damaged("its size or its root is not one", origin)
    return Checkpoint(origin, int(lines[1]), root)


def _is_name(name: str) -> bool:
    """signed-note: key names are not empty and hold no Unicode space and no plus."""
    return bool(name) and "+" not in name and not any(map(str.isspace, name))


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(text: str) -> bytes | None:
    """Standard base64 (RFC 4648 section 4) in its one canonical spelling; None for anything else."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return data if _encode(data) == text else None


def _damaged(how: str, origin: str) -> BadCheckpoint:
    return BadCheckpoint(f"the checkpoint is refused: {how}", on=origin, hint=_HINT)
