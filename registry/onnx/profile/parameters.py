"""Statistics of scales and zero points: of each its constant, read once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.onnx import elements
from registry.onnx.arrays import array, unpack
from registry.onnx.content import Contents
from registry.onnx.entries import Evidence, middle_of
from registry.onnx.ir import Tensor
from registry.onnx.operators import GATHER, MIXTURE, NBITS, qualified
from registry.onnx.profile.values import Scales, ZeroPoints
from registry.onnx.quantization import QuantizedTensor

if TYPE_CHECKING:
    import numpy as np

_PACKING = frozenset(qualified(key) for key in (NBITS, GATHER, MIXTURE))


def scales(contents: Contents, evidence: Evidence) -> Scales | None:
    """None where the runtime computes them, or the tensor has none. Raises InvalidModel."""
    import numpy as np

    if evidence.scale is None:
        return None
    numbers = array(contents, evidence.scale).ravel()
    if numbers.size == 1 and numbers[0] > 0 and np.isfinite(numbers[0]):
        one = float(numbers[0])  # of most activations
        return Scales(1, one, one, one, 0, 0, 0)
    finite = np.isfinite(numbers)
    good = numbers if finite.all() else numbers[finite]
    some = good.size > 0
    return Scales(
        count=numbers.size,
        minimum=float(good.min()) if some else None,
        maximum=float(good.max()) if some else None,
        median=_median(good) if some else None,
        zero=int(np.count_nonzero(good == 0)),
        negative=int(np.count_nonzero(good < 0)),
        not_finite=int(numbers.size - good.size),
    )


def _median(numbers: np.ndarray[Any, Any]) -> float:
    """The lower of the two middle ones where there are two: a scale that occurs."""
    import numpy as np

    middle = (numbers.size - 1) // 2
    return float(np.partition(numbers, middle)[middle])


def zero_points(contents: Contents, tensor: QuantizedTensor, evidence: Evidence) -> ZeroPoints | None:
    """None where the runtime computes them, or the type has none. Raises InvalidModel."""
    import numpy as np

    if evidence.computed_zero or tensor.type in ("NF4", "FP4"):
        return None
    if evidence.zero is None:
        implied = middle_of(tensor.type) if tensor.operator in _PACKING else 0
        return ZeroPoints(0, 1, implied, implied)
    numbers = _numbers(contents, tensor, evidence.zero, evidence.scale)
    if not numbers.size:
        return ZeroPoints(0, 0, 0, 0)
    if numbers.size == 1:
        return ZeroPoints(1, 1, _plain(numbers[0]), _plain(numbers[0]))
    return ZeroPoints(numbers.size, np.unique(numbers).size, _plain(numbers.min()), _plain(numbers.max()))


def _numbers(
    contents: Contents, tensor: QuantizedTensor, zero: Tensor, scale: Tensor | None
) -> np.ndarray[Any, Any]:
    if tensor.operator not in _PACKING or tensor.bits >= 8 or zero.data_type != elements.UINT8:
        return array(contents, zero).ravel()
    return _unpacked(contents, tensor, zero, scale)


def _unpacked(
    contents: Contents, tensor: QuantizedTensor, zero: Tensor, scale: Tensor | None
) -> np.ndarray[Any, Any]:
    """Zero points packed like the weights: each row of them starts with a byte of its own."""
    import numpy as np

    packed = np.frombuffer(contents.raw(zero), np.uint8)
    row = _row(tensor, scale)
    width = -(-row * tensor.bits // 8)  # bytes
    if not packed.size or packed.size % width:
        return unpack(packed, tensor.type, packed.size * 8 // tensor.bits)
    lines = unpack(packed, tensor.type, packed.size * 8 // tensor.bits).reshape(packed.size // width, -1)
    return lines[:, :row].ravel()


def _row(tensor: QuantizedTensor, scale: Tensor | None) -> int:
    """Numbers in one row: as many as blocks lie side by side."""
    if tensor.operator == qualified(NBITS) and tensor.shape and tensor.block_size:
        return -(-tensor.shape[0] // tensor.block_size)
    return max(1, scale.dims[-1]) if scale is not None and scale.dims else 1


def _plain(number: Any) -> float:
    """An int where it is one; what is no number counts as 0."""
    value = float(number)
    if value != value or value in (float("inf"), float("-inf")):
        return 0
    return int(value) if value == int(value) else value
