"""What a long deed tells whoever watches it. Silent unless somebody passes an observer."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the advance of one deed. Methods may be called from worker threads."""

    def begin(self, label: str, total: int) -> None:
        """A stage starts; ``total`` is in bytes, 0 when unknown."""

    def advance(self, amount: int) -> None:
        """``amount`` more bytes of the current stage are done."""

    def end(self) -> None:
        """The current stage is over."""


class Silent:
    """The observer that does nothing."""

    def begin(self, label: str, total: int) -> None:
        pass

    def advance(self, amount: int) -> None:
        pass

    def end(self) -> None:
        pass


SILENT = Silent()
