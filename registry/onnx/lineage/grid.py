"""A tensor and its scales in one arrangement, whichever the granularity.

Every quantized tensor is seen as three dimensions, (outer, along, inner): ``along`` holds the channels or
what is cut into blocks. Scales, zero points and extremes have a dimension of 1 where one serves all. Work
goes through slabs of bounded size, so that memory stays small beside the tensor itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from registry.errors import InvalidModel

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

SLAB = 1 << 18  # elements worked on at once: a few arrays of this size fit the processor's cache
_TILE = (256, 64)  # elements of a transpose that are copied at once


class Slab(NamedTuple):
    """A part of the tensor, and the part of its scales that belongs to it."""

    data: tuple[slice, slice, slice]
    params: tuple[slice, slice, slice]


class Grid(NamedTuple):
    """``shape`` of the tensor in three dimensions; ``params`` that of its scales; ``block`` elements of
    ``along`` have one scale (1: a channel)."""

    shape: tuple[int, int, int]
    params: tuple[int, int, int]
    block: int

    def arrange(self, data: Array) -> Array:
        """The tensor in three dimensions; a view where its layout allows. A transpose is copied."""
        return _in_order(data).reshape(self.shape)

    def spread(self, params: Array | None, name: str) -> Array:
        """Scales or zero points (None: zeros) in three dimensions; one may stand for all.

        Raises InvalidModel where there are not as many as the granularity needs.
        """
        import numpy as np

        if params is None:
            return np.zeros((1, 1, 1), np.int8)
        if params.size == 1:
            return params.reshape(1, 1, 1)
        if params.size != prod(self.params):
            raise InvalidModel(
                f"{params.size} scales or zero points where {prod(self.params)} are needed", on=name
            )
        return params.reshape(self.params)

    def slabs(self, limit: int = SLAB) -> Iterator[Slab]:
        """Parts of at most ``limit`` elements (one block at least) that cover the tensor."""
        outer, along, inner = self.shape
        if not outer * along * inner:
            return
        inner_step = min(inner, limit)
        along_step = min(along, max(self.block, limit // inner_step // self.block * self.block))
        outer_step = max(1, limit // (inner_step * along_step))
        for first in range(0, outer, outer_step):
            for second in range(0, along, along_step):
                for third in range(0, inner, inner_step):
                    yield self._slab(
                        slice(first, min(outer, first + outer_step)),
                        slice(second, min(along, second + along_step)),
                        slice(third, min(inner, third + inner_step)),
                    )

    def _slab(self, first: slice, second: slice, third: slice) -> Slab:
        blocks = slice(second.start // self.block, -(-second.stop // self.block))
        wanted = (first, blocks, third)
        chosen = [one if size > 1 else slice(0, 1) for one, size in zip(wanted, self.params, strict=True)]
        return Slab((first, second, third), (chosen[0], chosen[1], chosen[2]))

    def cut(self, params: Array, slab: Slab) -> Array:
        """The slab's scales, one for each element of ``along`` where blocks need it."""
        import numpy as np

        if params.size == 1:
            return params
        found = params[slab.params]
        if self.block == 1 or found.shape[1] == 1:
            return found
        length = slab.data[1].stop - slab.data[1].start
        return np.repeat(found, self.block, axis=1)[:, :length]


def _in_order(data: Array) -> Array:
    """A transposed matrix with its rows one after the other: in tiles, for a cache line serves one row of one
    and a column of the other."""
    import numpy as np

    if data.ndim != 2 or data.flags.c_contiguous or not data.flags.f_contiguous:
        return data
    made = np.empty(data.shape, data.dtype)
    rows, columns = _TILE
    for first in range(0, data.shape[0], rows):
        for second in range(0, data.shape[1], columns):
            tile = (slice(first, first + rows), slice(second, second + columns))
            made[tile] = data[tile]
    return made


def of_leaf(shape: tuple[int, ...], axis: int | None, block: int | None, name: str) -> Grid:
    """The grid of a tensor of this shape, by its granularity. Raises InvalidModel."""
    total = prod(shape)
    if axis is None and block is None:
        return Grid((1, 1, total), (1, 1, 1), 1)
    if axis is None:  # blocks of the flattened tensor
        return _blocks(1, total, 1, block or 1)
    if not 0 <= axis < len(shape):
        raise InvalidModel(f"channels on axis {axis} of {len(shape)} dimensions", on=name)
    outer, along, inner = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
    if block is None:
        return Grid((outer, along, inner), (1, along, 1), 1)
    return _blocks(outer, along, inner, block)


def _blocks(outer: int, along: int, inner: int, block: int) -> Grid:
    size = max(1, min(block, along))
    return Grid((outer, along, inner), (outer, -(-along // size), inner), size)


class Extremes(NamedTuple):
    """Smallest and largest value of each group of elements that share a scale, as ``Grid.params``."""

    low: Array
    high: Array


def extremes(grid: Grid, data: Array) -> Extremes:
    """The extremes of ``data``, which is arranged in three dimensions; NaN where it has one."""
    import numpy as np

    low = np.full(grid.params, np.inf, data.dtype)
    high = np.full(grid.params, -np.inf, data.dtype)
    for slab in grid.slabs():
        part = np.ascontiguousarray(data[slab.data])
        for reduce, found in ((np.minimum, low), (np.maximum, high)):
            into = found[slab.params]
            reduce(into, _reduced(grid, reduce, part), out=into)
    return Extremes(low, high)


def _reduced(grid: Grid, reduce: Any, part: Array) -> Array:
    import numpy as np

    if grid.params == (1, 1, 1):
        return np.asarray(reduce.reduce(part, axis=None)).reshape(1, 1, 1)
    if grid.params[0] == 1 and grid.params[2] == 1 and grid.block == 1:
        found = reduce.reduce(part, axis=0) if part.shape[0] > 1 else part[0]
        found = reduce.reduce(found, axis=1) if found.shape[1] > 1 else found[:, 0]
        return np.asarray(found).reshape(1, -1, 1)
    return _by_block(grid.block, reduce, part)


def _by_block(block: int, reduce: Any, part: Array) -> Array:
    import numpy as np

    outer, along, inner = part.shape
    if along % block:
        starts = np.arange(0, along, block)
        return np.asarray(reduce.reduceat(part, starts, axis=1))
    if inner == 1:
        return np.asarray(reduce.reduce(part.reshape(outer, -1, block), axis=2)).reshape(outer, -1, 1)
    return np.asarray(reduce.reduce(part.reshape(outer, -1, block, inner), axis=2))
