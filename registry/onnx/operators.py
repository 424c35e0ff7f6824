"""The quantized operators: which inputs and outputs are quantized, and which bring scale and zero point.

Positions are those of the operators' schemas (ONNX "Operators", ONNX Runtime "Contrib Operators").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

MICROSOFT: Final = "com.microsoft"
LAST: Final = -1


class Operand(NamedTuple):
    """A quantized input (or output) of an operator: its position, and its scale's and zero point's.

    ``axis`` is that of a weight's channels where scale or zero point has more than one element.
    """

    value: int
    scale: int | None
    zero: int | None
    axis: int = LAST
    output: bool = False


class Operator(NamedTuple):
    """``bias`` is the position of an int32 bias; ``dynamic`` says that the operator itself quantizes its
    float input with a scale that it computes; ``follow`` that the second operand's scale comes after
    the operator, in a Mul."""

    operands: tuple[Operand, ...]
    bias: int | None = None
    dynamic: bool = False
    follow: bool = False


def _unary(*, output: int = 3) -> Operator:
    return Operator((Operand(0, 1, 2), Operand(0, output, output + 1, output=True)))


def _binary(axis: int = LAST, bias: int | None = None, output: int = 6) -> Operator:
    """``a, a_scale, a_zero_point, b, b_scale, b_zero_point``, then the output's scale and zero point."""
    sides = (Operand(0, 1, 2), Operand(3, 4, 5, axis))
    return Operator((*sides, Operand(0, output, output + 1, output=True)), bias)


_CONV = _binary(axis=0, bias=8)
_EMBEDDING = tuple(Operand(2 + at, 8 + at, 13 + at) for at in range(5))

OPERATORS: Final[Mapping[tuple[str, str], Operator]] = {
    ("", "QLinearConv"): _CONV,
    ("", "QLinearMatMul"): _binary(),
    ("", "ConvInteger"): Operator((Operand(0, None, 2), Operand(1, None, 3, 0)), follow=True),
    ("", "MatMulInteger"): Operator((Operand(0, None, 2), Operand(1, None, 3)), follow=True),
    (MICROSOFT, "QLinearConv"): _CONV,
    (MICROSOFT, "QLinearAdd"): _binary(),
    (MICROSOFT, "QLinearMul"): _binary(),
    (MICROSOFT, "QLinearSigmoid"): _unary(),
    (MICROSOFT, "QLinearLeakyRelu"): _unary(),
    (MICROSOFT, "QLinearSoftmax"): _unary(),
    (MICROSOFT, "QLinearAveragePool"): _unary(),
    (MICROSOFT, "QLinearGlobalAveragePool"): _unary(),
    (MICROSOFT, "QLinearWhere"): Operator(
        (Operand(1, 2, 3), Operand(4, 5, 6), Operand(0, 7, 8, output=True)),
    ),
    (MICROSOFT, "QGemm"): _binary(bias=6, output=7),
    (MICROSOFT, "QAttention"): Operator((Operand(0, 3, 6), Operand(1, 4, 7))),
    (MICROSOFT, "QEmbedLayerNormalization"): Operator(_EMBEDDING),
    (MICROSOFT, "DynamicQuantizeMatMul"): Operator((Operand(1, 2, 3),), dynamic=True),
    (MICROSOFT, "DynamicQuantizeLSTM"): Operator((Operand(1, 8, 9), Operand(2, 10, 11)), dynamic=True),
    (MICROSOFT, "MatMulIntegerToFloat"): Operator((Operand(0, 2, 4), Operand(1, 3, 5))),
    (MICROSOFT, "MatMulInteger16"): Operator((Operand(0, None, None), Operand(1, None, None)), follow=True),
}
CONCAT: Final = (MICROSOFT, "QLinearConcat")  # scale and zero point of the output, then triples of inputs
QUANTIZE: Final = frozenset((("", "QuantizeLinear"), (MICROSOFT, "QuantizeLinear")))
DEQUANTIZE: Final = frozenset((("", "DequantizeLinear"), (MICROSOFT, "DequantizeLinear")))
DYNAMIC: Final = ("", "DynamicQuantizeLinear")
NBITS: Final = (MICROSOFT, "MatMulNBits")
BNB4: Final = (MICROSOFT, "MatMulBnb4")
GATHER: Final = (MICROSOFT, "GatherBlockQuantized")
MIXTURE: Final = (MICROSOFT, "QMoE")
PACKED: Final = frozenset((NBITS, BNB4, GATHER, MIXTURE))
QUANTIZED: Final = frozenset((*OPERATORS, CONCAT, *QUANTIZE, *DEQUANTIZE, DYNAMIC, *PACKED))


def concat(inputs: int) -> Operator:
    """QLinearConcat with so many inputs."""
    triples = (Operand(at, at + 1, at + 2) for at in range(2, inputs - 2, 3))
    return Operator((Operand(0, 0, 1, output=True), *triples))


def qualified(key: tuple[str, str]) -> str:
    """An operator's name as people write it: "ai.onnx.QLinearConv"."""
    return f"{key[0] or 'ai.onnx'}.{key[1]}"
