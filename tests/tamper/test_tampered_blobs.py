"""Attacks on blobs: ciphertext changed, cut, reordered or swapped in the store. Step 9 refuses them all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from registry.crypto.streaming import HEADER, SEGMENT, TAG
from support.attacks import findings, flipped, found, refused
from support.victim import Victim

Change = Callable[[bytes], bytes]


def _cut(data: bytes) -> list[bytes]:
    return [data[at : at + SEGMENT] for at in range(0, len(data), SEGMENT)]


def _order(*wanted: int) -> Change:
    return lambda data: b"".join(_cut(data)[index] for index in wanted)


ATTACKS: dict[str, Change] = {
    "header-length-byte": lambda data: flipped(data, 0),
    "header-salt": lambda data: flipped(data, 1),
    "header-nonce-prefix": lambda data: flipped(data, HEADER - 1),
    "first-segment-first-byte": lambda data: flipped(data, HEADER),
    "first-segment-last-tag-byte": lambda data: flipped(data, SEGMENT - 1),
    "middle-segment-first-byte": lambda data: flipped(data, 2 * SEGMENT),
    "middle-segment-byte": lambda data: flipped(data, 2 * SEGMENT + 12345),
    "last-segment-first-byte": lambda data: flipped(data, 3 * SEGMENT),
    "last-segment-last-byte": lambda data: flipped(data, -TAG - 1),
    "last-tag-first-byte": lambda data: flipped(data, -TAG),
    "last-tag-last-byte": lambda data: flipped(data, -1),
    "cut-at-a-segment-boundary": lambda data: data[: 3 * SEGMENT],
    "cut-to-one-segment": lambda data: data[:SEGMENT],
    "cut-off-a-segment-boundary": lambda data: data[: 3 * SEGMENT - 1000],
    "cut-by-one-byte": lambda data: data[:-1],
    "cut-by-the-last-tag": lambda data: data[:-TAG],
    "cut-to-the-header": lambda data: data[:HEADER],
    "cut-to-nothing": lambda data: b"",
    "one-byte-appended": lambda data: data + b"\0",
    "a-segment-appended": lambda data: data + data[-SEGMENT:],
    "segments-swapped": _order(0, 2, 1, 3),
    "first-segments-swapped": _order(1, 0, 2, 3),
    "segment-duplicated-over-another": _order(0, 1, 1, 3),
    "segment-inserted-twice": _order(0, 1, 1, 2, 3),
    "middle-segment-dropped": _order(0, 1, 3),
    "first-segment-dropped": _order(1, 2, 3),
    "zeros": lambda data: bytes(len(data)),
    "header-alone-kept": lambda data: data[:HEADER] + bytes(len(data) - HEADER),
}


def test_the_weights_have_first_middle_and_last_segments(victim: Victim) -> None:
    size = len(victim.blobs[victim.blob("weights.data")])
    assert 3 * SEGMENT < size < 4 * SEGMENT
    assert size % SEGMENT > 1000


def test_an_untouched_store_passes(victim: Victim) -> None:
    victim.passes()
    assert findings(victim) == ()


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_changed_blob_is_refused(victim: Victim, attack: str) -> None:
    blob = victim.blob("weights.data")
    changed = ATTACKS[attack](victim.blobs[blob])
    assert changed != victim.blobs[blob]
    victim.write_blob(blob, changed)
    refused(victim, 9, "bad-encryption")


FOUND = {
    "header-salt": "blob-changed",
    "last-tag-last-byte": "blob-changed",
    "segments-swapped": "blob-changed",
    "cut-at-a-segment-boundary": "blob-size",
    "one-byte-appended": "blob-size",
}


@pytest.mark.parametrize("attack", FOUND)
def test_a_changed_blob_is_found(victim: Victim, attack: str) -> None:
    blob = victim.blob("weights.data")
    victim.write_blob(blob, ATTACKS[attack](victim.blobs[blob]))
    assert found(victim, blob, blobs=True) == {FOUND[attack]}


@pytest.mark.parametrize("path", ["model.onnx", "labels/a.txt", "tokenizer.json"])
@pytest.mark.parametrize("at", [0, HEADER, -1])
def test_a_changed_byte_in_any_file_is_refused(victim: Victim, path: str, at: int) -> None:
    blob = victim.blob(path)
    victim.write_blob(blob, flipped(victim.blobs[blob], at))
    refused(victim, 9, "bad-encryption")


SWAPS: dict[str, tuple[str, tuple[str, int, str]]] = {
    "another-file-of-the-same-size": ("labels/a.txt", ("labels/b.txt", 2, "vision/net")),
    "another-file-of-another-size": ("labels/a.txt", ("model.onnx", 2, "vision/net")),
    "an-older-versions-weights": ("weights.data", ("weights.data", 1, "vision/net")),
    "a-newer-versions-weights": ("weights.data", ("weights.data", 3, "vision/net")),
    "another-models-weights": ("weights.data", ("weights.data", 1, "vision/other")),
    "another-models-graph": ("model.onnx", ("model.onnx", 1, "vision/other")),
}


@pytest.mark.parametrize("swap", SWAPS)
def test_another_blobs_content_is_refused(victim: Victim, swap: str) -> None:
    path, (other, number, model) = SWAPS[swap]
    blob, source = victim.blob(path), victim.blob(other, number, model)
    assert blob != source
    assert (len(victim.blobs[blob]) == len(victim.blobs[source])) == (swap != "another-file-of-another-size")
    victim.write_blob(blob, victim.blobs[source])
    refused(victim, 9, "bad-encryption")


def test_two_blobs_exchanged_are_refused(victim: Victim) -> None:
    first, second = victim.blob("labels/a.txt"), victim.blob("labels/b.txt")
    victim.write_blob(first, victim.blobs[second])
    victim.write_blob(second, victim.blobs[first])
    refused(victim, 9, "bad-encryption")


def test_a_segment_of_an_older_blob_is_refused(victim: Victim) -> None:
    blob, older = victim.blob("weights.data"), victim.blob("weights.data", 1)
    parts, old = _cut(victim.blobs[blob]), _cut(victim.blobs[older])
    victim.write_blob(blob, b"".join([parts[0], old[1], *parts[2:]]))
    refused(victim, 9, "bad-encryption")
