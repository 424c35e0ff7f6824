"""Values that change at positions of the law, and can be asked for at any of them."""

from __future__ import annotations

from bisect import bisect_right
from typing import Generic, TypeVar

T = TypeVar("T")


class Timeline(Generic[T]):
    """What held from which position on; None where nothing does. Positions only grow."""

    __slots__ = ("_positions", "_values")

    def __init__(self) -> None:
        self._positions: list[int] = []
        self._values: list[T | None] = []

    def at(self, position: int | None = None) -> T | None:
        """The value at a position, by default the newest."""
        if position is None:
            return self._values[-1] if self._values else None
        index = bisect_right(self._positions, position)
        return self._values[index - 1] if index else None

    def since(self, position: int | None = None) -> int:
        """The position from which on the value has held; 0 where there was none yet."""
        if position is None:
            return self._positions[-1] if self._positions else 0
        index = bisect_right(self._positions, position)
        return self._positions[index - 1] if index else 0

    def first(self) -> int:
        """The position of the first value; 0 where there is none."""
        return self._positions[0] if self._positions else 0

    def put(self, position: int, value: T | None) -> None:
        """From this position on it is ``value``."""
        self._positions.append(position)
        self._values.append(value)

    def drop(self) -> None:
        """Undo the last ``put``."""
        self._positions.pop()
        self._values.pop()

    def changes(self) -> list[tuple[int, T | None]]:
        """Every position at which the value changed, and to what."""
        return list(zip(self._positions, self._values, strict=True))
