"""Operators that take weights packed into bytes: weight-only 8, 4 and 2 bits (com.microsoft)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from registry.errors import InvalidModel
from registry.onnx import elements
from registry.onnx.content import is_packed
from registry.onnx.entries import Describer, Found, Grain, bits_of
from registry.onnx.ir import Node, Tensor
from registry.onnx.operands import input_of
from registry.onnx.operators import BNB4, GATHER, NBITS, qualified
from registry.onnx.quantization import QuantizedTensor
from registry.onnx.scope import Home, Scope

_FLOATS = {"fp8": "FLOAT8E4M3FN", "fp4": "FLOAT4E2M1", "nvfp4": "FLOAT4E2M1", "wfp4afp8": "FLOAT4E2M1"}


class Packed(NamedTuple):
    """A packed weight, with where its scales and zero points come from."""

    found: Found
    described: QuantizedTensor
    scale: Home | None
    zero: Home | None


def packed_weights(describer: Describer, scope: Scope, node: Node) -> Iterator[Packed]:
    """The packed weights of a MatMulNBits, MatMulBnb4, GatherBlockQuantized or QMoE node.

    Raises InvalidModel for attributes that make no sense.
    """
    key = (node.domain, node.op_type)
    if key == NBITS:
        yield from _nbits(describer, scope, node)
    elif key == BNB4:
        yield from _bnb4(describer, scope, node)
    elif key == GATHER:
        yield from _gather(describer, scope, node)
    else:
        for index in (1, 2, 3):
            yield from _experts(describer, scope, node, index)


def _nbits(describer: Describer, scope: Scope, node: Node) -> Iterator[Packed]:
    bits = scope.integer(node, "bits", 4)
    kind = _unsigned(node, bits)
    shape = (_positive(scope, node, "K"), _positive(scope, node, "N"))
    block = _positive(scope, node, "block_size")
    for found in _found(scope, node, 1):
        scale, zero = input_of(scope, node, 2), input_of(scope, node, 3)
        symmetric = _is_middle(describer, zero, bits, -(-shape[0] // block))
        grain = Grain("blockwise", 0, block)
        yield Packed(found, describer.describe(found, kind, symmetric, grain, shape=shape), scale, zero)


def _bnb4(describer: Describer, scope: Scope, node: Node) -> Iterator[Packed]:
    shape = (_positive(scope, node, "K"), _positive(scope, node, "N"))
    kind = "NF4" if scope.integer(node, "quant_type", 1) == 1 else "FP4"
    grain = Grain("blockwise", None, _positive(scope, node, "block_size"))
    for found in _found(scope, node, 1):
        scale = input_of(scope, node, 2)
        yield Packed(found, describer.describe(found, kind, True, grain, shape=shape), scale, None)


def _gather(describer: Describer, scope: Scope, node: Node) -> Iterator[Packed]:
    grain = Grain(
        "blockwise", scope.integer(node, "quantize_axis", 1), _positive(scope, node, "block_size", 128)
    )
    for found in _found(scope, node, 0):
        scale, zero = input_of(scope, node, 2), input_of(scope, node, 3)
        data = found.constant
        shape: tuple[int, ...] | None
        if data is not None and data.data_type != elements.UINT8:
            kind = elements.name(data.data_type)
            shape, symmetric = data.dims, describer.symmetric(zero, kind)
        else:
            bits = scope.integer(node, "bits", 4)
            kind, shape = _unsigned(node, bits), _unpacked(data, bits)
            symmetric = _is_middle(describer, zero, bits, _row(describer.parameter(scale)))
        yield Packed(found, describer.describe(found, kind, symmetric, grain, shape=shape), scale, zero)


def _experts(describer: Describer, scope: Scope, node: Node, index: int) -> Iterator[Packed]:
    common = scope.integer(node, "expert_weight_bits", 4)
    bits = scope.integer(node, f"fc{index}_expert_weight_bits", common)
    block = scope.integer(node, "block_size", 0)
    written = scope.attribute(node, "quant_type")
    told = describer.contents.text(written.s) if written is not None and written.s else "int"
    kind = _FLOATS.get(told) or _unsigned(node, bits)
    grain = Grain("blockwise", 2, block) if block > 0 else Grain("per-channel", 1)
    for found in _found(scope, node, 3 * index - 1):
        scale, zero = input_of(scope, node, 3 * index), input_of(scope, node, 10 + index)
        row = _row(describer.parameter(scale))
        symmetric = kind in _FLOATS.values() or _is_middle(describer, zero, bits, row)
        shape = _unpacked(found.constant, bits_of(kind))
        yield Packed(found, describer.describe(found, kind, symmetric, grain, shape=shape), scale, zero)


def _found(scope: Scope, node: Node, position: int) -> Iterator[Found]:
    home = scope.source(input_of(scope, node, position))
    if home is not None:
        yield Found(home, scope.constant(home), "weight", qualified((node.domain, node.op_type)))


def _is_middle(describer: Describer, zero: Home | None, bits: int, row: int) -> bool:
    """An absent zero point is the middle here. Packed ones are ``row`` numbers to a row."""
    if zero is None:
        return True
    held = describer.parameter(zero)
    if held is None:
        return False
    if held.data_type != elements.UINT8:
        return describer.contents.is_all(held, 1 << (bits - 1))
    return is_packed(describer.contents.raw(held), 1 << (bits - 1), bits, row)


def _unpacked(data: Tensor | None, bits: int) -> tuple[int, ...] | None:
    """The logical shape of what is packed along its last dimension; 8-bit floats are not packed."""
    if data is None or not data.dims or not bits or data.data_type != elements.UINT8:
        return None
    return (*data.dims[:-1], data.dims[-1] * 8 // bits)


def _row(scale: Tensor | None) -> int:
    """Numbers in one row of zero points: as many as there are scales in one."""
    if scale is None or not scale.dims:
        return 1
    elements.count(scale.dims, scale.name)  # no negative dimension gets further
    return scale.dims[-1]


def _unsigned(node: Node, bits: int) -> str:
    if bits not in (2, 4, 8):
        raise InvalidModel(f"weights of {bits} bits", on=node.name or node.op_type, hint="use 2, 4 or 8 bits")
    return f"UINT{bits}"


def _positive(scope: Scope, node: Node, name: str, default: int = 0) -> int:
    value = scope.integer(node, name, default)
    if value < 1:
        raise InvalidModel(f"attribute {name} is {value}", on=node.name or node.op_type, hint="export again")
    return value
