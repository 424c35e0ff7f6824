"""Quantized operators told back into the float operators that they stand for, over quantized leaves.

Positions of operands as in the operators' schemas (ONNX "Operators", ONNX Runtime "Contrib Operators").
What does not fit stays as it is, and then matches nothing in a float parent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from registry.onnx.lineage import packing, sums
from registry.onnx.lineage.calls import Call, Unliftable
from registry.onnx.lineage.dequantizing import (
    MOVING,
    bias,
    channel_axis,
    checked,
    dequantized,
    fake,
    partnered,
    tensor_of,
)
from registry.onnx.lineage.normal import normal
from registry.onnx.lineage.terms import CONST, INTEGERS, Params, Term
from registry.onnx.operators import MICROSOFT

Lift = Callable[[Call], "list[Term] | None"]
_BIASED = frozenset(
    ("Conv", "ConvTranspose", "Gemm", "LayerNormalization", "InstanceNormalization", "BatchNormalization")
)


def lifted(call: Call) -> list[Term]:
    """The terms of a node's outputs, in float wherever that can be said. Raises InvalidModel."""
    try:
        if (lift := LIFTS.get((call.domain, call.op))) is not None and (found := lift(call)) is not None:
            return found
    except Unliftable:
        pass
    if call.op in _BIASED and not call.domain:
        call = call.plain(call.op, partnered(call.terms, call.args), call.attrs)
    return normal(call)


def operand(call: Call, value: int, scale: int, zero: int, axis: int = -1) -> Term:
    """The float term of a quantized operand. Raises Unliftable."""
    params = Params(call.arg(scale), call.arg(zero), "", axis, None, call.operator)
    return dequantized(call.terms, call.arg(value), params)


def quantized(call: Call, term: Term, scale: int, zero: int) -> list[Term]:
    """The operator's output as integers; float where it has no scale for it."""
    if call.arg(scale) is None:
        return [term]
    return [_integers(call, term, call.arg(scale), call.arg(zero), {})]


def _integers(
    call: Call, term: Term, scale: Term | None, zero: Term | None, attrs: Mapping[str, Any]
) -> Term:
    """Integers of ``term``. Raises Unliftable for a scale that is neither a constant nor computed from it."""
    written = attrs.get("axis", 1)
    axis = channel_axis(scale, written if isinstance(written, int) else 1)
    kind = zero.payload.kind if zero is not None and zero.op == CONST else "UINT8"
    made = call.terms.make(INTEGERS, (term, scale, zero), {"kind": kind, "axis": axis})
    if scale is None or (tensor_of(scale) is None and not sums.computed(made)):
        raise Unliftable("scale")
    return made


def _quantize(call: Call) -> list[Term]:
    if not call.full().keys() <= {"axis"}:  # blocks or another type of activations
        raise Unliftable("attributes")
    return [_integers(call, checked(call.arg(0)), call.arg(1), call.arg(2), call.attrs)]


def _dequantize(call: Call) -> list[Term]:
    if not call.full().keys() <= {"axis", "block_size"}:
        raise Unliftable("attributes")
    axis, block = call.attrs.get("axis", 1), call.attrs.get("block_size", 0)
    assert isinstance(axis, int) and isinstance(block, int)
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


def _attention(call: Call) -> list[Term]:
    args = (operand(call, 0, 3, 6), operand(call, 1, 4, 7), call.arg(2), call.arg(5), call.arg(8))
    plain = Call(call.terms, "Attention", MICROSOFT, 1, args, call.attrs, call.outputs, call.opset)
    return normal(plain)


def _embedding(call: Call) -> list[Term]:
    held = (operand(call, 2 + at, 8 + at, 13 + at) if call.arg(2 + at) else None for at in range(5))
    args = (call.arg(0), call.arg(1), *held, call.arg(7))
    return normal(
        Call(call.terms, "EmbedLayerNormalization", MICROSOFT, 1, args, call.attrs, call.outputs, call.opset)
    )


def _to_float(call: Call) -> list[Term]:
    """MatMulIntegerToFloat"""
    call.only()
    args = (operand(call, 0, 2, 4), operand(call, 1, 3, 5))
    return _added(call, normal(call.plain("MatMul", args, {}))[0], call.arg(6))


def _dynamic_matmul(call: Call) -> list[Term]:
    call.only()
    args = (while_running(call, call.arg(0)), operand(call, 1, 2, 3))
    return _added(call, normal(call.plain("MatMul", args, {}))[0], call.arg(4))


def while_running(call: Call, term: Term | None) -> Term:
    """A value that the operator itself quantizes as it runs. Raises Unliftable."""
    params = Params(None, None, "UINT8", None, None, call.operator, dynamic=True)
    return fake(call.terms, checked(term), params, "")


def _added(call: Call, product: Term, added: Term | None) -> list[Term]:
    return [product] if added is None else normal(call.plain("Add", (product, added), {}))


def _lstm(call: Call) -> list[Term]:
    args = list(call.args[:8])
    args[:3] = [while_running(call, args[0]), packing.gates(call, 1, 8), packing.gates(call, 2, 10)]
    return normal(call.plain("LSTM", tuple(args), call.attrs))


def _nbits(call: Call) -> list[Term]:
    level = call.attrs.get("accuracy_level", 0)
    source = checked(call.arg(0))
    if isinstance(level, int) and level:
        kind = {1: "FLOAT", 2: "FLOAT16", 3: "BFLOAT16", 4: "INT8"}.get(level, str(level))
        source = fake(call.terms, source, Params(None, None, kind, None, None, call.operator, True), "")
    product = normal(call.plain("MatMul", (source, packing.nbits(call)), {}))[0]
    return _added(call, product, call.arg(5))


def _bnb4(call: Call) -> list[Term]:
    return normal(call.plain("MatMul", (call.arg(0), packing.bnb4(call)), {}))


def _gather(call: Call) -> list[Term]:
    axis = {"axis": call.attrs.get("gather_axis", 0)}
    return normal(call.plain("Gather", (packing.table(call), call.arg(1)), axis))


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
    ("", "Mul"): sums.scaled,
    **{(MICROSOFT, f"QLinear{op}"): _binary(op) for op in ("Add", "Mul")},
    **{
        (MICROSOFT, f"QLinear{op}"): _unary(op)
        for op in ("Sigmoid", "LeakyRelu", "Softmax", "AveragePool", "GlobalAveragePool", "ReduceMean")
    },
    (MICROSOFT, "QGemm"): _gemm,
    (MICROSOFT, "QLinearConcat"): _concat,
    (MICROSOFT, "QLinearWhere"): _where,
    (MICROSOFT, "QAttention"): _attention,
    (MICROSOFT, "QEmbedLayerNormalization"): _embedding,
    (MICROSOFT, "MatMulIntegerToFloat"): _to_float,
    (MICROSOFT, "DynamicQuantizeMatMul"): _dynamic_matmul,
    (MICROSOFT, "DynamicQuantizeLSTM"): _lstm,
    (MICROSOFT, "MatMulNBits"): _nbits,
    (MICROSOFT, "MatMulBnb4"): _bnb4,
    (MICROSOFT, "GatherBlockQuantized"): _gather,
}
