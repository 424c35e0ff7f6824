"""What a store's URL may say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from registry.blobs import open_store
from registry.blobs.filesystem import FilesystemStore
from registry.blobs.locations import S3Location, parse_s3
from registry.errors import InvalidInput


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("s3://b", S3Location("b", "", None, None)),
        ("s3://b/", S3Location("b", "", None, None)),
        ("s3://b/p", S3Location("b", "p", None, None)),
        ("s3://b/p/q/", S3Location("b", "p/q", None, None)),
        ("s3://b/with%20space?region=eu-1", S3Location("b", "with space", None, "eu-1")),
        (
            "s3://b/p?endpoint_url=http://h:1&region=r",
            S3Location("b", "p", "http://h:1", "r"),
        ),
        (
            "s3://b?region=r&endpoint_url=https%3A%2F%2Fh%3A1%2Fpath",
            S3Location("b", "", "https://h:1/path", "r"),
        ),
    ],
)
def test_s3_urls(url: str, location: S3Location) -> None:
    assert parse_s3(url) == location


def test_keys_lie_under_the_prefix() -> None:
    assert parse_s3("s3://b/p/q").key("abc") == "p/q/abc"
    assert parse_s3("s3://b").key("abc") == "abc"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://", "not the URL of an S3 bucket"),
        ("s3:///prefix", "not the URL of an S3 bucket"),
        ("s3://b:80/p", "not the URL of an S3 bucket"),
        ("s3://b/p#part", "not the URL of an S3 bucket"),
        ("s3://b/p//q", "empty or a dotted segment"),
        ("s3://b/../q", "empty or a dotted segment"),
        ("s3://b/p/%2E%2E", "empty or a dotted segment"),
        ("s3://b?acl=public", "unknown option 'acl'"),
        ("s3://b?region=", "empty or given twice"),
        ("s3://b?region=a&region=b", "empty or given twice"),
        ("s3://b?endpoint_url=ftp://h", "endpoint_url is not"),
        ("s3://b?endpoint_url=h:80", "endpoint_url is not"),
        ("ftp://host/dir", "not the URL of a blob store"),
        ("relative/dir", "not the URL of a blob store"),
        ("", "not the URL of a blob store"),
        ("s3://[b", "not a URL"),
        ("file://host/dir", "not the URL of a directory"),
        ("file:relative", "not the URL of a directory"),
        ("file:///dir?x=1", "not the URL of a directory"),
    ],
)
def test_what_is_refused(url: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        open_store(url)
    assert caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:hunter2@bucket/p",
        "s3://b?endpoint_url=http://key:hunter2@h",
        "s3://b?secret=hunter2",
        "http://key:hunter2@host/p?token=hunter2",
    ],
)
def test_a_secret_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value.to_dict())


@pytest.mark.parametrize("form", ["{}", "file://{}", "file://localhost{}"])
def test_directories(tmp_path: Path, form: str) -> None:
    store = open_store(form.format(f"{tmp_path}/a"))
    assert isinstance(store, FilesystemStore)
    assert store.root == tmp_path / "a"
    assert not store.root.exists()


def test_a_percent_sign_in_a_file_url_is_decoded_and_in_a_path_is_not() -> None:
    url, path = open_store("file:///a%20b"), open_store("/a%20b")
    assert isinstance(url, FilesystemStore)
    assert isinstance(path, FilesystemStore)
    assert (url.root, path.root) == (Path("/a b"), Path("/a%20b"))


def test_a_directory_needs_no_boto3() -> None:
    use = "import sys; from registry.blobs import open_store; open_store('/x')"
    code = f"{use}; assert 'boto3' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
