"""Moving bytes between plaintext and store: in one pass, in parallel, in bounded memory.

``progress`` is only ever advanced here: its stages belong to the deed, which may move many files in one.
"""

from __future__ import annotations

from registry.transfer.digests import digest_ciphertext, hash_plain
from registry.transfer.sealing import SealedFile, seal
from registry.transfer.unsealing import Sink, unseal

__all__ = ["SealedFile", "Sink", "digest_ciphertext", "hash_plain", "seal", "unseal"]
