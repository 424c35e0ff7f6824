"""Integer products whose scales come after them: MatMulInteger or ConvInteger, Cast, Mul by both scales.

Also the scales that older dynamic quantization computes from a value's extremes with plain operators.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from registry.onnx import elements
from registry.onnx.lineage.calls import Call, Unliftable
from registry.onnx.lineage.dequantizing import dequantized
from registry.onnx.lineage.normal import normal
from registry.onnx.lineage.opsets import scalar
from registry.onnx.lineage.terms import CONST, INTEGERS, Params, Term

_SUMS = {"MatMulInteger": "MatMul", "ConvInteger": "Conv"}
_FACTORS = 4  # operands of nested products


def scaled(call: Call) -> list[Term] | None:
    """The float product that this Mul completes, None where it completes none."""
    factors = [factor for arg in call.args if arg is not None for factor in _factors(arg, 2)]
    products = [factor for factor in factors if _product(factor) is not None]
    if len(products) != 1 or len(factors) != 3:
        return None
    product = _product(products[0])
    assert product is not None
    scales = [factor for factor in factors if factor is not products[0]]
    if any(_kind(scale) not in (None, products[0].attr("to")) for scale in scales):
        return None
    for first, second in permutations(scales):
        try:
            return _lifted(call, product, first, second)
        except Unliftable:
            continue
    return None


def _kind(scale: Term) -> int | None:
    """A constant scale's type, which the Cast must have, too."""
    return elements.NUMBERS.get(scale.payload.kind) if scale.op == CONST else None


def _factors(term: Term, depth: int) -> Iterator[Term]:
    if term.op != "Mul" or not depth:
        yield term
        return
    for arg in term.args:
        if arg is not None:
            yield from _factors(arg, depth - 1)


def _product(term: Term) -> Term | None:
    """The integer product behind a Cast to float."""
    floating = term.op == "Cast" and elements.is_float(term.attr("to", 0)) and len(term.attrs) == 1
    inner = term.arg(0) if floating else None
    return inner if inner is not None and inner.op in _SUMS else None


def _lifted(call: Call, product: Term, first: Term, second: Term) -> list[Term]:
    operator = f"ai.onnx.{product.op}"
    axis = 0 if product.op == "ConvInteger" else -1
    sides = []
    for at, (scale, channels) in enumerate(((first, 0), (second, axis))):
        params = Params(scale, product.arg(at + 2), "", channels, None, operator)
        sides.append(dequantized(call.terms, product.arg(at), params))
    return normal(call.plain(_SUMS[product.op], tuple(sides), dict(product.attrs)))


def computed(term: Term) -> bool:
    """Whether integers have scale and zero point computed from the value itself, as a quantizer does it.

    UINT8: (max - min) / 255 and floor(-min / scale); INT8: max(|min|, |max|) / 127 (or 127.5) and 0.
    """
    if term.op != INTEGERS:
        return False
    source, scale, zero = (term.arg(at) for at in range(3))
    if source is None or scale is None or scale.op != "Div" or scale.arg(0) is None:
        return False
    top, range_ = scale.first, scalar(scale.arg(1))
    if top.op == "Max" and range_ in (127.0, 127.5):
        sides = [arg.arg(0) if arg is not None and arg.op == "Abs" else None for arg in top.args]
        return _extremes(sides, source) and scalar(zero) == 0
    if top.op == "Sub" and range_ == 255.0:
        return _extremes(list(reversed(top.args)), source) and _from_lowest(zero, top.arg(1), scale)
    return False


def _extremes(sides: list[Term | None], source: Term) -> bool:
    """Lowest, then highest number of the whole value."""
    wanted = ("ReduceMin", "ReduceMax")
    return len(sides) == 2 and all(
        side is not None and side.op == op and side.args == (source,) and dict(side.attrs) == {"keepdims": 0}
        for side, op in zip(sides, wanted, strict=True)
    )


def _from_lowest(zero: Term | None, lowest: Term | None, scale: Term) -> bool:
    """Cast(Floor(Div(Sub(0, lowest), scale)))"""
    for op in ("Cast", "Floor", "Div"):
        if zero is None or zero.op != op or not zero.args:
            return False
        if op == "Div" and zero.arg(1) is not scale:
            return False
        zero = zero.arg(0)
    return zero is not None and zero.op == "Sub" and scalar(zero.arg(0)) == 0 and zero.arg(1) is lowest
