"""Blobs under a new key: the same plaintext, nothing else of the old, and nothing unverified on the way."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest

from registry.blobs import MIB
from registry.blobs.filesystem import FilesystemStore
from registry.crypto.streaming import HEADER, SEGMENT, TAG, Encryptor, ciphertext_size, new_key
from registry.errors import BadEncryption, BlobMissing, StoreUnavailable
from registry.transfer import unseal
from registry.transfer.reencrypting import Reencrypted, reencrypt
from support.blobs import get, new_id, put
from support.memoryblob import PART, Count, Memory

pytestmark = pytest.mark.usefixtures("no_thread_stays")

FIRST = SEGMENT - HEADER - TAG  # bytes of plaintext in segment 0
NEXT = SEGMENT - TAG  # bytes of plaintext in every other full segment
SIZES = [0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + NEXT, FIRST + 3 * NEXT, FIRST + 3 * NEXT + 1, 9_999_999]
OLD, NEW = new_key(), new_key()


def ciphertext(plain: bytes, key: bytes = OLD) -> bytes:
    """A blob made segment by segment, without anything of the transfer."""
    encryptor, at = Encryptor(key, len(plain)), 0
    out, end = bytearray(encryptor.ciphertext_size), 0
    for index in range(encryptor.count):
        length = min(len(plain) - at, NEXT if index else FIRST)
        end += encryptor.segment(index, plain[at : at + length], memoryview(out)[end:])
        at += length
    return bytes(out)


def holding(data: bytes, **options: float) -> Memory:
    memory = Memory(len(data), **options)  # type: ignore[arg-type]
    memory.data[:] = data
    return memory


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(tmp_path / "blobs")


def moved(store: FilesystemStore, blob_id: str, size: int) -> tuple[str, Reencrypted]:
    """The blob under the new key, committed under a new id."""
    copy = new_id()
    reader, writer = store.open(blob_id), store.create(copy, ciphertext_size(size))
    try:
        result = reencrypt(reader, OLD, NEW, size, writer)
        writer.commit()
    finally:
        writer.abort()
        reader.close()
    return copy, result


@pytest.mark.parametrize("size", SIZES)
def test_the_new_key_opens_it_and_the_old_does_not(size: int, store: FilesystemStore) -> None:
    plain = os.urandom(size)
    copy, result = moved(store, put(store, ciphertext(plain)), size)
    stored = get(store, copy)
    assert result == Reencrypted(
        hashlib.sha256(plain).hexdigest(), hashlib.sha256(stored).hexdigest(), len(stored)
    )
    reader, out = store.open(copy), bytearray(size)
    assert unseal(reader, NEW, size, memoryview(out)) == result.plaintext_sha256
    assert out == plain
    with pytest.raises(BadEncryption):
        unseal(reader, OLD, size, memoryview(out))
    reader.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("read", "written"), [(1, 3), (3, 1), (2, 2)], ids=["1-to-3", "3-to-1", "2-to-2"])
def test_parts_and_chunks_of_any_size_in_any_order(size: int, read: int, written: int) -> None:
    """What is worth reading at once and what is one part have nothing to do with each other."""

    class Reader(Memory):
        chunk_size = read * MIB

    class Writer(Memory):
        part_size = written * MIB

        def write(self, offset: int, data: memoryview) -> None:
            self._call()
            assert offset % self.part_size == 0
            assert len(data) == min(self.part_size, self.size - offset)
            self.data[offset : offset + len(data)] = data

    plain = os.urandom(size)
    source, target, count = Reader(ciphertext_size(size), delay=0.002), Writer(ciphertext_size(size)), Count()
    target._delay = 0.002
    source.data[:] = ciphertext(plain)
    result = reencrypt(source, OLD, NEW, size, target, count)
    assert hashlib.sha256(target.data).hexdigest() == result.ciphertext_sha256
    assert count.total == size
    out = bytearray(size)
    assert unseal(holding(target.data), NEW, size, memoryview(out)) == result.plaintext_sha256
    assert out == plain


def test_nothing_of_the_old_stream_is_used_again() -> None:
    """Even under the same key: a salt of its own each time, so no nonce covers two plaintexts."""
    old = ciphertext(b"same")
    targets = [Memory(len(old)) for _ in range(2)]
    for target in targets:
        reencrypt(holding(old), OLD, OLD, 4, target)
    first, second = (bytes(target.data) for target in targets)
    assert len({data[1:HEADER] for data in (old, first, second)}) == 3
    assert len({data[HEADER:] for data in (old, first, second)}) == 3


def test_the_store_sees_no_plaintext(store: FilesystemStore) -> None:
    plain = b"the secret weights" * 200_000
    moved(store, put(store, ciphertext(plain)), len(plain))
    files = [path for path in store.root.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert not any(b"secret weights" in path.read_bytes() for path in files)


def test_nothing_is_published_before_the_caller_says_so(store: FilesystemStore) -> None:
    plain, copy = os.urandom(5 * MIB), new_id()
    reader = store.open(put(store, ciphertext(plain)))
    writer = store.create(copy, ciphertext_size(len(plain)))
    reencrypt(reader, OLD, NEW, len(plain), writer)
    with pytest.raises(BlobMissing):
        store.stat(copy)
    writer.abort()
    reader.close()
    assert len(list(store.list())) == 1


@pytest.mark.parametrize("at", [0, 20, 39, 40, SEGMENT - 1, SEGMENT, 5 * SEGMENT, -1])
def test_a_changed_byte_is_refused_and_its_part_is_not_written(at: int) -> None:
    size = 7 * MIB
    data = bytearray(ciphertext(os.urandom(size)))
    data[at] ^= 1
    source, target = holding(data), Memory(len(data))
    with pytest.raises(BadEncryption):
        reencrypt(source, OLD, NEW, size, target)
    begin = (at % len(data)) // PART * PART
    assert not any(target.data[begin : begin + PART])


def test_a_tampered_blob_of_the_store_is_refused(store: FilesystemStore) -> None:
    size = FIRST + 4 * NEXT
    blob = put(store, ciphertext(os.urandom(size)))
    (path,) = [path for path in store.root.rglob(blob) if path.is_file()]
    with path.open("r+b") as file:
        file.seek(4 * SEGMENT + 9)
        file.write(b"\0" * 16)
    with pytest.raises(BadEncryption, match="segment 4"):
        moved(store, blob, size)
    assert [info.id for info in store.list()] == [blob]
    assert not list((store.root / "incoming").iterdir())


def test_exchanged_segments_are_refused() -> None:
    size = FIRST + 3 * NEXT
    data = ciphertext(os.urandom(size))
    one, two = data[SEGMENT : 2 * SEGMENT], data[2 * SEGMENT : 3 * SEGMENT]
    with pytest.raises(BadEncryption, match="segment 1"):
        reencrypt(
            holding(data[:SEGMENT] + two + one + data[3 * SEGMENT :]), OLD, NEW, size, Memory(len(data))
        )


def test_a_stream_cut_or_extended_at_a_segment_is_refused() -> None:
    size = FIRST + 3 * NEXT
    data = ciphertext(os.urandom(size))
    longer = data + ciphertext(os.urandom(size))[-SEGMENT:]
    for changed, said in ((data[:-SEGMENT], size - NEXT), (longer, size + NEXT)):
        with pytest.raises(BadEncryption, match="does not authenticate"):
            reencrypt(holding(changed), OLD, NEW, said, Memory(len(changed)))


@pytest.mark.parametrize("change", [-1, 1, -SEGMENT, SEGMENT])
def test_a_blob_of_another_size_than_recorded_is_refused(change: int) -> None:
    size = 3 * MIB
    data = (ciphertext(bytes(size)) + bytes(SEGMENT))[: ciphertext_size(size) + change]
    target = Memory(ciphertext_size(size))
    with pytest.raises(BadEncryption, match="instead of"):
        reencrypt(holding(data), OLD, NEW, size, target)
    assert target.calls == 0


def test_the_wrong_old_key_gives_nothing() -> None:
    data = ciphertext(b"secret")
    target = Memory(len(data))
    with pytest.raises(BadEncryption):
        reencrypt(holding(data), new_key(), NEW, 6, target)
    assert target.calls == 0


@pytest.mark.parametrize("fail_at", range(5))
@pytest.mark.parametrize("side", ["reader", "writer"])
@pytest.mark.parametrize("delay", [0.0, 0.01])
def test_a_store_that_fails_ends_it(side: str, fail_at: int, delay: float) -> None:
    size = 48 * MIB
    data = ciphertext(bytes(size))
    broken = holding(data, delay=delay, fail_at=fail_at)
    source, target = (broken, Memory(len(data))) if side == "reader" else (holding(data), broken)
    with pytest.raises(StoreUnavailable, match=f"call {fail_at} failed"):
        reencrypt(source, OLD, NEW, size, target)
    assert broken.calls < len(data) // PART, "it went on to the end"


def test_an_interrupt_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is raised in the caller's thread, wherever that is."""
    size, encrypts = 16 * MIB, Encryptor.segment
    data = ciphertext(bytes(size))

    def interrupted(encryptor: Encryptor, index: int, plain: memoryview, out: memoryview) -> int:
        if index == 9:
            raise KeyboardInterrupt
        return encrypts(encryptor, index, plain, out)

    monkeypatch.setattr(Encryptor, "segment", interrupted)
    target = Memory(len(data), delay=0.01)
    with pytest.raises(KeyboardInterrupt):
        reencrypt(holding(data, delay=0.01), OLD, NEW, size, target)
    assert target.calls < len(data) // PART


def test_memory_does_not_grow_with_the_blob() -> None:
    """Nor where the store takes its time, and parts would pile up."""
    size = 64 * MIB
    source, target = holding(ciphertext(bytes(size))), Memory(ciphertext_size(size), delay=0.1)
    tracemalloc.start()
    reencrypt(source, OLD, NEW, size, target)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (2 * Memory.parallelism + 1) * PART + 6 * MIB
