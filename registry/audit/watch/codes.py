"""The codes of errors that say: evidence that should hold does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from registry.errors import BlobMissing, RegistryError, Untrusted


def _family(kind: type[RegistryError]) -> Iterator[str]:
    yield kind.code
    for narrower in kind.__subclasses__():
        yield from _family(narrower)


UNTRUSTED: Final = frozenset({*_family(Untrusted), BlobMissing.code})
