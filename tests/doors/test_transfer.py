"""Sealing, unsealing and hashing: right, in any order, and in bounded memory."""

from __future__ import annotations

import hashlib
import os
import random
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.blobs import MIB
from registry.crypto.streaming import HEADER, SEGMENT, TAG, Decryptor, ciphertext_size, new_key, segment_count
from registry.transfer import digest_ciphertext, hash_plain, seal, unseal
from support.memoryblob import PART, Count, Memory, sealed

pytestmark = pytest.mark.usefixtures("no_thread_stays")

FIRST = SEGMENT - HEADER - TAG  # bytes of plaintext in segment 0
NEXT = SEGMENT - TAG  # bytes of plaintext in every other full segment
SIZES = [0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + NEXT, FIRST + NEXT + 1, FIRST + 7 * NEXT, 9_999_999]


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
