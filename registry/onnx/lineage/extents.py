"""Dimensions that may be unknown: a number, or a token that only equals itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from math import prod
from typing import TypeAlias

Extent: TypeAlias = Hashable  # an int, or a token
Extents: TypeAlias = tuple[Extent, ...]


def broadcast(one: Extents, other: Extents, fresh: Hashable) -> Extents:
    """The shape of an elementwise result; what is not certain is a token of ``fresh``."""
    rank = max(len(one), len(other))
    first, second = ((1,) * (rank - len(shape)) + shape for shape in (one, other))
    pairs = enumerate(zip(first, second, strict=True))
    return tuple(_wider(a, b, (fresh, at)) for at, (a, b) in pairs)


def _wider(one: Extent, other: Extent, fresh: Hashable) -> Extent:
    if one == other or other == 1:
        return one
    if one == 1 or (isinstance(other, int) and not isinstance(one, int)):
        return other
    return one if isinstance(one, int) else fresh


def total(shape: Iterable[Extent]) -> tuple[int, Counter[Extent]]:
    """The product: its number, and the tokens in it."""
    dims = list(shape)
    numbers = [dim for dim in dims if isinstance(dim, int)]
    return prod(numbers), Counter(dim for dim in dims if not isinstance(dim, int))


def product(shape: Iterable[Extent], fresh: Hashable) -> Extent:
    """The product as one extent."""
    return _single(*total(shape), fresh)


def _single(number: int, tokens: Counter[Extent], fresh: Hashable) -> Extent:
    left = list(tokens.elements())
    if not left:
        return number
    return left[0] if len(left) == 1 and number == 1 else fresh


def reshaped(source: Extents, wanted: Extents, keep_zero: bool, fresh: Hashable) -> Extents | None:
    """The result of Reshape: 0 copies, -1 is what is left; None where it cannot be."""
    made = [
        source[at] if dim == 0 and not keep_zero and at < len(source) else dim
        for at, dim in enumerate(wanted)
    ]
    if made.count(-1) > 1:
        return None
    if -1 in made:
        at = made.index(-1)
        made[at] = _quotient(source, (dim for dim in made if dim != -1), (fresh, at))
    return tuple(made)


def _quotient(whole: Extents, parts: Iterable[Extent], fresh: Hashable) -> Extent:
    number, tokens = total(whole)
    divisor, taken = total(parts)
    if not divisor or number % divisor or taken - tokens:
        return fresh
    return _single(number // divisor, tokens - taken, fresh)


def window(size: Extent, kernel: int, stride: int, dilation: int, pads: int, fresh: Hashable) -> Extent:
    """The extent behind a convolution or pool, rounded down."""
    rest = pads - dilation * (kernel - 1)
    if isinstance(size, int):
        return (size + rest - 1) // stride + 1
    return size if stride == 1 and rest == 0 else fresh
