"""A store that works until it does not."""

from __future__ import annotations

from typing import Any

from registry.errors import StoreUnavailable


class Failing:
    """A store that fails when one of its methods is asked for the n-th time."""

    def __init__(self, store: Any, method: str, at: int) -> None:
        self._store, self._method, self._left = store, method, at

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            self._left -= 1
            if self._left == 0:
                raise StoreUnavailable("the store is gone")
        return getattr(self._store, name)
