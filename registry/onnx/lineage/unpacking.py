"""The numbers of a quantized constant, whichever way its operator packs them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from registry.errors import InvalidModel
from registry.onnx import arrays, elements
from registry.onnx.content import Contents
from registry.onnx.ir import Tensor

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


class Packed(Protocol):
    """What of a quantized constant says how it is packed (see ``leaves.QuantLeaf``)."""

    @property
    def name(self) -> str: ...
    @property
    def integers(self) -> Tensor: ...
    @property
    def scales(self) -> tuple[Tensor, ...]: ...
    @property
    def zero(self) -> Tensor | None: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def axis(self) -> int | None: ...
    @property
    def block_size(self) -> int | None: ...
    @property
    def layout(self) -> str: ...
    @property
    def bits(self) -> int: ...
    @property
    def contents(self) -> Contents: ...


def numbers(leaf: Packed) -> Array:
    """The integers in the leaf's logical shape. Raises InvalidModel."""
    held = arrays.array(leaf.contents, leaf.integers)
    if leaf.layout == "nbits":  # N rows, each filled up to whole blocks
        rows, columns = leaf.shape
        return _low_first(held, leaf.bits, leaf).reshape(rows, -1)[:, :columns]
    if leaf.layout == "gather":
        return _low_first(held, leaf.bits, leaf).reshape(leaf.shape)
    if leaf.layout == "bnb4":
        return _high_first(held)[: prod(leaf.shape)].reshape(leaf.shape)
    if leaf.layout == "lstm":  # directions x inputs x rows
        return held.transpose(0, 2, 1).reshape(leaf.shape)
    return held.reshape(leaf.shape)


def scale(leaf: Packed) -> Array:
    """The product of the leaf's scales, shaped by its granularity. Raises InvalidModel."""
    import numpy as np

    found = [arrays.array(leaf.contents, tensor) for tensor in leaf.scales]
    if not found:
        raise _wrong(leaf, "no constant scale")
    product = found[0]
    for other in found[1:]:
        product = product.reshape(-1) * other.reshape(-1)
    return np.asarray(product).reshape(_grid(leaf, product.size))


def zero_point(leaf: Packed) -> Array | None:
    """The leaf's zero points, shaped as its scale. Raises InvalidModel."""
    if leaf.zero is None:
        return None
    held = arrays.array(leaf.contents, leaf.zero)
    if leaf.layout in ("nbits", "gather") and leaf.zero.data_type == elements.UINT8 and leaf.bits < 8:
        *outer, last = _grid(leaf, None)
        held = _low_first(held, leaf.bits, leaf).reshape(*outer, -1)[..., :last]
        return held
    return held.reshape(_grid(leaf, held.size))


def _grid(leaf: Packed, size: int | None) -> tuple[int, ...]:
    """The shape that scale and zero point have."""
    if size == 1 and leaf.block_size is None:
        return ()
    if leaf.layout == "bnb4" or leaf.axis is None or leaf.block_size is None:
        return (-1,)
    grid = list(leaf.shape)
    grid[leaf.axis] = -(-grid[leaf.axis] // leaf.block_size)
    if size is not None and size != prod(grid):
        raise _wrong(leaf, f"{size} scales or zero points for {prod(grid)} blocks")
    return tuple(grid)


def _low_first(held: Array, bits: int, leaf: Packed) -> Array:
    """Bytes as the numbers packed in them, the first in the low bits."""
    import numpy as np

    if bits == 8:
        return held.reshape(-1)
    if bits not in (2, 4) or held.dtype != np.uint8:
        raise _wrong(leaf, f"{bits} bits in {held.dtype}")
    return arrays.unpack(held, f"UINT{bits}", held.size * 8 // bits)


def _high_first(held: Array) -> Array:
    import numpy as np

    flat = held.reshape(-1)
    found = np.empty(flat.size * 2, np.uint8)
    found[0::2] = flat >> 4
    found[1::2] = flat & 15
    return found


def _wrong(leaf: Packed, what: str) -> InvalidModel:
    return InvalidModel(f"a quantized constant with {what}", on=leaf.name, hint="export the model again")
