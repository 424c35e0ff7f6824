"""How the bytes of an upload travel: as a stream of pieces, with a checksum for the server to verify."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import zlib
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from typing_extensions import Buffer


class AnnouncedChecksum(TypedDict, total=False):
    """The request parameter that says of which kind the parts' checksums will be."""

    ChecksumAlgorithm: Literal["CRC32"]


class WireChecksum(AnnouncedChecksum, total=False):
    """The request parameters that let the server check what arrived."""

    ChecksumCRC32: str
    ContentMD5: str


def announced_checksum(client: S3Client) -> AnnouncedChecksum:
    """For the beginning of a multipart upload: Amazon refuses parts with a checksum of another kind."""
    return {} if _is_md5(client) else {"ChecksumAlgorithm": "CRC32"}


def wire_checksum(client: S3Client, body: bytes | memoryview) -> WireChecksum:
    """A checksum of ``body`` for the server to verify: CRC-32 as boto3 has it, or MD5 for a server that
    knows nothing newer, when boto3's own setting ``request_checksum_calculation`` is when_required.

    It is computed here and not by botocore, because botocore would put it behind the body over TLS
    (aws-chunked with a trailer), which older servers refuse; a header works with all of them.
    """
    if _is_md5(client):
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        return {"ContentMD5": base64.b64encode(digest).decode()}
    checksum = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    return {
        "ChecksumAlgorithm": "CRC32",
        "ChecksumCRC32": checksum,
    }  # without the first, Ceph ignores the second


def _is_md5(client: S3Client) -> bool:
    config: Any = client.meta.config  # the stubs lag behind
    return bool(config.request_checksum_calculation == "when_required")


class Body(io.RawIOBase):
    """Memory as the seekable stream that boto3 sends piece by piece.

    Not as one bytes object: that would be copied, and one time limit, the one for connecting, would
    hold for sending all of it; a slow line cannot send 8 MiB in ten seconds.
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, out: Buffer) -> int:
        target = memoryview(out).cast("B")
        count = min(len(target), len(self._data) - self._position)
        target[:count] = self._data[self._position : self._position + count]
        self._position += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self._data)}[whence]
        self._position = max(0, min(base + offset, len(self._data)))
        return self._position

    def tell(self) -> int:
        return self._position
