"""What is particular to blobs in a bucket, against a real server."""

from __future__ import annotations

import base64
import secrets
import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.blobs import MIB, BlobInfo, open_store, s3, s3_upload
from registry.blobs.s3 import S3Store, part_size_for
from registry.errors import BlobMissing, StoreUnavailable
from services.s3 import Server

LARGE = s3_upload.PART + 1  # bytes: two parts
WRONG_CRC = {"ChecksumAlgorithm": "CRC32", "ChecksumCRC32": "AAAAAA=="}
WRONG_MD5 = {"ContentMD5": "A" * 22 + "=="}


@pytest.fixture
def store(s3_url: str) -> S3Store:
    return opened(s3_url)


def opened(url: str) -> S3Store:
    store = open_store(url)
    assert isinstance(store, S3Store)
    return store


def put(store: S3Store, size: int) -> str:
    blob_id, data = secrets.token_hex(16), bytes(size)
    writer = store.create(blob_id, size)
    for offset in range(0, size, writer.part_size):
        writer.write(offset, memoryview(data)[offset : offset + writer.part_size])
    writer.commit()
    return blob_id


def record(store: S3Store) -> list[tuple[str, dict[str, str]]]:
    """The headers of every request from now on, lower case, by operation."""
    seen: list[tuple[str, dict[str, str]]] = []

    def note(request: Any, event_name: str, **_: Any) -> None:
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        seen.append((event_name.rpartition(".")[2], headers))

    store.client.meta.events.register("before-send.s3", note)
    return seen


@pytest.mark.parametrize("size", [10, LARGE])
def test_publishing_is_conditional_and_every_body_has_a_checksum(store: S3Store, size: int) -> None:
    seen = record(store)
    put(store, size)
    publishing = [headers for name, headers in seen if name in ("PutObject", "CompleteMultipartUpload")]
    bodies = [headers for name, headers in seen if name in ("PutObject", "UploadPart")]
    assert [headers["if-none-match"] for headers in publishing] == ["*"]
    assert all(len(base64.b64decode(headers["x-amz-checksum-crc32"])) == 4 for headers in bodies)
    assert all(len(headers["x-amz-content-sha256"]) == 64 for headers in bodies)
    assert len(bodies) == (1 if size == 10 else 2)
    begun = [headers for name, headers in seen if name == "CreateMultipartUpload"]
    assert all(headers["x-amz-checksum-algorithm"] == "CRC32" for headers in begun)


@pytest.mark.parametrize("size", [10, LARGE])
def test_over_tls_the_checksum_is_a_header_too(s3_tls_url: str, size: int) -> None:
    store = opened(s3_tls_url)
    seen = record(store)
    put(store, size)
    bodies = [headers for name, headers in seen if name in ("PutObject", "UploadPart")]
    assert all("x-amz-checksum-crc32" in headers for headers in bodies)
    assert not any("x-amz-trailer" in headers for headers in bodies)
    assert {headers["x-amz-content-sha256"] for headers in bodies} == {"UNSIGNED-PAYLOAD"}


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_server_without_s3_checksums_is_sent_md5(
    s3_url: str, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    store = opened(s3_url)
    seen = record(store)
    blob_id = put(store, size)
    bodies = [headers for name, headers in seen if name in ("PutObject", "UploadPart")]
    assert all("content-md5" in headers and "x-amz-checksum-crc32" not in headers for headers in bodies)
    assert store.stat(blob_id).size == size


@pytest.mark.parametrize("size", [10, LARGE])
@pytest.mark.parametrize(
    "wrong", [{"ChecksumAlgorithm": "CRC32", "ChecksumCRC32": "AAAAAA=="}, {"ContentMD5": "A" * 22 + "=="}]
)
def test_bytes_damaged_on_the_wire_are_refused(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, size: int, wrong: dict[str, str]
) -> None:
    monkeypatch.setattr(s3_upload, "wire_checksum", lambda *_: wrong)
    with pytest.raises(StoreUnavailable):
        put(store, size)
    assert list(store.list()) == []


def test_listing_goes_on_to_the_last_page(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "PAGE", 2)
    ids = sorted(put(store, 1) for _ in range(5))
    assert list(store.list()) == [BlobInfo(blob_id, 1) for blob_id in ids]


def test_sweep_goes_on_to_the_last_page(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "PAGE", 2)
    ids = sorted(secrets.token_hex(16) for _ in range(5))
    for blob_id in ids:
        store.create(blob_id, LARGE)
    assert sorted(store.sweep(lambda _: False)) == ids


def test_stores_under_different_prefixes_do_not_see_each_other(s3_server: Server, s3_prefix: str) -> None:
    outer, inner = opened(s3_server.url(s3_prefix)), opened(s3_server.url(f"{s3_prefix}/inner"))
    beside = opened(s3_server.url(f"{s3_prefix}/inner2"))
    blob_id = put(inner, 3)
    upload = inner.create(secrets.token_hex(16), LARGE)
    for other in (outer, beside):
        assert list(other.list()) == []
        assert list(other.sweep(lambda _: False)) == []
        with pytest.raises(BlobMissing):
            other.stat(blob_id)
    upload.abort()


def test_a_bucket_that_does_not_exist_is_not_a_missing_blob(s3_server: Server) -> None:
    url = s3_server.url("prefix").replace(s3_server.bucket, "no-such-bucket-here")
    store = opened(url)
    attempts: list[Callable[[], object]] = [
        lambda: store.stat("abc"),
        lambda: store.open("abc"),
        lambda: list(store.list()),
        lambda: put(store, 1),
        lambda: put(store, LARGE),
    ]
    for attempt in attempts:
        with pytest.raises(StoreUnavailable) as caught:
            attempt()
        assert "bucket" in str(caught.value.hint)
        assert "no-such-bucket-here" in str(caught.value.on)


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials_are_explained_and_not_repeated(
    s3_url: str, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "hunter2hunter2")
    store = opened(s3_url)
    for attempt in (lambda: store.stat("abc"), lambda: list(store.list()), lambda: put(store, 1)):
        with pytest.raises(StoreUnavailable) as caught:
            attempt()
        assert "AWS_ACCESS_KEY_ID" in str(caught.value.hint)
        assert "hunter2" not in str(caught.value.to_dict())


def test_no_credentials_are_explained(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(StoreUnavailable, match="no credentials"):
        opened(s3_url).stat("abc")


def test_a_certificate_of_an_unknown_authority_is_refused(
    s3_tls_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE")
    with pytest.raises(StoreUnavailable, match="certificate is not trusted") as caught:
        opened(s3_tls_url).stat("abc")
    assert "AWS_CA_BUNDLE" in str(caught.value.hint)


def test_a_server_that_does_not_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can answer
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(StoreUnavailable, match="cannot be reached") as caught:
            opened(f"s3://bucket?endpoint_url={endpoint}&region=r").stat("abc")
    assert endpoint in str(caught.value.on)


def test_abort_does_not_raise_where_the_server_is_gone(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = opened(s3_url).create("abc", LARGE)
    assert isinstance(writer, s3_upload.MultipartWriter)
    monkeypatch.setattr(writer, "_client", opened("s3://b?endpoint_url=http://127.0.0.1:1&region=r").client)
    writer.abort()


@given(st.integers(min_value=0, max_value=5 << 40))
def test_ten_thousand_parts_suffice_for_any_size(size: int) -> None:
    part = part_size_for(size)
    assert part % MIB == 0
    assert part * 10_000 >= size
    assert part == 8 * MIB or (part - MIB) * 10_000 < size
