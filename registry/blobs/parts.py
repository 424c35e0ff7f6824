"""How an upload falls into parts, and which of them have arrived."""

from __future__ import annotations

import threading

from registry.errors import RegistryError


class Parts:
    """The parts of one upload; thread-safe.

    Every part has ``part_size`` bytes, only the last may be shorter. An empty upload has no part.
    What is refused here can only be a bug of the caller, hence the bare RegistryError.
    """

    def __init__(self, blob_id: str, size: int, part_size: int) -> None:
        if size < 0:
            raise RegistryError("a blob cannot have a negative size", on=blob_id)
        self.blob_id = blob_id
        self.size = size  # bytes
        self.part_size = part_size  # bytes
        self.count = -(-size // part_size)
        self._arrived: set[int] = set()
        self._lock = threading.Lock()

    def index(self, offset: int, length: int) -> int:
        """The number, from 0, of the part at ``offset``. Raises RegistryError for any other span."""
        index, rest = divmod(offset, self.part_size)
        if rest or not 0 <= index < self.count or length != min(self.part_size, self.size - offset):
            raise RegistryError(f"{length} bytes at {offset} are no part of this upload", on=self.blob_id)
        return index

    def arrived(self, index: int) -> None:
        """Part ``index`` is stored."""
        with self._lock:
            self._arrived.add(index)

    def require_all(self) -> None:
        """Raises RegistryError while a part is missing: half an upload must never be published."""
        with self._lock:
            missing = self.count - len(self._arrived)
        if missing:
            raise RegistryError(f"{missing} of {self.count} parts were never written", on=self.blob_id)
