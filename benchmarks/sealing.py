"""One key sealed and opened: the hybrid of ML-KEM-768 and X25519 beside X25519 alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.batches import batch
from benchmarks.measure import Entry, in_turns, ratio
from benchmarks.workplace import Workplace
from registry.crypto import sealing, streaming
from registry.crypto.sealing import CLASSIC, HYBRID, SealingPrivateKey

_CALLS = 200
_INFO = sealing.info_for(
    registry_id="0" * 64, purpose="blob-key", model="ns/model", epoch=1, recipient="vault"
)


def measure(place: Workplace) -> list[Entry]:
    """Sealing, and opening, each by both suites."""
    contenders: dict[str, Callable[[], float]] = {}
    for suite in (HYBRID, CLASSIC):
        key = SealingPrivateKey.generate(suite)
        contenders[f"seal {suite}"] = partial(seal, key)
        contenders[f"open {suite}"] = partial(unseal, key)
    found = in_turns(place.rounds, contenders, place.quiet)
    return [
        ratio(
            f"{verb} a key, hybrid",
            "X25519 alone",
            found[f"{verb} {HYBRID}"],
            found[f"{verb} {CLASSIC}"],
            unit="ms",
        )
        for verb in ("seal", "open")
    ]


def seal(key: SealingPrivateKey) -> float:
    """Milliseconds for one key."""
    return batch(lambda _: sealing.seal(streaming.new_key(), key.public, _INFO), range(_CALLS))


def unseal(key: SealingPrivateKey) -> float:
    """Milliseconds for one key."""
    made = [sealing.seal(streaming.new_key(), key.public, _INFO) for _ in range(_CALLS)]
    return batch(lambda one: sealing.open_sealed(one, key, _INFO), made)
