"""Keeping a lease alive while something takes long."""

from __future__ import annotations

from collections.abc import Callable

from registry.context import Context
from registry.records import leases


class Heartbeat:
    """Progress that also renews a lease, well before it runs out."""

    def __init__(self, context: Context, renew: Callable[[], None]) -> None:
        self._context, self._renew = context, renew
        self._due = context.now() + leases.TERM / 3

    def begin(self, label: str, total: int) -> None:
        self._context.progress.begin(label, total)

    def advance(self, amount: int) -> None:
        self._context.progress.advance(amount)
        now = self._context.now()
        if now >= self._due:
            self._due = now + leases.TERM / 3
            self._renew()

    def end(self) -> None:
        self._context.progress.end()
