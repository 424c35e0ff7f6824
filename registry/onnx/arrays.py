"""Constants as numpy arrays, without a copy where their bytes already lie as numpy wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.errors import InvalidModel
from registry.onnx import elements
from registry.onnx.content import Contents
from registry.onnx.ir import Tensor

if TYPE_CHECKING:
    import numpy as np

_NUMPY = {
    "FLOAT": "<f4",
    "UINT8": "u1",
    "INT8": "i1",
    "UINT16": "<u2",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "BOOL": "?",
    "FLOAT16": "<f2",
    "DOUBLE": "<f8",
    "UINT32": "<u4",
    "UINT64": "<u8",
}
_BY_NAME = {  # of ml_dtypes
    "BFLOAT16": "bfloat16",
    "FLOAT8E4M3FN": "float8_e4m3fn",
    "FLOAT8E4M3FNUZ": "float8_e4m3fnuz",
    "FLOAT8E5M2": "float8_e5m2",
    "FLOAT8E5M2FNUZ": "float8_e5m2fnuz",
    "FLOAT8E8M0": "float8_e8m0fnu",
}


def array(contents: Contents, tensor: Tensor) -> np.ndarray[Any, Any]:
    """The tensor's elements in its own shape; 4- and 2-bit integers as int8 or uint8, one to an element.

    Read-only where it is the file's own bytes. Raises InvalidModel for a type without numbers in numpy,
    or where the bytes are missing or not as many as the shape says.
    """
    import numpy as np

    kind, raw = elements.name(tensor.data_type), contents.raw(tensor)
    if kind in ("UINT4", "INT4", "UINT2", "INT2"):
        return unpack(np.frombuffer(raw, np.uint8), kind, tensor.elements).reshape(tensor.dims)
    return np.frombuffer(raw, dtype(kind, tensor.name)).reshape(tensor.dims)


def unpack(packed: np.ndarray[Any, Any], kind: str, count: int) -> np.ndarray[Any, Any]:
    """``count`` integers of 4 or 2 bits out of bytes, the first in the low bits (ONNX "Int4", "Int2")."""
    import numpy as np

    bits = elements.bits(elements.NUMBERS[kind])
    flat, to_a_byte = packed.reshape(-1), 8 // bits
    spread = np.empty(flat.size * to_a_byte, np.uint8)
    for at in range(to_a_byte):  # one pass for each place in a byte: numpy is slow along short rows
        np.bitwise_and(flat >> at * bits, (1 << bits) - 1, out=spread[at::to_a_byte])
    found = spread[:count]
    if elements.is_unsigned(kind):
        return found
    half = 1 << (bits - 1)
    return ((found ^ half).astype(np.int8) - half).astype(np.int8)


def dtype(kind: str, on: str) -> np.dtype[Any]:
    """The numpy type of an ONNX element type by name. Raises InvalidModel for one without numbers."""
    import numpy as np

    if kind in _NUMPY:
        return np.dtype(_NUMPY[kind])
    if kind in _BY_NAME:
        import ml_dtypes

        found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, _BY_NAME[kind]))
        return found
    raise InvalidModel(f"a constant of type {kind} has no numbers", on=on, hint="export the model again")
