"""One pass over the weights: numbers that are none. Each byte is read once, a piece at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from registry.errors import InvalidModel, UnsafePath
from registry.onnx import elements
from registry.onnx.external import locate
from registry.onnx.findings import Rule
from registry.onnx.ir import Tensor
from registry.onnx.scan import outside
from registry.onnx.scan.subject import Subject

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

PIECE: Final = 1 << 18  # elements looked at together: they stay in the processor's cache
_KINDS = {"FLOAT": "<f4", "DOUBLE": "<f8", "FLOAT16": "<f2"}


def check(subject: Subject) -> None:
    """Report constants with NaN or infinite numbers. What two tensors share is read once."""
    if outside.OVERLAP.code in subject.found.codes:
        return  # the same bytes would be read as often as somebody likes
    seen: set[tuple[object, ...]] = set()
    sizes = {name: len(view) for name, view in subject.views.items()}
    for tensor in subject.model.tensors():
        kind = elements.name(tensor.data_type)
        if kind in _KINDS or kind == "BFLOAT16":
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
    nans = infinite = 0
    if kind == "BFLOAT16":
        high = np.frombuffer(raw, "<u2") & np.uint16(0x7FFF)
        nans, infinite = int((high > 0x7F80).sum()), int((high == 0x7F80).sum())
    else:
        numbers = np.frombuffer(raw, _KINDS[kind])
        for at in range(0, numbers.size, PIECE):
            piece = numbers[at : at + PIECE]
            if not np.isfinite(piece).all():
                nans += int(np.isnan(piece).sum())
                infinite += int(np.isinf(piece).sum())
    if nans:
        subject.found.add(NAN, tensor.name, f"{nans} of {tensor.elements} numbers")
    if infinite:
        subject.found.add(INFINITE, tensor.name, f"{infinite} of {tensor.elements} numbers")
