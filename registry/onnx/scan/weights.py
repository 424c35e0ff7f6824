"""One pass over the weights: numbers that are none. Each byte is read once, a piece at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from registry.errors import InvalidModel, UnsafePath
from registry.onnx import elements
from registry.onnx.external import locate
from registry.onnx.findings import Rule
from registry.onnx.ir import Tensor
from registry.onnx.scan import outside
from registry.onnx.scan.subject import Subject

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NAN: Final = Rule(
    "weight-nan",
    "medium",
    "weights that are not a number",
    "Training or a conversion failed, or the 22 bits that a NaN leaves free carry something.",
)
INFINITE: Final = Rule(
    "weight-infinite",
    "info",
    "infinite constants",
    "Attention masks hold them on purpose; as weights they make every answer infinite or NaN.",
)
RULES: Final = (NAN, INFINITE)

PIECE: Final = 1 << 16  # elements looked at together: they stay in the processor's cache
_KINDS = {"FLOAT": "<f4", "DOUBLE": "<f8", "FLOAT16": "<u2", "BFLOAT16": "<u2"}
_EXPONENTS = {"FLOAT16": 0x7C00, "BFLOAT16": 0x7F80}  # all ones: NaN or infinite


def check(subject: Subject) -> None:
    """Report constants with NaN or infinite numbers. What two tensors share is read once."""
    if outside.OVERLAP.code in subject.found.codes:
        return  # the same bytes would be read as often as somebody likes
    seen: set[tuple[object, ...]] = set()
    sizes = {name: len(view) for name, view in subject.views.items()}
    for tensor in subject.model.tensors():
        kind = elements.name(tensor.data_type)
        if kind in _KINDS:
            try:
                where = _where(subject, tensor, sizes)
            except (InvalidModel, UnsafePath):
                continue  # reported where external data is looked at
            if where not in seen:
                seen.add(where)
                _look(subject, tensor, kind)


def _where(subject: Subject, tensor: Tensor, sizes: Mapping[str, int]) -> tuple[object, ...]:
    if tensor.external is None:
        return tensor.span
    return (*locate(tensor, tensor.external, subject.path, sizes), tensor.data_type)


def _look(subject: Subject, tensor: Tensor, kind: str) -> None:
    import numpy as np

    try:
        raw = subject.contents.raw(tensor)
    except (InvalidModel, UnsafePath):
        return  # reported where storage is looked at
    count = _halves if kind in _EXPONENTS else _floats
    numbers = np.frombuffer(raw, _KINDS[kind])
    nans = infinite = 0
    for at in range(0, numbers.size, PIECE):
        found = count(numbers[at : at + PIECE], _EXPONENTS.get(kind, 0))
        nans, infinite = nans + found[0], infinite + found[1]
    if nans:
        subject.found.add(NAN, tensor.name, f"{nans} of {tensor.elements} numbers")
    if infinite:
        subject.found.add(INFINITE, tensor.name, f"{infinite} of {tensor.elements} numbers")


def _floats(piece: Array, _: int) -> tuple[int, int]:
    """How many are NaN, and how many infinite."""
    import numpy as np

    if np.isfinite(piece).all():
        return 0, 0
    return int(np.isnan(piece).sum()), int(np.isinf(piece).sum())


def _halves(piece: Array, exponent: int) -> tuple[int, int]:
    """The same of 16 bits, taken as integers: numpy would convert each one first."""
    special = (piece & exponent) == exponent
    if not special.any():
        return 0, 0
    nans = int((special & ((piece & (0x7FFF ^ exponent)) != 0)).sum())
    return nans, int(special.sum()) - nans
