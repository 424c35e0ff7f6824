"""ONNX Runtime's own quantized operators (com.microsoft) told back into float operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from registry.onnx.lineage import packing
from registry.onnx.lineage.calls import Call
from registry.onnx.lineage.dequantizing import checked, fake
from registry.onnx.lineage.normal import Form, normal
from registry.onnx.lineage.operating import added, operand, while_running
from registry.onnx.lineage.terms import Params, Term
from registry.onnx.operators import MICROSOFT


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
    return added(call, normal(call.plain("MatMul", args, {}))[0], call.arg(6))


def _dynamic_matmul(call: Call) -> list[Term]:
    call.only()
    args = (while_running(call, call.arg(0)), operand(call, 1, 2, 3))
    return added(call, normal(call.plain("MatMul", args, {}))[0], call.arg(4))


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
    return added(call, product, call.arg(5))


def _bnb4(call: Call) -> list[Term]:
    return normal(call.plain("MatMul", (call.arg(0), packing.bnb4(call)), {}))


def _gather(call: Call) -> list[Term]:
    axis = {"axis": call.attrs.get("gather_axis", 0)}
    return normal(call.plain("Gather", (packing.table(call), call.arg(1)), axis))


LIFTS: Final[Mapping[str, Form]] = {
    "QAttention": _attention,
    "QEmbedLayerNormalization": _embedding,
    "MatMulIntegerToFloat": _to_float,
    "DynamicQuantizeMatMul": _dynamic_matmul,
    "DynamicQuantizeLSTM": _lstm,
    "MatMulNBits": _nbits,
    "MatMulBnb4": _bnb4,
    "GatherBlockQuantized": _gather,
}
