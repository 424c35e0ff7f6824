"""The sealed keys beside the ledger: acts name them by their SHA-256, and which of them count still."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from registry.audit.verify.finding import Finding
from registry.audit.verify.source import Source
from registry.records import queries


def check_sealed(source: Source) -> Iterator[Finding]:
    """Every sealed key that counts is there and unchanged, and none that was superseded."""
    there, changed = set(), []
    for digest, ciphertext in source.stream("SELECT sha256, ciphertext FROM sealed ORDER BY sha256"):
        there.add(digest)
        if not isinstance(ciphertext, bytes) or hashlib.sha256(ciphertext).hexdigest() != digest:
            changed.append(digest)
    named = queries.sealed_in_use(source.connection)
    for digest in sorted(named - there):
        yield Finding("key-missing", digest, "a sealed key that an act names is gone")
    for digest in sorted(there - named, key=str):
        yield Finding("key-left", f"{digest}", "a sealed key is there that nothing names any more")
    for digest in changed:
        yield Finding("key-changed", f"{digest}", "a sealed key is not what its SHA-256 says")
