"""Private keys in PEM: PKCS#8 (RFC 5958), one block per key, encrypted where a passphrase is given.

``cryptography`` encrypts PKCS#8 with 2,048 rounds of PBKDF2, far too cheap to guess at, and offers no
setting; so ``pbes2`` writes the encryption, with scrypt. Blocks from elsewhere are read too.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from registry.crypto import pbes2
from registry.errors import InvalidIdentity, WrongPassphrase

MAX_PEM = 64 << 10  # bytes of one file
_PLAIN, _ENCRYPTED = "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"
_HINT = "set REGISTRY_PASSPHRASE to the passphrase of this file"


class PrivateKey(Protocol):
    """Any private key of ``cryptography`` that PKCS#8 can hold."""

    def private_bytes(
        self, encoding: Encoding, format: PrivateFormat, encryption_algorithm: KeySerializationEncryption
    ) -> bytes: ...


@dataclass(frozen=True)
class PemFile:
    """What a file held: the lines outside its blocks (blank ones left out), and its keys in order."""

    notes: tuple[str, ...]
    keys: tuple[object, ...]


@dataclass(frozen=True)
class _Block:
    der: bytes
    encrypted: bool


def write(key: PrivateKey, passphrase: bytes | None) -> bytes:
    """One PEM block. Raises InvalidIdentity for a passphrase of no length."""
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    if passphrase is None:
        return _armor(der, _PLAIN)
    if not passphrase:
        raise InvalidIdentity("an empty passphrase protects nothing", hint="give one, or none at all")
    return _armor(pbes2.encrypt(der, passphrase), _ENCRYPTED)


def read(pem: bytes, passphrase: bytes | None) -> PemFile:
    """Every block of a file. A passphrase that no block needs is not used.

    Raises WrongPassphrase (missing, or it opens nothing), InvalidIdentity (not PEM, or damaged).
    """
    notes, blocks = _split(pem)
    if not passphrase and any(block.encrypted for block in blocks):
        raise WrongPassphrase("the file is encrypted and no passphrase was given", hint=_HINT)
    keys = [_open(block, passphrase) for block in blocks]
    opened = {block.encrypted for block, key in zip(blocks, keys, strict=True) if key is not None}
    # CBC does not authenticate: only a sibling that opened tells damage from a wrong passphrase.
    if any(block.encrypted for block in blocks) and True not in opened:
        raise WrongPassphrase("the passphrase does not open the file, or it is damaged", hint=_HINT)
    if None in keys:
        raise _damaged(f"key block {keys.index(None) + 1} does not parse")
    return PemFile(tuple(notes), tuple(keys))


def _open(block: _Block, passphrase: bytes | None) -> object | None:
    try:
        return load_der_private_key(block.der, passphrase if block.encrypted else None)
    except TypeError as error:
        raise _damaged("a block's label is wrong about its encryption") from error
    except (ValueError, UnsupportedAlgorithm, InternalError):  # InternalError: impossible scrypt parameters
        return None


def _split(pem: bytes) -> tuple[list[str], list[_Block]]:
    if len(pem) > MAX_PEM:
        raise _damaged(f"{len(pem)} bytes, {MAX_PEM} allowed")
    try:
        lines = [line.strip() for line in pem.decode("ascii").split("\n")]
    except UnicodeDecodeError as error:
        raise _damaged("it is not ASCII") from error
    notes: list[str] = []
    blocks: list[_Block] = []
    rest = iter(lines)
    for line in rest:
        label = line.removeprefix("-----BEGIN ").removesuffix("-----")
        if line == f"-----BEGIN {label}-----":
            blocks.append(_block(label, _body(rest, f"-----END {label}-----")))
        elif line:
            notes.append(line)
    return notes, blocks


def _body(lines: Iterator[str], end: str) -> str:
    body = ""
    for line in lines:
        if line == end:
            return body
        body += line
    raise _damaged("a block does not end")


def _block(label: str, body: str) -> _Block:
    if label not in (_PLAIN, _ENCRYPTED):
        raise _damaged(f"a block of another kind: {label[:40]!r}")
    try:
        return _Block(base64.b64decode(body, validate=True), label == _ENCRYPTED)
    except binascii.Error as error:
        raise _damaged("a block is not base64") from error


def _damaged(how: str) -> InvalidIdentity:
    return InvalidIdentity("the key file is damaged", on=how, hint="restore it from a copy")


def _armor(der: bytes, label: str) -> bytes:
    text = base64.b64encode(der).decode("ascii")
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]  # RFC 7468 section 2
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode("ascii")
