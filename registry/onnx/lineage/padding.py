"""What fills up the last byte or block of packed numbers: nobody computes with it, so nothing hides there."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from registry.onnx import elements
from registry.onnx.arrays import array, unpack
from registry.onnx.ir import Tensor
from registry.onnx.lineage.leaves import QuantLeaf
from registry.onnx.lineage.tables import encode

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


def padded_oddly(leaf: QuantLeaf) -> str:
    """What is wrong with the leaf's padding, "" where nothing is. It must be all 0, or all the code of 0.

    Raises InvalidModel.
    """
    if leaf.layout == "nbits":
        return _rows(leaf) or _zero_points(leaf)
    if leaf.layout == "bnb4":
        return _last_code(leaf)
    for tensor in (leaf.integers, leaf.zero):
        if tensor is not None and _tail(leaf, tensor):
            return "the last byte of packed numbers is filled up with something else than 0"
    return ""


def _rows(leaf: QuantLeaf) -> str:
    """Rows of MatMulNBits end with a whole block."""
    import numpy as np

    count, length = leaf.shape
    held = array(leaf.contents, leaf.integers).reshape(count, -1)
    first = length * leaf.bits // 8  # the byte where a row's padding may begin
    tail = np.ascontiguousarray(held[:, first:])
    rest = _unpacked(tail, leaf.bits).reshape(count, -1)[:, length - first * 8 // leaf.bits :]
    if not rest.size or not rest.any():
        return ""
    zero = leaf.zero_point()
    middle: Any = 1 << leaf.bits - 1
    last = middle if zero is None else zero.reshape(count, -1)[:, -1:]
    return (
        ""
        if np.array_equal(rest, np.broadcast_to(last, rest.shape))
        else "a last block is filled up with numbers"
    )


def _zero_points(leaf: QuantLeaf) -> str:
    """So do rows of packed zero points with a whole byte: with 0, or with the middle."""
    if leaf.zero is None or leaf.zero.data_type != elements.UINT8 or leaf.bits == 8:
        return ""
    blocks = -(-leaf.shape[1] // (leaf.block_size or 1))
    rest = _unpacked(array(leaf.contents, leaf.zero), leaf.bits).reshape(leaf.shape[0], -1)[:, blocks:]
    plain = not rest.size or bool((rest == 0).all()) or bool((rest == 1 << leaf.bits - 1).all())
    return "" if plain else "zero points are filled up with numbers"


def _last_code(leaf: QuantLeaf) -> str:
    """MatMulBnb4 packs two codes to a byte, the first in the high bits."""
    import numpy as np

    if prod(leaf.shape) % 2 == 0:
        return ""
    last = int(array(leaf.contents, leaf.integers).reshape(-1)[-1]) & 15
    zero = int(encode(leaf.kind, np.zeros(1, np.float32))[0])
    return "" if last in (0, zero) else "the last byte of codes is filled up with another code"


def _tail(leaf: QuantLeaf, tensor: Tensor) -> bool:
    """Whether the unused high bits of the last byte of 4- or 2-bit integers are not 0."""
    bits = elements.bits(tensor.data_type)
    used = tensor.elements * bits % 8
    return bits < 8 and used > 0 and leaf.contents.raw(tensor)[-1] >> used > 0


def _unpacked(held: Array, bits: int) -> Array:
    return held.reshape(-1) if bits == 8 else unpack(held, f"UINT{bits}", held.size * 8 // bits)
