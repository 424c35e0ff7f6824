"""Counts how often each level of a quantized type occurs, reading each stored byte once.

The unit of counting is the byte: a histogram of 256 bytes folds into those of two 4-bit or four 2-bit
numbers, so that nothing is ever unpacked. Memory is bounded by the chunk, whatever the tensor's size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.errors import InvalidModel
from registry.onnx import elements
from registry.onnx.content import Contents
from registry.onnx.entries import middle_of
from registry.onnx.ir import Tensor
from registry.onnx.operators import NBITS, qualified
from registry.onnx.profile.codes import codes_of, is_coded
from registry.onnx.profile.values import End, Levels
from registry.onnx.quantization import QuantizedTensor

if TYPE_CHECKING:
    import numpy as np

    from registry.onnx.profile.values import Counts, Values

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_CHUNK = 1 << 20  # numbers counted at once: bincount makes 8 bytes of each
_PAIRS = 1 << 18  # bytes from which on counting two at a time is faster
_COUNTED = 16  # bits: types with more have too many levels to count
_BINS = 256  # of a histogram that is kept: one for each level, but for types of 16 bits
_TYPED = 1 << 20  # elements written one by one as varints: more are not unpacked


def levels(contents: Contents, tensor: QuantizedTensor, constant: Tensor) -> Levels | None:
    """The levels of a stored tensor; None where they cannot be counted.

    Raises InvalidModel where the bytes are missing, or not as many as the shape needs.
    """
    import numpy as np

    if not is_coded(tensor.type) or (constant.typed and constant.elements > _TYPED):
        return None
    data = np.frombuffer(contents.raw(constant), np.uint8)
    if tensor.bits > _COUNTED:
        return _wide(tensor, data)
    counts = _codes(tensor, constant, data)
    return _summed(tensor, counts)


def _summed(tensor: QuantizedTensor, by_code: Counts) -> Levels:
    """Levels from how often each code occurs."""
    import numpy as np

    plain = int if "INT" in tensor.type else float
    order, values = codes_of(tensor.type)
    counts = by_code[order]
    total = int(counts.sum())
    ends = tuple(End(plain(values[at]), int(counts[at])) for at in _ends(values, tensor))
    there = np.flatnonzero(counts)
    return Levels(
        used=len(there),
        possible=len(values),
        minimum=plain(values[there[0]]) if total else None,
        maximum=plain(values[there[-1]]) if total else None,
        saturation=sum(end.count for end in ends) / total if total else 0.0,
        ends=ends,
        values=values[:: max(1, len(values) // _BINS)],
        counts=counts if len(counts) <= _BINS else counts.reshape(_BINS, -1).sum(1),
    )


def _ends(values: Values, tensor: QuantizedTensor) -> tuple[int, ...]:
    """Positions of the levels at the ends, and of the highest one's mirror image if that is another."""
    last = len(values) - 1
    middle = middle_of(tensor.type)
    uneven = tensor.symmetric and "INT" in tensor.type and values[0] + values[last] != 2 * middle
    return (0, 1, last) if uneven and last > 1 else (0, last)


def _codes(tensor: QuantizedTensor, constant: Tensor, data: Bytes) -> Counts:
    if tensor.bits == _COUNTED:
        return _histogram(data.view("<u2"), 1 << _COUNTED)
    counts = folded(byte_counts(data), tensor.bits)
    if tensor.operator == qualified(NBITS):
        return counts - _nbits_padding(tensor, data)
    numbers = elements.count(tensor.shape or (), tensor.name)
    packed = len(data) * 8 // tensor.bits
    spare = packed - numbers
    if not 0 <= spare < 8 // tensor.bits:
        raise _unfilled(tensor)
    if spare:  # the last byte is not full
        first = tensor.type in ("NF4", "FP4")  # which number of a pair lies in the high bits
        kept = 8 - spare * tensor.bits
        last = int(data[-1])
        rest = (last & ((1 << (8 - kept)) - 1)) if first else last >> kept
        for code in _split(rest, tensor.bits, spare):
            counts[code] -= 1
    return counts


def _split(rest: int, bits: int, count: int) -> list[int]:
    return [rest >> bits * at & ((1 << bits) - 1) for at in range(count)]


def _nbits_padding(tensor: QuantizedTensor, data: Bytes) -> Counts:
    """What fills up the last block of each column (MatMulNBits: B is [N, blocks, bytes of a block])."""
    import numpy as np

    rows, columns = tensor.shape or (0, 0)
    block = tensor.block_size or 1
    blocks, width = -(-rows // block), block * tensor.bits // 8
    if len(data) != columns * blocks * width:
        raise _unfilled(tensor)
    none = np.zeros(1 << tensor.bits, np.int64)
    inside = rows - (blocks - 1) * block  # numbers of the last block that are weights
    if inside == block or not columns:
        return none
    tail = data.reshape(columns, blocks, width)[:, -1]
    whole = -(-inside * tensor.bits // 8)
    padding = folded(byte_counts(tail[:, whole:].ravel()), tensor.bits)
    if left := inside * tensor.bits % 8:  # bits of the shared byte that are weights
        shared = byte_counts((tail[:, whole - 1] >> left).astype(np.uint8))
        spare = folded(shared, tensor.bits)
        spare[0] -= columns * (left // tensor.bits)  # the shift brought zeros in
        padding = padding + spare
    return padding


def byte_counts(data: Bytes) -> Counts:
    """How often each of the 256 bytes occurs."""
    if len(data) < _PAIRS:
        return _histogram(data, 256)
    even = len(data) & ~1
    pairs = _histogram(data[:even].view("<u2"), 1 << 16).reshape(256, 256)
    counts: Counts = pairs.sum(0) + pairs.sum(1) + _histogram(data[even:], 256)
    return counts


def folded(counts: Counts, bits: int) -> Counts:
    """Counts of bytes as counts of the ``bits``-bit numbers in them."""
    if bits == 8:
        return counts
    each = 8 // bits
    cube = counts.reshape((1 << bits,) * each)
    total: Counts = sum(cube.sum(axis=tuple(at for at in range(each) if at != kept)) for kept in range(each))
    return total


def _histogram(numbers: np.ndarray[Any, Any], size: int) -> Counts:
    import numpy as np

    counts: Counts = np.zeros(size, np.int64)
    for at in range(0, len(numbers), _CHUNK):
        counts += np.bincount(numbers[at : at + _CHUNK], minlength=size)
    return counts


def _wide(tensor: QuantizedTensor, data: Bytes) -> Levels:
    """Integers of 32 bits and more: the ends only."""
    import numpy as np

    kind = np.iinfo(np.dtype(tensor.type.lower()))
    numbers = data.view(np.dtype(kind.dtype).newbyteorder("<"))
    ends = tuple(End(end, int(np.count_nonzero(numbers == end))) for end in (int(kind.min), int(kind.max)))
    return Levels(
        used=None,
        possible=1 << tensor.bits,
        minimum=int(numbers.min()) if len(numbers) else None,
        maximum=int(numbers.max()) if len(numbers) else None,
        saturation=sum(end.count for end in ends) / len(numbers) if len(numbers) else 0.0,
        ends=ends,
    )


def _unfilled(tensor: QuantizedTensor) -> InvalidModel:
    return InvalidModel(
        "packed weights are not as many bytes as their shape needs",
        on=tensor.name,
        hint="export the model again",
    )
