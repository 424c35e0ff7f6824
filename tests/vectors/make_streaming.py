"""Writes streaming.json: ciphertexts that Tink made, for builds of this project where Tink is not installed.

Run it with ``tink`` installed: ``python tests/vectors/make_streaming.py``. Tink draws new salts, so the
numbers differ from run to run, and each run is as good as another.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
from pathlib import Path
from typing import Any

import tink  # type: ignore[import-untyped]
from tink import secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2  # type: ignore[import-untyped]

SEGMENT, HEADER, TAG = 1 << 20, 40, 16  # bytes
FIRST, BODY = SEGMENT - HEADER - TAG, SEGMENT - TAG  # bytes of plaintext in segment 0, in a later one
SIZES = (0, 1, 1000, FIRST - 1, FIRST, FIRST + 1, FIRST + BODY, FIRST + BODY + 1)


class _Kept(io.BytesIO):
    """Tink closes what it writes to."""

    def close(self) -> None:
        pass


def primitive(key: bytes) -> Any:
    """Tink's AES256-GCM-HKDF-1MB under a given key."""
    streaming_aead.register()
    params = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=SEGMENT, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
    )
    data = tink_pb2.KeyData(
        type_url="type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
        value=aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(
            key_value=key, params=params
        ).SerializeToString(),
        key_material_type=tink_pb2.KeyData.SYMMETRIC,
    )
    entry = tink_pb2.Keyset.Key(
        key_data=data, status=tink_pb2.ENABLED, key_id=1, output_prefix_type=tink_pb2.RAW
    )
    keyset = tink_pb2.Keyset(primary_key_id=1, key=[entry]).SerializeToString()
    handle = tink.proto_keyset_format.parse(keyset, secret_key_access.TOKEN)
    return handle.primitive(streaming_aead.StreamingAead)


def encrypt(key: bytes, plaintext: bytes) -> bytes:
    """What Tink writes for ``plaintext``, with empty associated data."""
    sink = _Kept()
    with primitive(key).new_encrypting_stream(sink, b"") as stream:
        stream.write(plaintext)
    return sink.getvalue()


def decrypt(key: bytes, ciphertext: bytes) -> bytes:
    """What Tink reads from ``ciphertext``."""
    with primitive(key).new_decrypting_stream(io.BytesIO(ciphertext), b"") as stream:
        return bytes(stream.read())


def plaintext(size: int) -> bytes:
    """The plaintext of the vectors: the beginning of one SHAKE-128 stream."""
    return hashlib.shake_128(b"streaming").digest(size)


def case(size: int) -> dict[str, object]:
    key = hashlib.sha256(f"key {size}".encode()).digest()
    ciphertext = encrypt(key, plaintext(size))
    made: dict[str, object] = {
        "plaintext_size": size,
        "key": key.hex(),
        "header": ciphertext[:HEADER].hex(),
        "ciphertext_size": len(ciphertext),
        "ciphertext_sha256": hashlib.sha256(ciphertext).hexdigest(),
    }
    return made if size > 1 else {**made, "ciphertext": ciphertext.hex()}


def main() -> None:
    version = importlib.metadata.version("tink")
    provenance = (
        f"Encrypted by tink {version} (Python, key type AesGcmHkdfStreamingKey: SHA256, derived key 32 "
        "bytes, ciphertext segments 1 MiB; output prefix RAW; empty associated data) with make_streaming.py "
        "beside this file. Plaintexts are the first bytes of SHAKE-128 of the ASCII text 'streaming'."
    )
    document = {"provenance": provenance, "cases": [case(size) for size in SIZES]}
    Path(__file__).with_name("streaming.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
