"""What a forger may bring to the door: each envelope differs from an honest one in one thing."""

from __future__ import annotations

from support import (
    forged_contents,
    forged_custody,
    forged_keys,
    forged_law,
    forged_rights,
    forged_rotations,
    forged_signatures,
    forged_versions,
)
from support.forger import FORGERIES, Brought, Forgery

__all__ = [
    "FORGERIES",
    "Brought",
    "Forgery",
    "forged_contents",
    "forged_custody",
    "forged_keys",
    "forged_law",
    "forged_rights",
    "forged_rotations",
    "forged_signatures",
    "forged_versions",
]
