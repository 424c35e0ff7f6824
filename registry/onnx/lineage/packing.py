"""The weights of operators that bring their own layout, as leaves in the shape of the float weight."""

from __future__ import annotations

from math import prod

from registry.onnx.lineage.calls import Call, Unliftable
from registry.onnx.lineage.dequantizing import checked, leaf, tensor_of
from registry.onnx.lineage.terms import CONST, Term

_LARGEST = 1 << 40


def nbits(call: Call) -> Term:
    """MatMulNBits: N rows of K in whole blocks, packed into bytes. Raises Unliftable."""
    call.only("N", "K", "block_size", "bits", "accuracy_level")
    rows, columns, block = _positive(call, "N"), _positive(call, "K"), _block(call, 0)
    bits = _positive(call, "bits", 4)
    if call.arg(4) is not None or bits not in (2, 4, 8):
        raise Unliftable("columns in another order")
    data = _constant(call.arg(1))
    if data.payload.kind != "UINT8" or data.payload.size != rows * -(-columns // block) * (block * bits // 8):
        raise Unliftable("size")
    layout = ("nbits", (rows, columns), 1, block, bits)
    made = leaf(call.terms, (data, call.arg(2), call.arg(3)), layout, f"UINT{bits}", call.operator)
    return call.one("Transpose", made, perm=(1, 0))


def bnb4(call: Call) -> Term:
    """MatMulBnb4: the transposed weight, flat, two codes to a byte. Raises Unliftable."""
    call.only("N", "K", "block_size", "quant_type", "training_mode", "transB")
    rows, columns, block = _positive(call, "N"), _positive(call, "K"), _block(call, 0)
    kind = {0: "FP4", 1: "NF4"}.get(_plain(call, "quant_type", 1))
    data = _constant(call.arg(1))
    if kind is None or not call.attrs.get("transB", 1) or call.attrs.get("training_mode", 0):
        raise Unliftable("attributes")
    if data.payload.kind != "UINT8" or data.payload.size != -(-rows * columns // 2):
        raise Unliftable("size")
    layout = ("bnb4", (rows, columns), None, block, 4)
    made = leaf(call.terms, (data, call.arg(2), None), layout, kind, call.operator)
    return call.one("Transpose", made, perm=(1, 0))


def table(call: Call) -> Term:
    """GatherBlockQuantized: integers as they are, or packed in uint8 on the last axis. Raises Unliftable."""
    call.only("gather_axis", "quantize_axis", "block_size", "bits")
    data, block = _constant(call.arg(0)), _block(call, 128)
    shape, kind, shown = data.payload.dims, data.payload.kind, "plain"
    bits = 4
    if kind == "UINT8":
        bits, shown = _positive(call, "bits", 4), "gather"
        if bits not in (2, 4, 8) or not shape:
            raise Unliftable("bits")
        shape, kind = (*shape[:-1], shape[-1] * 8 // bits), f"UINT{bits}"
    axis = _plain(call, "quantize_axis", 1)
    axis += len(shape) if axis < 0 else 0
    if not 0 <= axis < len(shape):
        raise Unliftable("axis")
    layout = (shown, shape, axis, block, bits)
    return leaf(call.terms, (data, call.arg(2), call.arg(3)), layout, kind, call.operator)


def gates(call: Call, weight: int, scale: int) -> Term:
    """DynamicQuantizeLSTM: directions x inputs x rows, one scale for each direction or each row."""
    data = _constant(call.arg(weight))
    dims, scales = data.payload.dims, tensor_of(call.arg(scale))
    if len(dims) != 3 or scales is None:
        raise Unliftable("shape")
    parts = (data, call.arg(scale), call.arg(scale + 1))
    bits = 8
    if scales.elements in (1, dims[0]):
        axis = None if scales.elements == 1 else 0
        made = leaf(call.terms, parts, ("plain", dims, axis, None, bits), data.payload.kind, call.operator)
        return call.one("Transpose", made, perm=(0, 2, 1))
    shape = (dims[0] * dims[2], dims[1])
    made = leaf(call.terms, parts, ("lstm", shape, 0, None, bits), data.payload.kind, call.operator)
    return call.one("Reshape", made, shape=(dims[0], dims[2], dims[1]))


def _constant(term: Term | None) -> Term:
    found = checked(term)
    if found.op != CONST or prod(found.payload.dims) > _LARGEST:
        raise Unliftable("no constant")
    return found


def _plain(call: Call, name: str, default: int) -> int:
    value = call.attrs.get(name, default)
    if not isinstance(value, int) or abs(value) > _LARGEST:
        raise Unliftable(name)
    return value


def _positive(call: Call, name: str, default: int = 0) -> int:
    value = _plain(call, name, default)
    if value < 1:
        raise Unliftable(name)
    return value


def _block(call: Call, default: int) -> int:
    """A block size: the operators take powers of two from 16 on."""
    block = _positive(call, "block_size", default)
    if block < 16 or block & (block - 1):
        raise Unliftable("block size")
    return block
