"""Whatever fails or changes ends a transfer: at once, with the first failure, and with no thread left."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.blobs import MIB
from registry.crypto.streaming import HEADER, SEGMENT, TAG, new_key
from registry.errors import (
    BadEncryption,
    BlobMissing,
    DiskTrouble,
    RegistryError,
    SourceChanged,
    StoreUnavailable,
)
from registry.transfer import digest_ciphertext, hash_plain, seal, unseal
from registry.transfer.source import Source
from support.memoryblob import PART, Memory, sealed

pytestmark = pytest.mark.usefixtures("no_thread_stays")

NEXT = SEGMENT - TAG  # bytes of plaintext in every other full segment


@pytest.mark.parametrize("fail_at", range(5))
@pytest.mark.parametrize("delay", [0.0, 0.01])
def test_a_store_that_fails_ends_the_transfer(
    fail_at: int, delay: float, file: Callable[[bytes], int]
) -> None:
    size = 64 * MIB
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
        assert broken.calls < memory.size // PART, "it went on to the end"


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
