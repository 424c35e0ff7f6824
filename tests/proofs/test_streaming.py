"""The blob format: against Tink both ways, over every boundary, and under every tampering."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.crypto import streaming
from registry.crypto.streaming import HEADER, SEGMENT, TAG, Decryptor, Encryptor
from registry.errors import BadEncryption, InvalidInput, RegistryError

VECTORS = Path(__file__).parents[1] / "vectors"
FIRST, BODY = SEGMENT - HEADER - TAG, SEGMENT - TAG  # bytes of plaintext in segment 0, in a later one
BOUNDARIES = (0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + BODY - 1, FIRST + BODY, FIRST + BODY + 1, 3 << 20)
CASES: list[dict[str, Any]] = json.loads((VECTORS / "streaming.json").read_text())["cases"]
KEY = bytes(range(32))


def plaintext(size: int) -> bytes:
    return hashlib.shake_128(b"streaming").digest(size)


def run_encryptor(encryptor: Encryptor, data: bytes) -> bytes:
    out = memoryview(bytearray(encryptor.ciphertext_size))
    for index in range(encryptor.count):
        start, length = streaming.plaintext_span(index, len(data))
        at, size = streaming.ciphertext_span(index, len(out))
        assert encryptor.segment(index, memoryview(data)[start : start + length], out[at:]) == size
    return bytes(out)


def encrypt(key: bytes, data: bytes) -> bytes:
    return run_encryptor(Encryptor(key, len(data)), data)


def encrypt_under(key: bytes, header: bytes, data: bytes) -> bytes:
    encryptor = Encryptor(key, len(data))
    encryptor._begin(key, len(data), header[1:33], header[33:])
    return run_encryptor(encryptor, data)


def decrypt(key: bytes, blob: bytes) -> bytes:
    decryptor = Decryptor(key, blob[:HEADER], len(blob))
    out = memoryview(bytearray(decryptor.plaintext_size))
    for index in range(decryptor.count):
        at, size = streaming.ciphertext_span(index, len(blob))
        start, length = streaming.plaintext_span(index, len(out))
        assert decryptor.segment(index, memoryview(blob)[at : at + size], out[start:]) == length
    return bytes(out)


@pytest.fixture(scope="module")
def theirs() -> ModuleType:
    pytest.importorskip("tink")
    spec = importlib.util.spec_from_file_location("make_streaming", VECTORS / "make_streaming.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def blob() -> bytes:
    """Three segments, the last of 100 bytes of plaintext."""
    return encrypt(KEY, plaintext(FIRST + BODY + 100))


# The format


@pytest.mark.parametrize("size", BOUNDARIES)
def test_tink_reads_what_we_write(size: int, theirs: ModuleType) -> None:
    data = plaintext(size)
    assert theirs.decrypt(KEY, encrypt(KEY, data)) == data


@pytest.mark.parametrize("size", BOUNDARIES)
def test_we_read_what_tink_writes_and_write_the_same_bytes(size: int, theirs: ModuleType) -> None:
    data = plaintext(size)
    written = theirs.encrypt(KEY, data)
    assert decrypt(KEY, written) == data
    assert encrypt_under(KEY, written[:HEADER], data) == written


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["plaintext_size"]))
def test_vectors_of_tink(case: dict[str, Any]) -> None:
    key, data = bytes.fromhex(case["key"]), plaintext(case["plaintext_size"])
    written = encrypt_under(key, bytes.fromhex(case["header"]), data)
    assert written.hex() == case.get("ciphertext", written.hex())
    assert hashlib.sha256(written).hexdigest() == case["ciphertext_sha256"]
    assert len(written) == streaming.ciphertext_size(len(data)) == case["ciphertext_size"]
    assert decrypt(key, written) == data


@given(st.integers(0, 5 << 20) | st.integers(0, streaming.MAX_SEGMENTS * BODY - HEADER))
def test_sizes_invert(size: int) -> None:
    assert streaming.plaintext_size(streaming.ciphertext_size(size)) == size


@given(
    st.integers(-5, 5 << 20)
    | st.integers(0, 3).flatmap(lambda n: st.integers(-60, 60).map((n << 20).__add__))
)
def test_a_size_is_refused_exactly_when_no_plaintext_has_it(size: int) -> None:
    near = range(max(0, size - HEADER - 8 * TAG), max(0, size - HEADER) + 1)
    possible = any(streaming.ciphertext_size(n) == size for n in near)
    try:
        assert streaming.ciphertext_size(streaming.plaintext_size(size)) == size
    except BadEncryption:
        assert not possible
    else:
        assert possible


@given(st.integers(0, 5 << 20) | st.sampled_from(BOUNDARIES))
def test_spans_tile_both_sides(size: int) -> None:
    total, indexes = streaming.ciphertext_size(size), range(streaming.segment_count(size))
    plain = [streaming.plaintext_span(index, size) for index in indexes]
    cipher = [streaming.ciphertext_span(index, total) for index in indexes]
    for spans, whole in ((plain, size), (cipher, total)):
        assert [start for start, _ in spans] == [sum(n for _, n in spans[:i]) for i in indexes]
        assert sum(length for _, length in spans) == whole
    overhead = [taken - given for (_, taken), (_, given) in zip(cipher, plain, strict=True)]
    assert overhead == [HEADER + TAG] + [TAG] * (len(indexes) - 1)
    assert all(start % SEGMENT == 0 for start, _ in cipher)


def test_the_index_has_four_bytes() -> None:
    most = streaming.MAX_SEGMENTS * BODY - HEADER
    assert streaming.segment_count(most) == 2**32 - 1
    for size in (most + 1, -1):
        with pytest.raises(InvalidInput):
            streaming.segment_count(size)
    with pytest.raises(BadEncryption):
        streaming.plaintext_size(streaming.ciphertext_size(most) + TAG + 1)


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_segment_outside_the_stream(index: int, blob: bytes) -> None:
    with pytest.raises(RegistryError, match="no such segment"):
        streaming.ciphertext_span(index, len(blob))
    with pytest.raises(RegistryError, match="no such segment"):
        streaming.plaintext_span(index, FIRST + BODY + 100)


# The nonce


def test_each_stream_has_its_own_salt_and_prefix() -> None:
    headers = {encrypt(KEY, b"same")[:HEADER] for _ in range(8)}
    assert len({header[1:33] for header in headers}) == len({header[33:] for header in headers}) == 8


def test_keys_are_fresh() -> None:
    assert len({streaming.new_key() for _ in range(8)}) == 8
    assert len(streaming.new_key()) == 32


def test_reusing_a_nonce_is_refused() -> None:
    encryptor, out = Encryptor(KEY, 4), memoryview(bytearray(60))
    encryptor.segment(0, b"once", out)
    kept = bytes(out)
    with pytest.raises(RegistryError, match="only once"):
        encryptor.segment(0, b"more", out)
    assert bytes(out) == kept


def test_of_many_threads_that_claim_a_segment_one_wins() -> None:
    encryptor, barrier = Encryptor(KEY, 4), threading.Barrier(8)

    def claim(_: int) -> int:
        barrier.wait()
        try:
            return encryptor.segment(0, b"once", memoryview(bytearray(60)))
        except RegistryError:
            return 0

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(claim, range(8))) == [0] * 7 + [60]


@pytest.mark.parametrize("given_size", [0, 3, 5])
def test_a_source_that_shrank_or_grew_is_refused_and_may_be_read_again(given_size: int) -> None:
    encryptor, out = Encryptor(KEY, 4), memoryview(bytearray(60))
    with pytest.raises(RegistryError, match="wrong length"):
        encryptor.segment(0, bytes(given_size), out)
    assert encryptor.segment(0, b"four", out) == 60


def test_a_buffer_that_is_too_small_is_refused(blob: bytes) -> None:
    with pytest.raises(RegistryError, match="no room"):
        Encryptor(KEY, 4).segment(0, b"four", memoryview(bytearray(59)))
    with pytest.raises(RegistryError, match="no room"):
        Decryptor(KEY, blob[:HEADER], len(blob)).segment(2, blob[2 * SEGMENT :], memoryview(bytearray(99)))


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length: int, blob: bytes) -> None:
    with pytest.raises(BadEncryption, match="32 bytes"):
        Encryptor(bytes(length), 4)
    with pytest.raises(BadEncryption, match="32 bytes"):
        Decryptor(bytes(length), blob[:HEADER], len(blob))


# Many threads, and only the span


def test_segments_in_any_order_by_many_threads() -> None:
    data = plaintext(6 * BODY + 5)
    encryptor = Encryptor(KEY, len(data))
    sealed = memoryview(bytearray(encryptor.ciphertext_size))
    opened = memoryview(bytearray(len(data)))

    def put(index: int) -> None:
        start, length = streaming.plaintext_span(index, len(data))
        encryptor.segment(index, data[start : start + length], sealed[index * SEGMENT :][:SEGMENT])

    def get(index: int) -> None:
        start, length = streaming.plaintext_span(index, len(data))
        decryptor.segment(index, sealed[index * SEGMENT :][:SEGMENT], opened[start : start + length])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, reversed(range(encryptor.count))))
        decryptor = Decryptor(KEY, bytes(sealed[:HEADER]), len(sealed))
        list(pool.map(get, reversed(range(decryptor.count))))
    assert bytes(opened) == data


def test_nothing_is_written_outside_the_span(blob: bytes) -> None:
    out = memoryview(bytearray(b"\xaa" * 100))
    assert Encryptor(KEY, 4).segment(0, b"four", out) == 60
    assert bytes(out[60:]) == b"\xaa" * 40
    room = memoryview(bytearray(b"\xaa" * 120))
    assert Decryptor(KEY, blob[:HEADER], len(blob)).segment(2, blob[2 * SEGMENT :], room) == 100
    assert bytes(room[100:]) == b"\xaa" * 20


# Tampering


def flipped(blob: bytes, position: int) -> bytes:
    return blob[:position] + bytes([blob[position] ^ 1]) + blob[position + 1 :]


@pytest.mark.parametrize(
    "position", [0, 1, 32, 33, 39], ids=["length", "salt", "salt-end", "prefix", "prefix-end"]
)
def test_changed_header(position: int, blob: bytes) -> None:
    with pytest.raises(BadEncryption, match=r"segment 0 of 0\.\.2"):
        decrypt(KEY, flipped(blob, position))


@pytest.mark.parametrize("position", range(HEADER))
def test_header_that_changes_between_two_reads(position: int, blob: bytes) -> None:
    decryptor = Decryptor(KEY, blob[:HEADER], len(blob))
    with pytest.raises(BadEncryption, match=r"segment 0 of"):
        decryptor.segment(0, flipped(blob, position)[:SEGMENT], memoryview(bytearray(FIRST)))


@pytest.mark.parametrize(
    "offset", [HEADER, 5000, -TAG - 1, -TAG, -1], ids=["first", "middle", "last", "tag", "tag-end"]
)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_changed_segment(index: int, offset: int, blob: bytes) -> None:
    start, length = streaming.ciphertext_span(index, len(blob))
    changed = flipped(blob, start + (offset % length))
    decryptor = Decryptor(KEY, changed[:HEADER], len(changed))
    for other in range(3):
        at, size = streaming.ciphertext_span(other, len(changed))
        _, plain = streaming.plaintext_span(other, decryptor.plaintext_size)
        out = memoryview(bytearray(b"\xaa" * plain))
        if other != index:
            assert decryptor.segment(other, changed[at : at + size], out) == plain
            continue
        with pytest.raises(BadEncryption, match=rf"segment {index} of 0\.\.2"):
            decryptor.segment(index, changed[at : at + size], out)
        assert bytes(out) == bytes(plain), "unverified plaintext was left behind"


@pytest.mark.parametrize(
    ("size", "segment"),
    [
        (2 * SEGMENT, "segment 1 of 0..1"),
        (SEGMENT, "segment 0 of 0..0"),
        (2 * SEGMENT + 115, "segment 2 of 0..2"),
        (2 * SEGMENT + TAG + 1, "segment 2 of 0..2"),
        (2 * SEGMENT + TAG, "segment 2 of 0..2"),
        (2 * SEGMENT + 1, "segment 2 of 0..2"),
        (2 * SEGMENT - 1, "segment 1 of 0..1"),
        (HEADER + TAG, "segment 0 of 0..0"),
        (HEADER + TAG - 1, "segment 0 of 0..0"),
        (HEADER - 1, "segment 0 of 0..0"),
        (0, "segment 0 of 0..0"),
    ],
)
def test_truncated(size: int, segment: str, blob: bytes) -> None:
    with pytest.raises(BadEncryption) as caught:
        decrypt(KEY, blob[:size])
    assert caught.value.on is not None
    assert caught.value.on.startswith(segment)


SPLICES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int]] = {
    "swapped": (lambda s: [s[0], s[2], s[1], s[3]], 1),
    "duplicated": (lambda s: [s[0], s[1], s[1], s[2], s[3]], 2),
    "dropped": (lambda s: [s[0], s[2], s[3]], 1),
    "last-dropped": (lambda s: [s[0], s[1], s[2]], 2),
    "appended": (lambda s: [*s, s[3]], 3),
    "byte-appended": (lambda s: [*s, b"x"], 4),
    "last-moved-forward": (lambda s: [s[0], s[3]], 1),
}


@pytest.mark.parametrize("name", SPLICES)
def test_spliced_segments(name: str) -> None:
    data = plaintext(FIRST + 3 * BODY)  # four full segments, so that only the nonce tells them apart
    whole = encrypt(KEY, data)
    splice, at_fault = SPLICES[name]
    forged = b"".join(splice([whole[i * SEGMENT : (i + 1) * SEGMENT] for i in range(4)]))
    with pytest.raises(BadEncryption) as caught:
        decrypt(KEY, forged)
    assert f"segment {at_fault} of" in str(caught.value)
    assert decrypt(KEY, whole) == data


def test_segment_flagged_last_does_not_pass_in_the_middle() -> None:
    short = encrypt(KEY, plaintext(FIRST))
    longer = encrypt_under(KEY, short[:HEADER], plaintext(FIRST + 1))
    assert short[HEADER:-TAG] != longer[HEADER : SEGMENT - TAG], "the flag is part of the nonce"
    with pytest.raises(BadEncryption, match=r"segment 0 of 0\.\.1"):
        decrypt(KEY, short + longer[SEGMENT:])


def test_segment_of_another_stream_under_the_same_key(blob: bytes) -> None:
    other = encrypt(KEY, plaintext(FIRST + BODY + 100))
    with pytest.raises(BadEncryption, match=r"segment 1 of 0\.\.2"):
        decrypt(KEY, blob[:SEGMENT] + other[SEGMENT : 2 * SEGMENT] + blob[2 * SEGMENT :])


@pytest.mark.parametrize("length", [0, HEADER - 1, HEADER + 1])
def test_header_of_another_length(length: int, blob: bytes) -> None:
    with pytest.raises(BadEncryption, match=r"header is not one \(segment 0 of"):
        Decryptor(KEY, blob[:length], len(blob))


def test_wrong_key(blob: bytes) -> None:
    with pytest.raises(BadEncryption, match=r"segment 0 of 0\.\.2"):
        decrypt(bytes(32), blob)


def test_segment_of_another_length_than_its_span(blob: bytes) -> None:
    decryptor = Decryptor(KEY, blob[:HEADER], len(blob))
    for piece in (blob[SEGMENT : 2 * SEGMENT - 1], blob[SEGMENT : 2 * SEGMENT + 1], b""):
        with pytest.raises(BadEncryption, match=r"segment 1 of 0\.\.2"):
            decryptor.segment(1, piece, memoryview(bytearray(SEGMENT)))
