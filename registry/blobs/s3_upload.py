"""Uploads into a bucket: one PUT where a blob fits one part, a multipart upload otherwise.

**Never overwriting.** The publishing request carries ``If-None-Match: *``. Some servers ignore it on a
multipart completion (Ceph before 18), or check it without excluding a race (OpenStack Swift). Blob ids
are 128 random bits, so no honest writer meets another's id: there, only a second line of defence is
weaker, and a blob that somebody replaces still fails to authenticate.

**412 and 409.** 412 means that the key is taken. 409 means that another write to the key was under
way, and says nothing about how it ended; and either may answer a repetition of a request of our own
that did succeed while its answer was lost. So both are settled by looking (HEAD): every upload puts
a nonce into the object's metadata. Our nonce there: we published it. Another object: BlobExists.
No object: the other write came to nothing, and the request is sent again, a few times.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO, TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from registry.blobs import s3_errors
from registry.blobs.base import MIB
from registry.blobs.parts import Parts
from registry.blobs.s3_wire import Body, announced_checksum, wire_checksum
from registry.errors import BlobExists, StoreUnavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

    from registry.blobs.locations import S3Location

PART = 8 * MIB  # bytes
MAX_PARTS = 10_000  # the S3 limit for one upload
_NONCE = "hallmark-upload"  # the metadata key
_PAUSES = (0.1, 0.4, 1.6)  # seconds, between looks at an undecided conflict


class _Upload:
    """What both kinds of upload share: who we are, and how the last request is settled."""

    def __init__(self, client: S3Client, location: S3Location, parts: Parts) -> None:
        self._client = client
        self._location = location
        self._parts = parts
        self._nonce = secrets.token_hex(16)

    @property
    def part_size(self) -> int:
        return self._parts.part_size

    @property
    def _bucket(self) -> str:
        return self._location.bucket

    @property
    def _key(self) -> str:
        return self._location.key(self._parts.blob_id)

    def _publish(self, send: Callable[[], object]) -> None:
        for pause in (*_PAUSES, None):
            try:
                send()
                return
            except ClientError as error:
                if not s3_errors.is_conflict(error) and s3_errors.code_of(error) != "NoSuchUpload":
                    raise
                if self._is_published():
                    return
                if pause is None or s3_errors.code_of(error) == "NoSuchUpload":
                    raise
            time.sleep(pause)

    def _is_published(self) -> bool:
        """Whether the object is there and ours. Raises BlobExists where it is another's."""
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=self._key)
        except ClientError as error:
            if s3_errors.is_absent(error):
                return False
            raise
        if found.get("Metadata", {}).get(_NONCE) == self._nonce:
            return True
        raise BlobExists("a blob of this id is already stored", on=self._parts.blob_id)


class SingleWriter(_Upload):
    """A blob of one part at most: kept in memory until ``commit`` puts it in one request."""

    parallelism = 1

    def __init__(self, client: S3Client, location: S3Location, blob_id: str, size: int) -> None:
        super().__init__(client, location, Parts(blob_id, size, PART))
        self._body = b""

    def write(self, offset: int, data: memoryview) -> None:
        index = self._parts.index(offset, len(data))
        self._body = bytes(data)
        self._parts.arrived(index)

    def commit(self) -> None:
        self._parts.require_all()
        with s3_errors.translated(self._location):
            self._publish(self._put)
        self._body = b""

    def abort(self) -> None:
        self._body = b""

    def _put(self) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=self._key,
            Body=self._body,
            IfNoneMatch="*",
            Metadata={_NONCE: self._nonce},
            **wire_checksum(self._client, self._body),
        )


class MultipartWriter(_Upload):
    """A blob of several parts, sent from several threads."""

    def __init__(
        self,
        client: S3Client,
        location: S3Location,
        blob_id: str,
        size: int,
        part_size: int,
        parallelism: int,
    ) -> None:
        super().__init__(client, location, Parts(blob_id, size, part_size))
        self.parallelism = parallelism
        self._sent: dict[int, CompletedPartTypeDef] = {}  # by part number; one item a thread, so no lock
        self._upload_id: str | None = self._begin()

    def write(self, offset: int, data: memoryview) -> None:
        index = self._parts.index(offset, len(data))
        assert self._upload_id is not None, "write after commit or abort"
        with s3_errors.translated(self._location):
            answer = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload_id,
                PartNumber=index + 1,
                Body=cast("IO[bytes]", Body(data)),
                **wire_checksum(self._client, data),
            )
        done: CompletedPartTypeDef = {"PartNumber": index + 1, "ETag": answer["ETag"]}
        if "ChecksumCRC32" in answer:
            done["ChecksumCRC32"] = answer["ChecksumCRC32"]
        self._sent[index + 1] = done
        self._parts.arrived(index)

    def commit(self) -> None:
        self._parts.require_all()
        with s3_errors.translated(self._location):
            self._publish(self._complete)
        self._upload_id = None

    def abort(self) -> None:
        upload_id, self._upload_id = self._upload_id, None
        if upload_id is None:
            return
        # best effort: what stays behind, or is gone already, is the business of sweep
        with suppress(StoreUnavailable), s3_errors.translated(self._location):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=upload_id)

    def _begin(self) -> str:
        with s3_errors.translated(self._location):
            answer = self._client.create_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                Metadata={_NONCE: self._nonce},
                **announced_checksum(self._client),
            )
            return answer["UploadId"]

    def _complete(self) -> None:
        assert self._upload_id is not None, "commit after commit or abort"
        self._client.complete_multipart_upload(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._upload_id,
            IfNoneMatch="*",
            MultipartUpload={"Parts": [self._sent[number] for number in sorted(self._sent)]},
        )
