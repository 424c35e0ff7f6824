"""Sealing, unsealing and hashing: right, in bounded memory, and stopped by whatever fails."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.blobs import MIB
from registry.crypto.streaming import HEADER, SEGMENT, TAG, Decryptor, ciphertext_size, new_key, segment_count
from registry.errors import (
    BadEncryption,
    BlobMissing,
    DiskTrouble,
    RegistryError,
    SourceChanged,
    StoreUnavailable,
)
from registry.transfer import SealedFile, digest_ciphertext, hash_plain, seal, unseal
from registry.transfer.source import Source

PART = 2 * MIB  # bytes
FIRST = SEGMENT - HEADER - TAG  # bytes of plaintext in segment 0
NEXT = SEGMENT - TAG  # bytes of plaintext in every other full segment
SIZES = [0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + NEXT, FIRST + NEXT + 1, FIRST + 7 * NEXT, 9_999_999]


class Memory:
    """A writer and a reader in memory, with small parts, several threads and answers out of order."""

    part_size = PART
    chunk_size = PART
    parallelism = 3

    def __init__(self, size: int, *, delay: float = 0.0, fail_at: int | None = None) -> None:
        self.data = bytearray(size)
        self.size = size
        self.fail_at = fail_at
        self._delay = delay  # seconds, at most
        self.calls = 0
        self._lock = threading.Lock()

    def _call(self) -> None:
        with self._lock:
            number, self.calls = self.calls, self.calls + 1
        time.sleep(self._delay * random.random())
        if number == self.fail_at:
            raise StoreUnavailable(f"call {number} failed")

    def write(self, offset: int, data: memoryview) -> None:
        self._call()
        assert offset % PART == 0
        assert len(data) == min(PART, self.size - offset)
        self.data[offset : offset + len(data)] = data

    def read_into(self, offset: int, out: memoryview) -> None:
        self._call()
        assert len(out) <= self.chunk_size
        out[:] = memoryview(self.data)[offset : offset + len(out)]

    def commit(self) -> None:
        raise AssertionError("the caller commits")

    abort = close = commit


class Count:
    """An observer that adds up."""

    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.Lock()

    def begin(self, label: str, total: int) -> None:
        raise AssertionError("stages are the caller's")

    def end(self) -> None:
        raise AssertionError("stages are the caller's")

    def advance(self, amount: int) -> None:
        with self._lock:
            self.total += amount


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Callable[[bytes], int]]:
    """Makes a file and opens it for reading and writing."""
    opened: list[int] = []

    def make(content: bytes) -> int:
        path = tmp_path / f"file{len(opened)}"
        path.write_bytes(content)
        opened.append(os.open(path, os.O_RDWR))
        return opened[-1]

    yield make
    for fd in opened:
        os.close(fd)


def sealed(fd: int, size: int, key: bytes, **options: float) -> tuple[Memory, SealedFile]:
    memory = Memory(ciphertext_size(size), **options)  # type: ignore[arg-type]
    return memory, seal(fd, size, key, memory)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_can_be_unsealed(size: int, file: Callable[[bytes], int]) -> None:
    plain, key = os.urandom(size), new_key()
    memory, result = sealed(file(plain), size, key, delay=0.002)
    assert result.ciphertext_size == len(memory.data)
    assert result.plaintext_sha256 == hashlib.sha256(plain).hexdigest()
    assert result.ciphertext_sha256 == hashlib.sha256(memory.data).hexdigest()
    out, target = bytearray(size), file(b"")
    assert unseal(memory, key, size, memoryview(out)) == result.plaintext_sha256
    assert unseal(memory, key, size, target) == result.plaintext_sha256
    assert out == plain
    assert os.pread(target, size + 1, 0) == plain


@pytest.mark.parametrize("size", SIZES)
def test_the_stream_is_that_of_the_format(size: int, file: Callable[[bytes], int]) -> None:
    """Decrypted segment by segment, without anything of the transfer."""
    plain, key = os.urandom(size), new_key()
    data = memoryview(sealed(file(plain), size, key)[0].data)
    decryptor, out, at = Decryptor(key, bytes(data[:HEADER]), len(data)), memoryview(bytearray(size)), 0
    for index in range(segment_count(size)):
        at += decryptor.segment(index, data[index * SEGMENT : (index + 1) * SEGMENT], out[at:])
    assert out == plain


@settings(max_examples=20, deadline=None)
@given(size=st.integers(0, 6 * MIB), seed=st.integers())
def test_any_size_in_any_order(tmp_path_factory: pytest.TempPathFactory, size: int, seed: int) -> None:
    random.seed(seed)
    path = tmp_path_factory.mktemp("any") / "file"
    plain, key = random.randbytes(size), new_key()
    path.write_bytes(plain)
    with path.open("rb") as source:
        memory, result = sealed(source.fileno(), size, key, delay=0.001)
    out = bytearray(size)
    assert unseal(memory, key, size, memoryview(out)) == result.plaintext_sha256
    assert out == plain


@pytest.mark.parametrize("size", [0, 1, 4 * MIB, 9_999_999])
def test_hashes_and_progress(size: int, file: Callable[[bytes], int]) -> None:
    plain, key = os.urandom(size), new_key()
    fd, counts = file(plain), [Count() for _ in range(4)]
    memory = Memory(ciphertext_size(size))
    seal(fd, size, key, memory, counts[0])
    unseal(memory, key, size, memoryview(bytearray(size)), counts[1])
    assert hash_plain(fd, size, counts[2]) == hashlib.sha256(plain).hexdigest()
    assert digest_ciphertext(memory, counts[3]) == hashlib.sha256(memory.data).hexdigest()
    assert [count.total for count in counts] == [size, size, size, len(memory.data)]


def test_every_sealing_has_its_own_salt(file: Callable[[bytes], int]) -> None:
    fd, key = file(b"same"), new_key()
    assert sealed(fd, 4, key)[0].data != sealed(fd, 4, key)[0].data


MEMORY_CASES = ["seal", "unseal to a file", "hash", "digest"]


@pytest.mark.parametrize("case", MEMORY_CASES)
def test_memory_does_not_grow_with_the_file(case: str, file: Callable[[bytes], int]) -> None:
    size = 64 * MIB
    fd, key = file(bytes(size)), new_key()
    memory, _ = sealed(fd, size, key)
    target = file(b"")
    work: dict[str, Callable[[], object]] = {
        "seal": lambda: seal(fd, size, key, memory),
        "unseal to a file": lambda: unseal(memory, key, size, target),
        "hash": lambda: hash_plain(fd, size),
        "digest": lambda: digest_ciphertext(memory),
    }
    tracemalloc.start()
    work[case]()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (2 * Memory.parallelism + 1) * PART + 14 * MIB


@pytest.mark.parametrize("fail_at", range(5))
@pytest.mark.parametrize("delay", [0.0, 0.01])
def test_a_store_that_fails_ends_the_transfer(
    fail_at: int, delay: float, file: Callable[[bytes], int]
) -> None:
    size = 32 * MIB
    fd, key = file(bytes(size)), new_key()
    memory, _ = sealed(fd, size, key)
    work: list[Callable[[Memory], object]] = [
        lambda broken: seal(fd, size, key, broken),
        lambda broken: unseal(broken, key, size, memoryview(bytearray(size))),
        lambda broken: unseal(broken, key, size, file(b"")),
        digest_ciphertext,
    ]
    for run in work:
        broken = Memory(memory.size, delay=delay, fail_at=fail_at)
        broken.data[:] = memory.data
        with pytest.raises(StoreUnavailable, match=f"call {fail_at} failed"):
            run(broken)
        assert broken.calls <= fail_at + 2 * (Memory.parallelism + 1)


def test_an_interrupt_ends_the_transfer(
    file: Callable[[bytes], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C is raised in the caller's thread, wherever that is."""
    size = 16 * MIB
    fd, reads = file(bytes(size)), Source.read_into

    def interrupted(source: Source, offset: int, out: memoryview) -> None:
        if offset > size // 2:
            raise KeyboardInterrupt
        reads(source, offset, out)

    monkeypatch.setattr(Source, "read_into", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sealed(fd, size, new_key(), delay=0.01)


def test_a_file_of_another_size_than_announced_is_refused(file: Callable[[bytes], int]) -> None:
    fd = file(bytes(100))
    for size in (99, 101):
        with pytest.raises(SourceChanged):
            sealed(fd, size, new_key())
        with pytest.raises(SourceChanged):
            hash_plain(fd, size)


def shrink(fd: int) -> None:
    os.ftruncate(fd, 10)


def grow(fd: int) -> None:
    os.pwrite(fd, b"more", os.fstat(fd).st_size)


def overwrite(fd: int) -> None:
    os.pwrite(fd, b"other", 0)


@pytest.mark.parametrize("change", [shrink, grow, overwrite])
@pytest.mark.parametrize("run", ["seal", "hash"])
def test_a_file_that_changes_while_it_is_read_is_noticed(
    change: Callable[[int], None], run: str, file: Callable[[bytes], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 8 * MIB
    fd, reads = file(bytes(size)), Source.read_into
    os.utime(fd, ns=(0, 0))  # the change falls into another tick of the clock than the creation

    def changing(source: Source, offset: int, out: memoryview) -> None:
        reads(source, offset, out)
        if offset == 0:
            change(fd)

    monkeypatch.setattr(Source, "read_into", changing)
    with pytest.raises(SourceChanged, match="changed while it was read") as caught:
        sealed(fd, size, new_key()) if run == "seal" else hash_plain(fd, size)
    assert caught.value.hint


def tampered(data: bytearray, at: int) -> bytearray:
    changed = bytearray(data)
    changed[at] ^= 1
    return changed


@pytest.mark.parametrize("at", [0, 20, 39, 40, SEGMENT - 1, SEGMENT, 5 * SEGMENT, -1])
def test_a_changed_byte_is_refused_and_its_segment_stays_closed(
    at: int, file: Callable[[bytes], int]
) -> None:
    size = 7 * MIB
    plain, key = os.urandom(size), new_key()
    memory, _ = sealed(file(plain), size, key)
    memory.data = tampered(memory.data, at)
    out = bytearray(size)
    with pytest.raises(BadEncryption):
        unseal(memory, key, size, memoryview(out))
    index = (at % memory.size) // SEGMENT
    start = max(0, index * NEXT - HEADER)
    assert start < size
    assert not any(out[start : start + 100])


@pytest.mark.parametrize("change", [-1, 1, -SEGMENT, SEGMENT])
def test_a_blob_of_the_wrong_size_is_refused(change: int, file: Callable[[bytes], int]) -> None:
    size, key = 3 * MIB, new_key()
    memory, _ = sealed(file(bytes(size)), size, key)
    memory.data = (memory.data + bytes(SEGMENT))[: memory.size + change]
    memory.size += change
    with pytest.raises(BadEncryption, match="instead of"):
        unseal(memory, key, size, memoryview(bytearray(size)))


def test_the_wrong_key_opens_nothing(file: Callable[[bytes], int]) -> None:
    memory, _ = sealed(file(b"secret"), 6, new_key())
    with pytest.raises(BadEncryption):
        unseal(memory, new_key(), 6, memoryview(bytearray(6)))


def test_a_destination_of_the_wrong_kind_is_refused(file: Callable[[bytes], int]) -> None:
    key = new_key()
    memory, _ = sealed(file(b"secret"), 6, key)
    for out in (memoryview(bytes(6)), memoryview(bytearray(7)), memoryview(bytearray(12))[::2]):
        with pytest.raises(RegistryError, match="destination"):
            unseal(memory, key, 6, out)


def test_a_destination_that_cannot_be_written_is_disk_trouble(
    file: Callable[[bytes], int], tmp_path: Path
) -> None:
    key = new_key()
    memory, _ = sealed(file(b"secret"), 6, key)
    (tmp_path / "out").touch()
    with (tmp_path / "out").open("rb") as readonly, pytest.raises(DiskTrouble):
        unseal(memory, key, 6, readonly.fileno())


def test_a_blob_that_vanishes_meanwhile_is_missing(file: Callable[[bytes], int]) -> None:
    size, key = 9 * MIB, new_key()
    memory, _ = sealed(file(bytes(size)), size, key)

    class Vanishing(Memory):
        def read_into(self, offset: int, out: memoryview) -> None:
            if offset:
                raise BlobMissing("gone")
            super().read_into(offset, out)

    vanishing = Vanishing(memory.size)
    vanishing.data = memory.data
    with pytest.raises(BlobMissing):
        unseal(vanishing, key, size, memoryview(bytearray(size)))
