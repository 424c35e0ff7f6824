"""Element types of ONNX tensors (onnx.proto, TensorProto.DataType): names and sizes."""

from __future__ import annotations

from registry.errors import InvalidModel

FLOAT, UINT8, INT8, INT32, INT64, STRING, FLOAT16, DOUBLE = 1, 2, 3, 6, 7, 8, 10, 11

_TABLE: dict[int, tuple[str, int]] = {  # number: (name, bits of one element)
    1: ("FLOAT", 32),
    2: ("UINT8", 8),
    3: ("INT8", 8),
    4: ("UINT16", 16),
    5: ("INT16", 16),
    6: ("INT32", 32),
    7: ("INT64", 64),
    8: ("STRING", 0),
    9: ("BOOL", 8),
    10: ("FLOAT16", 16),
    11: ("DOUBLE", 64),
    12: ("UINT32", 32),
    13: ("UINT64", 64),
    14: ("COMPLEX64", 64),
    15: ("COMPLEX128", 128),
    16: ("BFLOAT16", 16),
    17: ("FLOAT8E4M3FN", 8),
    18: ("FLOAT8E4M3FNUZ", 8),
    19: ("FLOAT8E5M2", 8),
    20: ("FLOAT8E5M2FNUZ", 8),
    21: ("UINT4", 4),
    22: ("INT4", 4),
    23: ("FLOAT4E2M1", 4),
    24: ("FLOAT8E8M0", 8),
    25: ("UINT2", 2),
    26: ("INT2", 2),
}
NUMBERS = {name: number for number, (name, _) in _TABLE.items()}
MAX_ELEMENTS = 1 << 53  # elements of one tensor: what RFC 8785 can write as an integer


def name(number: int) -> str:
    """The type's ONNX name; "UNDEFINED" for a number that this release does not know."""
    return _TABLE[number][0] if number in _TABLE else "UNDEFINED"


def bits(number: int) -> int:
    """Bits of one element; 0 where elements have no fixed size or the type is not known."""
    return _TABLE[number][1] if number in _TABLE else 0


def is_float(number: int) -> bool:
    """Whether this is a floating-point type of 16 bits or more."""
    return number in (1, 10, 11, 16)


def is_unsigned(type_name: str) -> bool:
    """Whether the integer type has no negative values."""
    return type_name.startswith("UINT")


def count(dims: tuple[int, ...], on: str) -> int:
    """Elements of a tensor of this shape (1 for a scalar). Raises InvalidModel on overflow."""
    total = 1
    for dim in dims:
        if dim < 0 or dim > MAX_ELEMENTS:
            raise InvalidModel(f"impossible dimension {dim}", on=on, hint="export the model again")
        total *= dim
        if total > MAX_ELEMENTS:
            raise InvalidModel("the tensor's shape overflows", on=on, hint="export the model again")
    return total


def size(number: int, elements: int) -> int | None:
    """Bytes that so many elements take when stored raw (4- and 2-bit ones packed); None if unknown."""
    width = bits(number)
    return (elements * width + 7) // 8 if width else None
