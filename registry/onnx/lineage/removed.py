"""Activations that a static quantizer drops because the integers behind them cannot say anything else."""

from __future__ import annotations

from collections.abc import Iterable

from registry.onnx.lineage.folding import small
from registry.onnx.lineage.opsets import scalar
from registry.onnx.lineage.terms import Params, Term

_BITS = {"INT8": 8, "UINT8": 8, "INT16": 16, "UINT16": 16, "INT4": 4, "UINT4": 4}


def implied(term: Term, marks: Iterable[Params]) -> bool:
    """Whether a Relu or Clip of the parent changes nothing that is quantized by one of ``marks``: no
    integer stands for a number outside its bounds (by more than one step at a Clip's bounds, where the
    calibrated range is rounded to integers)."""
    low, high = _bounds(term)
    if (low is None and high is None) or term.arg(0) is None:
        return False
    return any(_within(mark, low, high, exact=term.op == "Relu") for mark in marks)


def _bounds(term: Term) -> tuple[float | None, float | None]:
    if term.op == "Relu":
        return 0.0, None
    if term.op != "Clip" or any(arg is not None for arg in term.args[1:]):
        return None, None
    return term.attr("min"), term.attr("max")


def _within(mark: Params, low: float | None, high: float | None, *, exact: bool) -> bool:
    step, zero = scalar(mark.scale), _zero(mark)
    if mark.kind not in _BITS or step is None or zero is None or not step > 0:
        return False
    bits = _BITS[mark.kind]
    first = 0 if mark.kind.startswith("U") else -(1 << (bits - 1))
    lowest, highest = (first - zero) * step, (first + (1 << bits) - 1 - zero) * step
    room = 0.0 if exact else float(step)
    return (low is None or lowest >= low - room) and (high is None or highest <= high + room)


def _zero(mark: Params) -> int | None:
    if mark.zero is None:
        return 0
    found = small(mark.zero)
    whole = found is not None and found.size == 1 and found.dtype.kind in "iu"
    return int(found.reshape(-1)[0]) if whole and found is not None else None
