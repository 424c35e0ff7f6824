"""Where ciphertext lives: one protocol, a directory and any S3-compatible store behind it.

``open_store`` is the way in. A store keeps blobs: immutable, named by an id that its creator draws
at random, published whole or not at all, and never overwritten.
"""

from __future__ import annotations

from registry.blobs.base import (
    MIB,
    BlobInfo,
    BlobReader,
    BlobStore,
    BlobWriter,
    check_blob_id,
    is_blob_id,
)
from registry.blobs.urls import open_store

__all__ = [
    "MIB",
    "BlobInfo",
    "BlobReader",
    "BlobStore",
    "BlobWriter",
    "check_blob_id",
    "is_blob_id",
    "open_store",
]
