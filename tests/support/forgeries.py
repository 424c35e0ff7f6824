"""What a forger may bring to the door: each envelope differs from an honest one in one thing."""

from __future__ import annotations

from support import forged_contents, forged_signatures, forged_versions
from support.forger import FORGERIES, Forgery

__all__ = ["FORGERIES", "Forgery", "forged_contents", "forged_signatures", "forged_versions"]
