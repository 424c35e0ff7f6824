"""Quantized operands and results of operators that bring their own scales and zero points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.onnx.lineage import sums
from registry.onnx.lineage.calls import Call, Unliftable
from registry.onnx.lineage.dequantizing import channel_axis, checked, dequantized, fake, tensor_of
from registry.onnx.lineage.normal import normal
from registry.onnx.lineage.terms import CONST, INTEGERS, Params, Term


def operand(call: Call, value: int, scale: int, zero: int, axis: int = -1) -> Term:
    """The float term of a quantized operand. Raises Unliftable."""
    params = Params(call.arg(scale), call.arg(zero), "", axis, None, call.operator)
    return dequantized(call.terms, call.arg(value), params)


def quantized(call: Call, term: Term, scale: int, zero: int) -> list[Term]:
    """The operator's output as integers; float where it has no scale for it."""
    if call.arg(scale) is None:
        return [term]
    return [integers(call, term, call.arg(scale), call.arg(zero), {})]


def integers(call: Call, term: Term, scale: Term | None, zero: Term | None, attrs: Mapping[str, Any]) -> Term:
    """Integers of ``term``. Raises Unliftable for a scale that is neither a constant nor computed from it."""
    written = attrs.get("axis", 1)
    axis = channel_axis(scale, written if isinstance(written, int) else 1)
    kind = zero.payload.kind if zero is not None and zero.op == CONST else "UINT8"
    made = call.terms.make(INTEGERS, (term, scale, zero), {"kind": kind, "axis": axis})
    if scale is None or (tensor_of(scale) is None and not sums.computed(made)):
        raise Unliftable("scale")
    return made


def while_running(call: Call, term: Term | None) -> Term:
    """A value that the operator itself quantizes as it runs. Raises Unliftable."""
    params = Params(None, None, "UINT8", None, None, call.operator, dynamic=True)
    return fake(call.terms, checked(term), params, "")


def added(call: Call, product: Term, added: Term | None) -> list[Term]:
    """The product with what is added to it, if anything is."""
    return [product] if added is None else normal(call.plain("Add", (product, added), {}))
