"""From the text in a configuration to a store."""

from __future__ import annotations

from pathlib import Path

from registry.blobs.base import BlobStore
from registry.blobs.locations import file_path, parse_s3, scheme_of, shown
from registry.errors import InvalidInput


def open_store(url: str) -> BlobStore:
    """Open the store that ``url`` names; nothing is written, and no server is asked, before its first use.

    An absolute path or ``file:///path`` is a directory, made when the first blob comes.
    ``s3://bucket/prefix?endpoint_url=…&region=…`` is an S3-compatible store; credentials come from
    boto3's own chain (environment, profile, instance role), never from the URL. Raises InvalidInput.
    """
    if url.startswith("/"):
        return _directory(url)
    scheme = scheme_of(url)
    if scheme == "file":
        return _directory(file_path(url))
    if scheme == "s3":
        location = parse_s3(url)
        from registry.blobs.s3 import S3Store  # brings boto3, which takes a quarter of a second

        return S3Store(location)
    raise InvalidInput("not the URL of a blob store", on=shown(url), hint="use an absolute path or s3://…")


def _directory(path: str) -> BlobStore:
    from registry.blobs.filesystem import FilesystemStore

    return FilesystemStore(Path(path))
