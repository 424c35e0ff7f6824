"""How much one file may cost its reader before that is a finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_GIB: Final = 1 << 30  # bytes


@dataclass(frozen=True)
class Limits:
    """For each of the two processes that look at a file; both grow with the size of what they read.

    ``cpu`` are seconds of computing, ``wall`` seconds in all: longer, because a busy machine is no flaw of
    the file's. ``memory`` are bytes of address space beyond the files themselves.
    """

    cpu: float = 20.0
    wall: float = 60.0
    memory: int = 2 * _GIB
    per_gib: float = 20.0  # seconds more, of either, for each GiB of files
    copies: int = 2  # of the files' size, that the runtime may make

    def scaled(self, size: int) -> Limits:
        """The limits for files of ``size`` bytes, with nothing left to add."""
        more = self.per_gib * size / _GIB
        return Limits(self.cpu + more, self.wall + more, self.memory + self.copies * size, 0.0, 0)


DEFAULT: Final = Limits()
