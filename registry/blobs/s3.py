"""Blobs in a bucket of any S3-compatible store.

A blob is the object ``PREFIX/BLOB-ID``. Importing this module brings boto3: only ``open_store`` does it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from registry.blobs import s3_errors
from registry.blobs.base import MIB, BlobInfo, check_blob_id, is_blob_id
from registry.blobs.s3_upload import MAX_PARTS, PART, MultipartWriter, SingleWriter
from registry.errors import BadEncryption, StoreUnavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

    from registry.blobs.base import BlobWriter
    from registry.blobs.locations import S3Location

CHUNK = 8 * MIB  # bytes in one ranged read
PARALLELISM = 6  # requests at once; with 8 MiB each, the buffers of one transfer take some 100 MiB
PAGE = 1000  # entries in one answer to a listing; the most that S3 gives
_PIECE = 256 << 10  # bytes taken from a connection at once
_BODY_ATTEMPTS = 4
_BUFFER_BUDGET = 64 * MIB  # bytes; huge blobs have huge parts, so fewer of them travel at once


class S3Store:
    """A bucket, or a prefix of one, as a BlobStore."""

    def __init__(self, location: S3Location) -> None:
        self.location = location
        self._lock = threading.Lock()

    @property
    def client(self) -> S3Client:
        """The one boto3 client of this store. Making it is not thread-safe, using it is."""
        with self._lock:
            return self._client

    @cached_property
    def _client(self) -> S3Client:
        with s3_errors.translated(self.location):
            session = boto3.session.Session()
            region = self.location.region or session.region_name or "us-east-1"
            client: S3Client = session.client(
                "s3",
                endpoint_url=self.location.endpoint_url,
                region_name=region,
                config=_config(self.location),
            )
            return client

    def create(self, blob_id: str, size: int) -> BlobWriter:
        check_blob_id(blob_id)
        part_size = part_size_for(size)
        if size <= part_size:
            return SingleWriter(self.client, self.location, blob_id, size)
        parallelism = max(1, min(PARALLELISM, _BUFFER_BUDGET // part_size))
        return MultipartWriter(self.client, self.location, blob_id, size, part_size, parallelism)

    def open(self, blob_id: str) -> S3Reader:
        return S3Reader(self.client, self.location, self.stat(blob_id))

    def stat(self, blob_id: str) -> BlobInfo:
        key = self.location.key(check_blob_id(blob_id))
        with s3_errors.translated(self.location, blob_id):
            try:
                answer = self.client.head_object(Bucket=self.location.bucket, Key=key)
            except ClientError as error:
                if s3_errors.is_absent(error):
                    self._require_bucket()  # HEAD tells a missing object and a missing bucket alike
                raise
            return BlobInfo(blob_id, answer["ContentLength"])

    def list(self) -> Iterator[BlobInfo]:
        prefix = self.location.key("")
        with s3_errors.translated(self.location):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.location.bucket, Prefix=prefix, PaginationConfig={"PageSize": PAGE}
            )
            for page in pages:
                for item in page.get("Contents", []):
                    blob_id = item["Key"].removeprefix(prefix)
                    if is_blob_id(blob_id):
                        yield BlobInfo(blob_id, item["Size"])

    def delete(self, blob_id: str) -> None:
        key = self.location.key(check_blob_id(blob_id))
        with s3_errors.translated(self.location):
            try:
                self.client.delete_object(Bucket=self.location.bucket, Key=key)
            except ClientError as error:
                if not s3_errors.is_absent(error):  # not every server answers 204 for an absent object
                    raise

    def sweep(self, active: Callable[[str], bool]) -> Iterator[str]:
        prefix = self.location.key("")
        with s3_errors.translated(self.location):
            pages = self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.location.bucket, Prefix=prefix, PaginationConfig={"PageSize": PAGE}
            )
            # all pages first: removing uploads would shift the pages that follow
            uploads = [upload for page in pages for upload in page.get("Uploads", [])]
            for upload in uploads:
                blob_id = upload["Key"].removeprefix(prefix)
                if is_blob_id(blob_id) and not active(blob_id):
                    self._abort(upload["Key"], upload["UploadId"])
                    yield blob_id

    def _abort(self, key: str, upload_id: str) -> None:
        try:
            self.client.abort_multipart_upload(Bucket=self.location.bucket, Key=key, UploadId=upload_id)
        except ClientError as error:
            if s3_errors.code_of(error) != "NoSuchUpload":  # finished or removed since it was listed
                raise

    def _require_bucket(self) -> None:
        try:
            self.client.head_bucket(Bucket=self.location.bucket)
        except ClientError as error:
            if s3_errors.is_absent(error):
                raise StoreUnavailable(
                    "the bucket does not exist",
                    on=str(self.location),
                    hint="make the bucket first, or correct its name in the store's URL",
                ) from error


class S3Reader:
    """A blob in a bucket, read in ranges."""

    chunk_size = CHUNK
    parallelism = PARALLELISM

    def __init__(self, client: S3Client, location: S3Location, info: BlobInfo) -> None:
        self._client = client
        self._location = location
        self._info = info

    @property
    def size(self) -> int:
        return self._info.size

    def read_into(self, offset: int, out: memoryview) -> None:
        if not 0 <= offset <= offset + len(out) <= self.size:
            raise BadEncryption("the blob ends too early", on=self._info.id)
        filled = 0
        # botocore retries a request, but not a body that breaks off: go on where it did
        for _ in range(_BODY_ATTEMPTS):
            if filled == len(out):
                return
            with s3_errors.translated(self._location, self._info.id):
                filled += self._stream(offset + filled, out[filled:])
        if filled < len(out):
            raise StoreUnavailable(
                "the store broke off in the middle of a blob",
                on=f"{self._info.id} in {self._location}",
                hint="check the network, then run the same command again",
            )

    def close(self) -> None:
        pass  # the connections belong to the client

    def _stream(self, offset: int, out: memoryview) -> int:
        """How many bytes arrived before the end, or before the connection broke."""
        span = f"{offset}-{offset + len(out) - 1}"
        answer = self._client.get_object(
            Bucket=self._location.bucket, Key=self._location.key(self._info.id), Range=f"bytes={span}"
        )
        filled = 0
        body: Any = answer["Body"]  # the stubs have no readinto of a memoryview
        with closing(body):
            self._require_range(answer, span, len(out))
            with suppress(BotoCoreError):  # the connection; the caller goes on from what has come
                while filled < len(out):
                    count: int = body.readinto(out[filled : filled + _PIECE])
                    if count == 0:
                        break
                    filled += count
        return filled

    def _require_range(self, answer: GetObjectOutputTypeDef, span: str, length: int) -> None:
        asked = f"bytes {span}/{self.size}"
        got = answer.get("ContentRange", "")
        if got == asked and answer["ContentLength"] == length:
            return
        if got.startswith(f"bytes {span}/"):
            raise BadEncryption("the blob changed its size while it was read", on=self._info.id)
        raise StoreUnavailable(
            "the store did not send the range that was asked for",
            on=str(self._location),
            hint="a proxy before the store may drop Range headers",
        )


def _config(location: S3Location) -> Config:
    # The signature covers the body's SHA-256 over plain http; TLS protects the body itself, and there the
    # signed checksum header is enough. boto3 decides in the same way.
    plain = (location.endpoint_url or "").startswith("http://")
    return Config(
        signature_version="s3v4",
        s3={"addressing_style": "path", "payload_signing_enabled": plain},
        retries={"mode": "standard", "total_max_attempts": 4},
        connect_timeout=10,  # seconds; urllib3 holds each send to it, too
        read_timeout=60,  # seconds
        max_pool_connections=2 * PARALLELISM,
        tcp_keepalive=True,
    )


def part_size_for(size: int) -> int:
    """Bytes in a part: 8 MiB, and in whole MiB as much more as 10,000 parts at most require."""
    least = -(-size // MAX_PARTS)
    return max(PART, -(-least // MIB) * MIB)
