"""The law as this member has replayed it before: kept in the home, so that a new process goes on from there.

The file is the member's own word to themselves: a code over it (HMAC-SHA256, RFC 2104) is made with a secret
that follows from their signing key, so whoever can write the home, but cannot act as the member anyway, gains
nothing. What does not hold is as if it were not there, and the law is replayed from the genesis act.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from registry import disk
from registry.crypto.keys import SigningKey
from registry.errors import RegistryError
from registry.law import memory
from registry.law.law import Law, from_genesis

LEAST = 1000  # acts; fewer are replayed sooner than anybody notices
STEP = 200  # acts that are replayed again rather than written down each time
_LIMIT = 1 << 30  # bytes
_CODE = 32  # bytes
_INFO = b"hallmark-registry law memory v1"


class LawMemory:
    """One member's memory of one registry's law. ``signing`` is called when it is needed."""

    def __init__(self, place: Callable[[str], Path], signing: Callable[[], SigningKey]) -> None:
        self._place = place
        self._signing = signing
        self._kept = 0  # acts

    def recall(self, registry_id: str, genesis: Callable[[], bytes]) -> Law | None:
        """The law as far as it is remembered. ``genesis`` gives the envelope of the ledger's first act."""
        with suppress(RegistryError):  # no file, no key, or not ours: nothing is remembered
            key = self._signing()
            data = disk.read(self._place(key.keyid), _LIMIT)
            code, packed = data[:_CODE], data[_CODE:]
            if not hmac.compare_digest(code, _code(key, packed)):
                return None
            law = from_genesis(genesis(), registry_id)
            memory.unpack(packed, law)
            self._kept = law.state.position
            return law
        return None

    def keep(self, law: Law) -> None:
        """Remember a law that was proven whole, where that is worth it."""
        if law.state.position < max(LEAST, self._kept + STEP):
            return
        with suppress(RegistryError):  # a memory that cannot be written costs time, and nothing else
            key, packed = self._signing(), memory.pack(law)
            disk.replace(self._place(key.keyid), _code(key, packed) + packed, 0o600)
        self._kept = law.state.position


def _code(key: SigningKey, packed: bytes) -> bytes:
    return hmac.digest(key.derive(_INFO), packed, sha256)
