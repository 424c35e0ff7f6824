"""What every blob store promises, over every implementation: a directory, S3 over http, S3 over TLS."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from registry.blobs import MIB, BlobInfo, BlobStore, BlobWriter
from registry.errors import (
    BadEncryption,
    BlobExists,
    BlobMissing,
    RegistryError,
)
from services.leftout import require
from services.s3 import ATOMIC
from support.blobs import get, new_id, part_size, put, two_parts, write_all


@pytest.mark.parametrize("parts", [0, 1, 2])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_sizes_around_part_boundaries_come_back(store: BlobStore, parts: int, more: int) -> None:
    size = max(0, parts * part_size(store) + more)
    data = secrets.token_bytes(size)
    blob_id = put(store, data)
    assert store.stat(blob_id) == BlobInfo(blob_id, size)
    assert get(store, blob_id) == data


def test_part_and_chunk_sizes_are_whole_mebibytes(store: BlobStore) -> None:
    writer = store.create(new_id(), 5)
    writer.write(0, memoryview(b"hello"))
    writer.commit()
    reader = store.open(next(iter(store.list())).id)
    assert writer.part_size % MIB == 0
    assert reader.chunk_size % MIB == 0
    assert min(writer.part_size, reader.chunk_size, writer.parallelism, reader.parallelism) > 0
    reader.close()


def test_any_range_can_be_read(store: BlobStore) -> None:
    data = two_parts(store)
    reader = store.open(put(store, data))
    edge, end = part_size(store), len(data)
    for start, stop in [(0, 1), (1, 1), (edge - 3, edge + 1), (end - 1, end), (end, end), (7, 1 << 20)]:
        out = bytearray(stop - start)
        reader.read_into(start, memoryview(out))
        assert out == data[start:stop]
    reader.close()


def test_ranges_can_be_read_from_many_threads(store: BlobStore) -> None:
    data = two_parts(store)
    reader = store.open(put(store, data))

    def check(start: int) -> bool:
        out = bytearray(min(MIB, len(data) - start))
        reader.read_into(start, memoryview(out))
        return bytes(out) == data[start : start + MIB]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(0, len(data), MIB)))
    reader.close()
    reader.close()


def test_a_range_past_the_end_is_refused(store: BlobStore) -> None:
    reader = store.open(put(store, b"short"))
    with pytest.raises(BadEncryption):
        reader.read_into(4, memoryview(bytearray(2)))
    reader.close()


def test_parts_may_come_in_any_order(store: BlobStore) -> None:
    data = secrets.token_bytes(2 * part_size(store) + 1)
    blob_id = new_id()
    writer = store.create(blob_id, len(data))
    write_all(writer, data, order=lambda offsets: offsets[::-1])
    writer.commit()
    assert get(store, blob_id) == data


def test_parts_may_come_from_many_threads(store: BlobStore) -> None:
    data = secrets.token_bytes(3 * part_size(store) + 5)
    blob_id = new_id()
    writer = store.create(blob_id, len(data))

    def write(offset: int) -> None:
        writer.write(offset, memoryview(data)[offset : offset + writer.part_size])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(0, len(data), writer.part_size)))
    writer.commit()
    assert get(store, blob_id) == data


def test_a_buffer_may_be_used_again_after_write(store: BlobStore) -> None:
    for size in (100, part_size(store) + 100):
        blob_id = new_id()
        writer = store.create(blob_id, size)
        buffer = bytearray(writer.part_size)
        for offset in range(0, size, writer.part_size):
            length = min(writer.part_size, size - offset)
            buffer[:length] = b"\x01" * length
            writer.write(offset, memoryview(buffer)[:length])
            buffer[:length] = b"\x02" * length
        writer.commit()
        assert get(store, blob_id) == b"\x01" * size


def test_nothing_is_visible_before_commit(store: BlobStore) -> None:
    for data in (b"small", two_parts(store)):
        blob_id = new_id()
        writer = store.create(blob_id, len(data))
        write_all(writer, data)
        with pytest.raises(BlobMissing):
            store.stat(blob_id)
        assert blob_id not in {info.id for info in store.list()}
        writer.commit()
        assert store.stat(blob_id).size == len(data)


def test_abort_leaves_nothing(store: BlobStore) -> None:
    for data in (b"small", two_parts(store)):
        writer = store.create(new_id(), len(data))
        write_all(writer, data)
        writer.abort()
        writer.abort()
    assert list(store.list()) == []
    assert list(store.sweep(lambda _: False)) == []


def test_abort_after_commit_is_harmless(store: BlobStore) -> None:
    data = two_parts(store)
    blob_id = new_id()
    writer = store.create(blob_id, len(data))
    write_all(writer, data)
    writer.commit()
    writer.abort()
    assert get(store, blob_id) == data


def test_half_an_upload_is_never_published(store: BlobStore) -> None:
    data = two_parts(store)
    blob_id = new_id()
    writer = store.create(blob_id, len(data))
    writer.write(0, memoryview(data)[: writer.part_size])
    with pytest.raises(RegistryError, match="1 of 2 parts were never written"):
        writer.commit()
    writer.abort()
    with pytest.raises(BlobMissing):
        store.open(blob_id)


def test_a_span_that_is_no_part_is_refused(store: BlobStore) -> None:
    size = part_size(store) + 10
    writer = store.create(new_id(), size)
    for offset, length in [(0, 10), (1, 9), (writer.part_size, 11), (2 * writer.part_size, 0), (-1, 1)]:
        with pytest.raises(RegistryError, match="no part of this upload"):
            writer.write(offset, memoryview(bytes(length)))
    writer.abort()


def test_a_blob_is_never_overwritten(store: BlobStore) -> None:
    for first in (b"", b"first", two_parts(store)):
        for second in (b"second", two_parts(store)):
            blob_id = put(store, first)
            writer = store.create(blob_id, len(second))
            write_all(writer, second)
            with pytest.raises(BlobExists):
                writer.commit()
            writer.abort()
            assert get(store, blob_id) == first
    assert list(store.sweep(lambda _: False)) == []


@pytest.mark.parametrize("large", [False, True], ids=["one part", "two parts"])
def test_of_writers_in_a_race_exactly_one_wins(
    store: BlobStore, large: bool, request: pytest.FixtureRequest
) -> None:
    if "s3_server" in request.fixturenames:
        require(request, request.getfixturevalue("s3_server"), ATOMIC)
    size = part_size(store) + 1 if large else 10
    for _ in range(3):
        blob_id = new_id()
        contents = [bytes([number]) * size for number in range(4)]
        writers = [store.create(blob_id, size) for _ in contents]
        for writer, content in zip(writers, contents, strict=True):
            write_all(writer, content)
        winners = race(writers)
        assert len(winners) == 1
        assert get(store, blob_id) == contents[winners[0]]
    assert list(store.sweep(lambda _: False)) == []


def race(writers: list[BlobWriter]) -> list[int]:
    """Commit all at once; the numbers of those that succeeded. Any error but BlobExists is raised."""
    start = threading.Barrier(len(writers))

    def commit(number: int) -> int | None:
        start.wait()
        try:
            writers[number].commit()
        except BlobExists:
            writers[number].abort()
            return None
        return number

    with ThreadPoolExecutor(len(writers)) as pool:
        results = list(pool.map(commit, range(len(writers))))
    return [number for number in results if number is not None]
