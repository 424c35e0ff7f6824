"""What the codes of quantized types stand for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.onnx import elements
from registry.onnx.entries import bits_of

if TYPE_CHECKING:
    import numpy as np

    from registry.onnx.profile.values import Values

    Order = np.ndarray[tuple[int], np.dtype[Any]]

# The sixteen values of bitsandbytes' two types, by code, as ONNX Runtime's MatMulBnb4 reads them.
_NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
_FP4_HALF = (0.0, 0.0052083333, 0.6666667, 1.0, 0.33333333, 0.5, 0.16666667, 0.25)
_FP4 = (*_FP4_HALF, *(-value for value in _FP4_HALF))
_MINI = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # FLOAT4E2M1 (ONNX "Float stored in 4 bits")
_EIGHT = {  # of ml_dtypes
    "FLOAT8E4M3FN": "float8_e4m3fn",
    "FLOAT8E4M3FNUZ": "float8_e4m3fnuz",
    "FLOAT8E5M2": "float8_e5m2",
    "FLOAT8E5M2FNUZ": "float8_e5m2fnuz",
    "FLOAT8E8M0": "float8_e8m0fnu",
}


def is_coded(kind: str) -> bool:
    """Whether a type's values are levels: an integer, or a float of at most 8 bits."""
    return kind in ("NF4", "FP4", "FLOAT4E2M1", *_EIGHT) or kind.startswith(("INT", "UINT"))


class Codes(NamedTuple):
    """``codes`` in the order of the finite ``values`` that they stand for."""

    codes: Order
    values: Values


@cache
def codes_of(kind: str) -> Codes:
    """The codes of a type of at most 16 bits. One for all who ask: nobody may write into it."""
    import numpy as np

    values = _values(kind)
    order = np.argsort(values, kind="stable")
    order = order[np.isfinite(values[order])]
    return Codes(order, values[order])


def _values(kind: str) -> Values:
    """The number that each code stands for, by code; not all need be finite."""
    import numpy as np

    tables = {"NF4": _NF4, "FP4": _FP4, "FLOAT4E2M1": (*_MINI, *(-value for value in _MINI))}
    if kind in tables:
        return np.array(tables[kind], np.float64)
    codes = np.arange(1 << bits_of(kind))
    if kind in _EIGHT:
        import ml_dtypes

        found: Values = codes.astype(np.uint8).view(getattr(ml_dtypes, _EIGHT[kind])).astype(np.float64)
        return found
    if elements.is_unsigned(kind):
        return codes.astype(np.float64)
    half = len(codes) // 2
    return ((codes ^ half) - half).astype(np.float64)
