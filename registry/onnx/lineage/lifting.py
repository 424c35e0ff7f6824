"""Quantized operators told back into the float operators that they stand for, over quantized leaves.

Positions of operands as in the operators' schemas (ONNX "Operators", ONNX Runtime "Contrib Operators").
What does not fit stays as it is, and then matches nothing in a float parent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from registry.onnx.lineage import contrib, sums
from registry.onnx.lineage.calls import Call, Unliftable
from registry.onnx.lineage.dequantizing import MOVING, checked, dequantized
from registry.onnx.lineage.normal import normal
from registry.onnx.lineage.operating import integers, operand, quantized
from registry.onnx.lineage.opsets import scalar
from registry.onnx.lineage.summands import bias, partnered
from registry.onnx.lineage.terms import CONST, FAKE, INTEGERS, QUANT, Params, Term
from registry.onnx.operators import MICROSOFT

Lift = Callable[[Call], "list[Term] | None"]
_BIASED = frozenset(
    ("Conv", "ConvTranspose", "Gemm", "LayerNormalization", "InstanceNormalization", "BatchNormalization")
)


def lifted(call: Call) -> list[Term]:
    """The terms of a node's outputs, in float wherever that can be said. Raises InvalidModel."""
    try:
        lift = None if call.odd else LIFTS.get((call.domain, call.op))
        if lift is not None and (found := lift(call)) is not None:
            return found
    except Unliftable:
        pass
    if call.op in _BIASED and not call.domain:
        call = call.plain(call.op, partnered(call.terms, call.args), call.attrs)
    return normal(call)


def _quantize(call: Call) -> list[Term]:
    if not call.full().keys() <= {"axis"}:  # blocks or another type of activations
        raise Unliftable("attributes")
    return [integers(call, checked(call.arg(0)), call.arg(1), call.arg(2), call.attrs)]


def _dequantize(call: Call) -> list[Term]:
    if not call.full().keys() <= {"axis", "block_size"}:
        raise Unliftable("attributes")
    axis, block = call.attrs.get("axis", 1), call.attrs.get("block_size", 0)
    params = Params(call.arg(1), call.arg(2), "", axis, block or None, call.operator)
    return [dequantized(call.terms, call.arg(0), params)]


def _conv(call: Call) -> list[Term]:
    args = [operand(call, 0, 1, 2), operand(call, 3, 4, 5, 0)]
    if (added := call.arg(8)) is not None:
        args.append(bias(call.terms, added, (call.arg(1), call.arg(4)), call.operator))
    return quantized(call, normal(call.plain("Conv", tuple(args), call.attrs))[0], 6, 7)


def _gemm(call: Call) -> list[Term]:
    if not {call.attrs.get("transA", 0), call.attrs.get("transB", 0)} <= {0, 1}:
        raise Unliftable("attributes")
    call.only("transA", "transB", "alpha")
    axis = 0 if call.attrs.get("transB", 0) else 1
    args = [operand(call, 0, 1, 2), operand(call, 3, 4, 5, axis)]
    if (added := call.arg(6)) is not None:
        args.append(bias(call.terms, added, (call.arg(1), call.arg(4)), call.operator))
    return quantized(call, normal(call.plain("Gemm", tuple(args), call.attrs))[0], 7, 8)


def _binary(op: str) -> Lift:
    def lift(call: Call) -> list[Term]:
        call.only()
        args = (operand(call, 0, 1, 2), operand(call, 3, 4, 5))
        return quantized(call, normal(call.plain(op, args, {}))[0], 6, 7)

    return lift


def _unary(op: str) -> Lift:
    def lift(call: Call) -> list[Term]:
        attrs = dict(call.attrs)
        if attrs.pop("channels_last", 0):
            raise Unliftable("channels last")
        if op == "Softmax" and attrs.pop("opset", call.opset) != call.opset:
            raise Unliftable("operator set")
        plain = call.plain(op, (operand(call, 0, 1, 2),), attrs)
        return quantized(call, normal(plain)[0], 3, 4)

    return lift


def _concat(call: Call) -> list[Term]:
    call.only("axis")
    args = tuple(operand(call, at, at + 1, at + 2) for at in range(2, len(call.args), 3))
    return quantized(call, normal(call.plain("Concat", args, call.attrs))[0], 0, 1)


def _where(call: Call) -> list[Term]:
    call.only()
    args = (call.arg(0), operand(call, 1, 2, 3), operand(call, 4, 5, 6))
    return quantized(call, normal(call.plain("Where", args, {}))[0], 7, 8)


def _pad(call: Call) -> list[Term] | None:
    """A fill that stands for the number 0 is none, however it is quantized."""
    value = call.arg(2)
    while value is not None and value.op == FAKE:
        value = value.arg(0)
    if value is None or not _is_nothing(value):
        return None
    return normal(call.plain("Pad", (*call.args[:2], None, *call.args[3:]), call.attrs))


def _is_nothing(value: Term) -> bool:
    """Whether a constant is the number 0."""
    if value.op != QUANT:
        return scalar(value) == 0 and value.op == CONST and value.payload.kind.endswith("FLOAT")
    if value.payload.shape not in ((), (1,)):
        return False
    zero = value.payload.zero_point()
    return not (value.payload.numbers() != (0 if zero is None else zero)).any()


def _largest(call: Call) -> list[Term] | None:
    """ArgMax and ArgMin find the same place among integers as among numbers."""
    root = call.arg(0)
    while root is not None and root.op in MOVING:
        root = root.arg(0)
    if root is None or root.op != INTEGERS:
        return None
    params = Params(root.arg(1), root.arg(2), "", root.attr("axis"), None, call.operator)
    source = dequantized(call.terms, call.arg(0), params)
    return normal(call.plain(call.op, (source, *call.args[1:]), call.attrs))


LIFTS: Final[Mapping[tuple[str, str], Lift]] = {
    **dict.fromkeys((("", "QuantizeLinear"), (MICROSOFT, "QuantizeLinear")), _quantize),
    **dict.fromkeys((("", "DequantizeLinear"), (MICROSOFT, "DequantizeLinear")), _dequantize),
    **dict.fromkeys((("", "QLinearConv"), (MICROSOFT, "QLinearConv")), _conv),
    **dict.fromkeys((("", "QLinearMatMul"), (MICROSOFT, "QLinearMatMul")), _binary("MatMul")),
    **dict.fromkeys((("", "ArgMax"), ("", "ArgMin")), _largest),
    **{("", "Mul"): sums.scaled, ("", "Pad"): _pad},
    **{(MICROSOFT, f"QLinear{op}"): _binary(op) for op in ("Add", "Mul")},
    **{
        (MICROSOFT, f"QLinear{op}"): _unary(op)
        for op in ("Sigmoid", "LeakyRelu", "Softmax", "AveragePool", "GlobalAveragePool", "ReduceMean")
    },
    (MICROSOFT, "QGemm"): _gemm,
    (MICROSOFT, "QLinearConcat"): _concat,
    (MICROSOFT, "QLinearWhere"): _where,
    **{(MICROSOFT, op): lift for op, lift in contrib.LIFTS.items()},
}
