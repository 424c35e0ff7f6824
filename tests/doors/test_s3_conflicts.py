"""Answers that no real server can be made to give on demand, from a scripted one."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from registry.blobs import open_store, s3_errors, s3_upload
from registry.blobs.locations import parse_s3
from registry.blobs.s3 import S3Store
from registry.errors import BadEncryption, BlobExists, BlobMissing, RegistryError, StoreUnavailable

URL = "s3://bucket/prefix?endpoint_url=http://127.0.0.1:9&region=us-east-1"
LOCATION = parse_s3(URL)
CONDITIONAL = {"Bucket": "bucket", "Key": "prefix/abc", "IfNoneMatch": "*"}
LARGE = s3_upload.PART + 1  # bytes: two parts


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> S3Store:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr(s3_upload, "_PAUSES", (0.0, 0.0))
    store = open_store(URL)
    assert isinstance(store, S3Store)
    return store


@pytest.fixture
def server(store: S3Store) -> Iterator[Stubber]:
    with Stubber(store.client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def writer(store: S3Store, server: Stubber, monkeypatch: pytest.MonkeyPatch) -> s3_upload.MultipartWriter:
    """A multipart upload with the nonce ``mine``, all parts written, not committed."""
    monkeypatch.setattr(secrets, "token_hex", lambda _: "mine")
    server.add_response("create_multipart_upload", {"UploadId": "u"})
    for _ in range(2):
        server.add_response("upload_part", {"ETag": '"e"'})
    writer = store.create("abc", LARGE)
    assert isinstance(writer, s3_upload.MultipartWriter)
    writer.write(0, memoryview(bytes(writer.part_size)))
    writer.write(writer.part_size, memoryview(b"x"))
    return writer


def complete(server: Stubber, error: str | None = None, status: int = 400) -> None:
    expected = CONDITIONAL | {"UploadId": "u", "MultipartUpload": ANY}
    if error is None:
        server.add_response("complete_multipart_upload", {}, expected)
    else:
        server.add_client_error("complete_multipart_upload", error, "", status, expected_params=expected)


def found(server: Stubber, nonce: str | None) -> None:
    """What the look after a conflict finds: an object with this nonce, or none."""
    if nonce is None:
        server.add_client_error("head_object", "404", "", 404)
    else:
        server.add_response("head_object", {"Metadata": {"hallmark-upload": nonce}})


CONFLICTS = [("PreconditionFailed", 412), ("ConditionalRequestConflict", 409), ("OperationAborted", 409)]


@pytest.mark.parametrize(("code", "status"), CONFLICTS)
def test_a_conflict_with_another_object_is_blob_exists(
    server: Stubber, writer: s3_upload.MultipartWriter, code: str, status: int
) -> None:
    complete(server, code, status)
    found(server, "another's")
    with pytest.raises(BlobExists):
        writer.commit()


@pytest.mark.parametrize(("code", "status"), [*CONFLICTS, ("NoSuchUpload", 404)])
def test_a_lost_answer_to_our_own_success_is_success(
    server: Stubber, writer: s3_upload.MultipartWriter, code: str, status: int
) -> None:
    complete(server, code, status)
    found(server, "mine")
    writer.commit()


@pytest.mark.parametrize(("code", "status"), CONFLICTS)
def test_a_conflict_that_came_to_nothing_is_tried_again(
    server: Stubber, writer: s3_upload.MultipartWriter, code: str, status: int
) -> None:
    complete(server, code, status)
    found(server, None)
    complete(server)
    writer.commit()


def test_a_conflict_that_is_never_decided_is_unavailable(
    server: Stubber, writer: s3_upload.MultipartWriter
) -> None:
    for _ in range(3):
        complete(server, "ConditionalRequestConflict", 409)
        found(server, None)
    with pytest.raises(StoreUnavailable):
        writer.commit()


def test_an_upload_that_was_swept_away_is_unavailable(
    server: Stubber, writer: s3_upload.MultipartWriter
) -> None:
    complete(server, "NoSuchUpload", 404)
    found(server, None)
    with pytest.raises(StoreUnavailable) as caught:
        writer.commit()
    assert "run the same command again" in str(caught.value.hint)


def test_a_small_blob_settles_conflicts_the_same_way(
    store: S3Store, server: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda _: "mine")
    writer = store.create("abc", 1)
    writer.write(0, memoryview(b"x"))
    server.add_client_error("put_object", "ConditionalRequestConflict", "", 409)
    found(server, None)
    server.add_client_error("put_object", "PreconditionFailed", "", 412)
    found(server, "mine")
    writer.commit()


class Breaking(io.BytesIO):
    """A body whose connection breaks after its bytes."""

    def readinto(self, out: Any) -> int:
        count = super().readinto(out)
        if count == 0:
            raise ConnectionClosedError(endpoint_url="http://secret-signature")
        return count


def opened(store: S3Store, server: Stubber, size: int) -> Any:
    server.add_response("head_object", {"ContentLength": size})
    return store.open("abc")


def part(server: Stubber, span: str, data: bytes, length: int, content_range: str) -> None:
    server.add_response(
        "get_object",
        {
            "Body": StreamingBody(Breaking(data), length),
            "ContentLength": length,
            "ContentRange": content_range,
        },
        {"Bucket": "bucket", "Key": "prefix/abc", "Range": f"bytes={span}"},
    )


def test_a_body_that_breaks_off_is_continued_where_it_broke(store: S3Store, server: Stubber) -> None:
    reader = opened(store, server, 10)
    part(server, "2-7", b"23", 6, "bytes 2-7/10")
    part(server, "4-7", b"456", 4, "bytes 4-7/10")
    part(server, "7-7", b"7", 1, "bytes 7-7/10")
    out = bytearray(6)
    reader.read_into(2, memoryview(out))
    assert out == b"234567"


def test_a_body_that_always_breaks_off_is_unavailable(store: S3Store, server: Stubber) -> None:
    reader = opened(store, server, 10)
    for _ in range(4):
        part(server, "0-9", b"", 10, "bytes 0-9/10")
    with pytest.raises(StoreUnavailable, match="broke off") as caught:
        reader.read_into(0, memoryview(bytearray(10)))
    assert "secret-signature" not in str(caught.value.to_dict())


@pytest.mark.parametrize("answer", ["", "bytes 0-3/10", "bytes 4-8/10"])
def test_another_range_than_was_asked_for_is_refused(store: S3Store, server: Stubber, answer: str) -> None:
    reader = opened(store, server, 10)
    part(server, "4-7", b"4567", 4, answer)
    with pytest.raises(StoreUnavailable, match="range"):
        reader.read_into(4, memoryview(bytearray(4)))


def test_a_blob_of_another_size_than_it_had_is_refused(store: S3Store, server: Stubber) -> None:
    reader = opened(store, server, 10)
    part(server, "4-7", b"4567", 4, "bytes 4-7/11")
    with pytest.raises(BadEncryption, match="changed its size"):
        reader.read_into(4, memoryview(bytearray(4)))


@pytest.mark.parametrize(
    ("code", "status", "kind", "hint"),
    [
        ("NoSuchKey", 404, BlobMissing, "looked in s3://bucket"),
        ("InvalidRange", 416, BadEncryption, "None"),
        ("AccessDenied", 403, StoreUnavailable, "AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", 403, StoreUnavailable, "AWS_ACCESS_KEY_ID"),
        ("ExpiredToken", 400, StoreUnavailable, "AWS_ACCESS_KEY_ID"),
        ("NoSuchBucket", 404, StoreUnavailable, "make the bucket"),
        ("PermanentRedirect", 301, StoreUnavailable, "region"),
        ("SlowDown", 503, StoreUnavailable, "try again"),
        ("Whatever", 500, StoreUnavailable, "try again"),
        ("QuotaExceeded", 403, StoreUnavailable, "quota"),
        ("RequestTimeTooSkewed", 403, StoreUnavailable, "clock"),
        ("NotImplemented", 501, StoreUnavailable, "AWS_REQUEST_CHECKSUM_CALCULATION"),
        ("XAmzContentChecksumMismatch", 400, StoreUnavailable, "damaged"),
    ],
)
def test_answers_that_are_errors(
    store: S3Store, server: Stubber, code: str, status: int, kind: type[RegistryError], hint: str
) -> None:
    reader = opened(store, server, 10)
    server.add_client_error("get_object", code, "a message with AKIASECRET", status)
    with pytest.raises(kind) as caught:
        reader.read_into(0, memoryview(bytearray(1)))
    assert hint in str(caught.value.hint)
    assert "AKIASECRET" not in str(caught.value.to_dict())


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NoCredentialsError(), "no credentials"),
        (CredentialRetrievalError(provider="p", error_msg="hunter2"), "no credentials"),
        (ConnectTimeoutError(endpoint_url="http://u:hunter2@h"), "did not answer in time"),
        (ReadTimeoutError(endpoint_url="http://u:hunter2@h"), "did not answer in time"),
        (SSLError(endpoint_url="https://h", error=OSError("hunter2")), "certificate is not trusted"),
        (ConnectionClosedError(endpoint_url="http://u:hunter2@h"), "ConnectionClosedError"),
    ],
)
def test_failures_on_the_way(error: Any, message: str) -> None:
    with pytest.raises(StoreUnavailable, match=message) as caught, s3_errors.translated(LOCATION):
        raise error
    assert caught.value.hint
    assert "hunter2" not in str(caught.value.to_dict())


def test_deleting_and_aborting_what_is_absent_is_fine(store: S3Store, server: Stubber) -> None:
    server.add_client_error("delete_object", "NoSuchKey", "", 404)
    store.delete("abc")
    server.add_response("create_multipart_upload", {"UploadId": "u"})
    writer = store.create("abc", LARGE)
    server.add_client_error("abort_multipart_upload", "NoSuchUpload", "", 404)
    writer.abort()
    writer.abort()
