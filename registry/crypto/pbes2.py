"""Encrypted PKCS#8 written by hand: PBES2 (RFC 8018 section 6.2), scrypt (RFC 7914 section 7), AES-256-CBC.

Only writing is here. ``cryptography`` and the openssl command both read it.
"""

from __future__ import annotations

import hashlib
import secrets

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

SCRYPT_N = 1 << 14  # 16 MiB where r = 8; above it, openssl's memory limit refuses to open the block
SCRYPT_R = 8
SCRYPT_P = 5  # with N = 2**14 the floor of OWASP's password storage advice; about 0.1 seconds
_KEY = 32  # bytes

_SEQUENCE, _INTEGER, _OCTETS, _OID = 0x30, 0x02, 0x04, 0x06
_PBES2 = bytes.fromhex("2a864886f70d01050d")  # 1.2.840.113549.1.5.13
_SCRYPT = bytes.fromhex("2b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11
_AES256_CBC = bytes.fromhex("60864801650304012a")  # 2.16.840.1.101.3.4.1.42


def encrypt(private_key_info: bytes, passphrase: bytes) -> bytes:
    """A DER EncryptedPrivateKeyInfo around a DER PrivateKeyInfo."""
    return _encrypt(private_key_info, passphrase, salt=secrets.token_bytes(16), iv=secrets.token_bytes(16))


def _encrypt(data: bytes, passphrase: bytes, *, salt: bytes, iv: bytes) -> bytes:
    key = hashlib.scrypt(passphrase, salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, dklen=_KEY)
    costs = b"".join(_integer(n) for n in (SCRYPT_N, SCRYPT_R, SCRYPT_P, _KEY))
    kdf = _algorithm(_SCRYPT, _tlv(_SEQUENCE, _tlv(_OCTETS, salt) + costs))
    cipher = _algorithm(_AES256_CBC, _tlv(_OCTETS, iv))
    scheme = _algorithm(_PBES2, _tlv(_SEQUENCE, kdf + cipher))
    return _tlv(_SEQUENCE, scheme + _tlv(_OCTETS, _cbc(data, key, iv)))


def _cbc(data: bytes, key: bytes, iv: bytes) -> bytes:
    padder = PKCS7(128).padder()  # bits
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


def _algorithm(oid: bytes, parameters: bytes) -> bytes:
    return _tlv(_SEQUENCE, _tlv(_OID, oid) + parameters)


def _integer(value: int) -> bytes:
    return _tlv(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))  # the sign bit stays clear


def _tlv(tag: int, content: bytes) -> bytes:
    """Tag, definite length (X.690 section 8.1.3), content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits + content
