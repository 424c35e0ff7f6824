"""Whole blobs into a store and out of it again."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from registry.blobs import BlobStore, BlobWriter


def new_id() -> str:
    return secrets.token_hex(16)


def write_all(writer: BlobWriter, data: bytes, order: Callable[[list[int]], list[int]] = list) -> None:
    for offset in order(list(range(0, len(data), writer.part_size))):
        writer.write(offset, memoryview(data)[offset : offset + writer.part_size])


def put(store: BlobStore, data: bytes, blob_id: str | None = None) -> str:
    blob_id = blob_id or new_id()
    writer = store.create(blob_id, len(data))
    write_all(writer, data)
    writer.commit()
    return blob_id


def get(store: BlobStore, blob_id: str) -> bytes:
    reader = store.open(blob_id)
    out = bytearray(reader.size)
    reader.read_into(0, memoryview(out))
    reader.close()
    return bytes(out)


def part_size(store: BlobStore) -> int:
    writer = store.create(new_id(), 1)
    writer.abort()
    return writer.part_size


def two_parts(store: BlobStore) -> bytes:
    """The smallest content that no store takes in a single request."""
    return secrets.token_bytes(part_size(store) + 1)
