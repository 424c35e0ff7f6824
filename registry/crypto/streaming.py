"""Blobs: Tink streaming AEAD, the wire format of the key type AES256-GCM-HKDF-1MB.

::

    ciphertext = header || segment 0 || segment 1 || ...
    header     = 40 (one byte, its own length) || salt (32) || nonce prefix (7)
    key        = HKDF-SHA256(blob key, salt, info = associated data = empty), 32 bytes
    nonce      = nonce prefix (7) || segment index (4, big-endian) || 1 in the last segment, else 0

The ciphertext divides into segments of 1 MiB; the header counts as the beginning of segment 0 and every
segment ends with its 16-byte tag. The last segment holds at least one byte of plaintext, except that an
empty plaintext is one empty segment. The format is Tink's document "AES-GCM-HKDF Streaming AEAD",
with ciphertext offset 0.

Index and last flag lie in the nonce, so a segment authenticates in its own place only. Nothing here keeps
segments in order: each is its own, and many threads may work on one stream.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from registry.errors import BadEncryption, InvalidInput, RegistryError

if TYPE_CHECKING:
    from typing_extensions import Buffer

KEY = 32  # bytes
SEGMENT = 1 << 20  # bytes of ciphertext
HEADER = 40  # bytes
TAG = 16  # bytes
MAX_SEGMENTS = (1 << 32) - 1  # the index is four bytes
_SALT = 32  # bytes
_PREFIX = 7  # bytes
_BODY = SEGMENT - TAG  # bytes of plaintext in a full segment; the header takes 40 of segment 0's
_HINT = "the blob was changed, or this is not its key"


def new_key() -> bytes:
    """A fresh 32-byte blob key."""
    return secrets.token_bytes(KEY)


def segment_count(plaintext_size: int) -> int:
    """How many segments hold ``plaintext_size`` bytes. Raises InvalidInput beyond 2^32 - 1 segments."""
    count = -(-(HEADER + plaintext_size) // _BODY)  # at least one: the header needs it
    if plaintext_size < 0 or count > MAX_SEGMENTS:
        raise InvalidInput("no encrypted stream can have this size", on=f"{plaintext_size} bytes")
    return count


def ciphertext_size(plaintext_size: int) -> int:
    """Bytes of ciphertext for so many of plaintext. Raises InvalidInput beyond 2^32 - 1 segments."""
    return HEADER + plaintext_size + TAG * segment_count(plaintext_size)


def plaintext_size(ciphertext_size: int) -> int:
    """Bytes of plaintext in so many of ciphertext. Raises BadEncryption for a size no stream has."""
    count = -(-ciphertext_size // SEGMENT)
    size = ciphertext_size - HEADER - TAG * count
    last = ciphertext_size - (count - 1) * SEGMENT  # bytes
    if size < 0 or count > MAX_SEGMENTS or (count > 1 and last <= TAG):
        raise BadEncryption(
            "the ciphertext was cut short: its size is impossible",
            on=f"{_name(max(count, 1) - 1, max(count, 1))}, {ciphertext_size} bytes in all",
            hint=_HINT,
        )
    return size


def plaintext_span(index: int, plaintext_size: int) -> tuple[int, int]:
    """Offset and length, in bytes, of segment ``index`` in the plaintext."""
    _check_index(index, segment_count(plaintext_size))
    start = max(0, index * _BODY - HEADER)
    return start, min(plaintext_size, (index + 1) * _BODY - HEADER) - start


def ciphertext_span(index: int, ciphertext_size: int) -> tuple[int, int]:
    """Offset and length, in bytes, of segment ``index`` in the ciphertext; segment 0 has the header."""
    _check_index(index, segment_count(plaintext_size(ciphertext_size)))
    start = index * SEGMENT
    return start, min(ciphertext_size - start, SEGMENT)


class Encryptor:
    """Encrypts one plaintext of a size known beforehand, under a salt and a nonce prefix of its own.

    Thread-safe: segments in any order, at once. Each only once: a nonce must never cover two
    plaintexts, so what failed half-way is begun again with a new Encryptor.
    """

    def __init__(self, key: bytes, plaintext_size: int) -> None:
        self._begin(key, plaintext_size, secrets.token_bytes(_SALT), secrets.token_bytes(_PREFIX))

    def _begin(self, key: bytes, plaintext_size: int, salt: bytes, prefix: bytes) -> None:
        self.count = segment_count(plaintext_size)
        self.plaintext_size = plaintext_size
        self.ciphertext_size = ciphertext_size(plaintext_size)
        self._header = bytes([HEADER]) + salt + prefix
        self._cipher = _cipher(key, self._header)
        self._used = bytearray(self.count)  # one byte for each MiB of plaintext
        self._lock = threading.Lock()

    def segment(self, index: int, plaintext: Buffer, out: memoryview) -> int:
        """Encrypt one segment into the beginning of ``out``; return how many bytes were written.

        ``plaintext`` is exactly the plaintext span of the segment and stays unchanged meanwhile; what is
        written is exactly its ciphertext span. The two buffers do not overlap.
        """
        _, length = plaintext_span(index, self.plaintext_size)
        source = memoryview(plaintext).cast("B")
        if len(source) != length:
            raise RegistryError("a segment of the wrong length", on=f"{len(source)} bytes, not {length}")
        start = HEADER if index == 0 else 0
        target = _room(out, start, length + TAG)
        self._claim(index)
        out[:start] = self._header[:start]
        nonce = _nonce(self._header, index, self.count)
        return start + self._cipher.encrypt_into(nonce, source, None, target)

    def _claim(self, index: int) -> None:
        with self._lock:
            if self._used[index]:
                raise RegistryError("a segment may be encrypted only once", on=_name(index, self.count))
            self._used[index] = 1


class Decryptor:
    """Decrypts one ciphertext, given its header and its size. Thread-safe: segments in any order, at once.

    ``ciphertext_size`` says which segment is the last, hence the flag in each nonce: a stream that was
    cut fails where it ends now, one that was extended fails where it ended. Raises BadEncryption for an
    impossible size or header.
    """

    def __init__(self, key: bytes, header: bytes, ciphertext_size: int) -> None:
        self.plaintext_size = plaintext_size(ciphertext_size)
        self.ciphertext_size = ciphertext_size
        self.count = segment_count(self.plaintext_size)
        self._header = bytes(header)
        if len(self._header) != HEADER or self._header[0] != HEADER:
            raise BadEncryption("the header is not one", on=_name(0, self.count), hint=_HINT)
        self._cipher = _cipher(key, self._header)

    def segment(self, index: int, ciphertext: Buffer, out: memoryview) -> int:
        """Decrypt one segment into the beginning of ``out``; return how many bytes were written.

        ``ciphertext`` is exactly the ciphertext span of the segment, so segment 0 begins with the header.
        The two buffers do not overlap. Raises BadEncryption, and leaves zeros in ``out``, if it does not
        authenticate.
        """
        _, length = ciphertext_span(index, self.ciphertext_size)
        source = memoryview(ciphertext).cast("B")
        start = HEADER if index == 0 else 0
        if len(source) != length or source[:start] != self._header[:start]:
            raise BadEncryption("the ciphertext is cut or changed", on=_name(index, self.count), hint=_HINT)
        target = _room(out, 0, length - start - TAG)
        try:
            nonce = _nonce(self._header, index, self.count)
            return self._cipher.decrypt_into(nonce, source[start:], None, target)
        except InvalidTag as error:
            target[:] = bytes(len(target))  # GCM writes before it knows: nothing unverified may stay
            raise BadEncryption(
                "the ciphertext does not authenticate", on=_name(index, self.count), hint=_HINT
            ) from error


def _cipher(key: bytes, header: bytes) -> AESGCM:
    if len(key) != KEY:
        raise BadEncryption("a blob key has 32 bytes", on=f"{len(key)} bytes")
    return AESGCM(HKDF(SHA256(), KEY, salt=header[1 : 1 + _SALT], info=b"").derive(key))


def _nonce(header: bytes, index: int, count: int) -> bytes:
    return header[1 + _SALT :] + index.to_bytes(4, "big") + bytes([index == count - 1])


def _room(out: memoryview, start: int, length: int) -> memoryview:
    if len(out) < start + length:
        raise RegistryError("no room for a segment", on=f"{len(out)} bytes, not {start + length}")
    return out[start : start + length]


def _check_index(index: int, count: int) -> None:
    if not 0 <= index < count:
        raise RegistryError("there is no such segment", on=f"index {index} of {count} segments")


def _name(index: int, count: int) -> str:
    return f"segment {index} of 0..{count - 1}"
