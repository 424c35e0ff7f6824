"""Every implementation of a blob store, empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.blobs import BlobStore, open_store

URLS = {"directory": None, "s3-http": "s3_plain_url", "s3-tls": "s3_tls_url"}


@pytest.fixture(params=list(URLS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    fixture = URLS[request.param]
    return open_store(request.getfixturevalue(fixture) if fixture else str(tmp_path / "blobs"))
