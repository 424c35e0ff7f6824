"""What a verification finds wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that is not as the ledger says: a stable code, where, and what."""

    code: str
    on: str
    detail: str
