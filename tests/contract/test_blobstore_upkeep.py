"""What every blob store promises of listing, deleting and cleaning up."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.blobs import BlobInfo, BlobStore, open_store
from registry.errors import (
    BlobMissing,
    InvalidInput,
    Unavailable,
)
from support.blobs import get, new_id, put, two_parts, write_all


def test_list_names_every_blob_in_order(store: BlobStore) -> None:
    assert list(store.list()) == []
    ids = ["0", "a", "a-", "a-b", "ab", "abc", "abcd", "abcde", "b", "-", "x" * 100]
    for number, blob_id in enumerate(ids):
        put(store, bytes(number), blob_id)
    assert list(store.list()) == [BlobInfo(blob_id, ids.index(blob_id)) for blob_id in sorted(ids)]


def test_a_deleted_blob_is_gone_and_its_id_free(store: BlobStore) -> None:
    blob_id = put(store, b"once")
    store.delete(blob_id)
    store.delete(blob_id)
    with pytest.raises(BlobMissing):
        store.open(blob_id)
    put(store, b"again", blob_id)
    assert get(store, blob_id) == b"again"


def test_an_absent_blob_is_missing(store: BlobStore) -> None:
    for ask in (store.open, store.stat):
        with pytest.raises(BlobMissing) as caught:
            ask("0" * 32)
        assert caught.value.on == "0" * 32
        assert caught.value.hint


@pytest.mark.parametrize("blob_id", ["", "A", "a/b", "..", "a.b", "a_b", "ä", "a\n", "x" * 101])
def test_what_is_no_blob_id_is_refused(tmp_path: Path, blob_id: str) -> None:
    stores = [
        open_store(str(tmp_path)),
        open_store("s3://bucket/prefix?endpoint_url=http://127.0.0.1:9&region=us-east-1"),
    ]
    for store in stores:
        for ask in (lambda name: store.create(name, 1), store.open, store.stat, store.delete):  # noqa: B023
            with pytest.raises(InvalidInput, match="not a blob id"):
                ask(blob_id)


def test_sweep_removes_abandoned_uploads_only(store: BlobStore) -> None:
    data = two_parts(store)
    published, active, abandoned = put(store, b"published"), new_id(), new_id()
    writers = {blob_id: store.create(blob_id, len(data)) for blob_id in (active, abandoned)}
    for writer in writers.values():
        write_all(writer, data)
    assert list(store.sweep(lambda blob_id: blob_id == active)) == [abandoned]
    assert list(store.sweep(lambda blob_id: blob_id == active)) == []
    writers[active].commit()
    assert get(store, active) == data
    with pytest.raises(Unavailable):
        writers[abandoned].commit()
    writers[abandoned].abort()
    assert {info.id for info in store.list()} == {published, active}
