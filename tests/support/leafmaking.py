"""Quantized and float constants as the lineage code gets them, made from arrays without any model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from registry.onnx import elements
from registry.onnx.content import Contents
from registry.onnx.ir import Tensor
from registry.onnx.lineage.leaves import FloatLeaf, Pair, QuantLeaf
from registry.onnx.wire import Span

Array = np.ndarray[Any, Any]
_NUMPY = {"float32": "FLOAT", "float16": "FLOAT16", "float64": "DOUBLE"}
_NUMPY |= {f"{sign}int{bits}": f"{sign.upper()}INT{bits}" for sign in ("u", "") for bits in (8, 16, 32, 64)}


class Shelf:
    """A buffer that constants lie in, one after the other."""

    def __init__(self) -> None:
        self._data = bytearray()

    def put(self, name: str, array: Array, kind: str | None = None) -> Tensor:
        """A constant; ``kind`` where its numbers are packed (4 bits)."""
        kind = kind or _NUMPY[array.dtype.name]
        raw = _packed(array) if kind in ("INT4", "UINT4") else np.ascontiguousarray(array).tobytes()
        span = Span(len(self._data), len(raw))
        self._data += raw
        return Tensor(name, elements.NUMBERS[kind], tuple(array.shape), span, span, (), None)

    def contents(self) -> Contents:
        return Contents("m", {"m": memoryview(bytes(self._data))})


def quantized(
    integers: Array,
    scale: Array,
    zero: Array | None,
    kind: str,
    *,
    axis: int | None = None,
    block: int | None = None,
    name: str = "w",
) -> QuantLeaf:
    """A plain quantized constant, as DequantizeLinear takes it."""
    shelf = Shelf()
    width = {"INT4": "i1", "UINT4": "u1"}.get(kind, kind.lower())
    held = shelf.put(name, np.asarray(integers).astype(width), kind)
    scales = (shelf.put(f"{name}_scale", np.asarray(scale, "f")),)
    offset = None
    if zero is not None:
        offset = shelf.put(f"{name}_zero", np.asarray(zero).astype(width), kind)
    shape = tuple(np.shape(integers))
    bits = elements.bits(elements.NUMBERS[kind])
    operator, contents = "ai.onnx.DequantizeLinear", shelf.contents()
    return QuantLeaf(
        name, "", held, scales, offset, kind, shape, axis, block, "plain", bits, operator, "weight",
        contents=contents,
    )  # fmt: skip


def bias(
    integers: Array, scale: Array, input_scale: Array, weight_scale: Array, name: str = "b"
) -> QuantLeaf:
    """An int32 bias with a scale of its own beside those it should come from."""
    shelf = Shelf()
    held = shelf.put(name, np.asarray(integers, "i4"))
    scales = (shelf.put(f"{name}_scale", np.asarray(scale, "f")),)
    partners = (
        shelf.put("x_scale", np.asarray(input_scale, "f")),
        shelf.put("w_scale", np.asarray(weight_scale, "f")),
    )
    shape, operator, contents = tuple(np.shape(integers)), "ai.onnx.DequantizeLinear", shelf.contents()
    axis = 0 if np.size(scale) > 1 else None
    return QuantLeaf(
        name, "", held, scales, None, "INT32", shape, axis, None, "plain", 32, operator, "bias",
        partners, contents=contents,
    )  # fmt: skip


def packed(
    integers: Array, scale: Array, zero: Array | None, shape: tuple[int, int], bits: int, block: int
) -> QuantLeaf:
    """A weight of MatMulNBits; ``integers`` and ``zero`` in bytes as the operator takes them."""
    shelf = Shelf()
    held = shelf.put("w", integers)
    scales = (shelf.put("w_scales", scale),)
    offset = None if zero is None else shelf.put("w_zero", zero)
    operator, contents = "com.microsoft.MatMulNBits", shelf.contents()
    return QuantLeaf(
        "w", "", held, scales, offset, f"UINT{bits}", shape, 1, block, "nbits", bits, operator, "weight",
        contents=contents,
    )  # fmt: skip


def table(codes: Array, absmax: Array, shape: tuple[int, int], kind: str, block: int) -> QuantLeaf:
    """A weight of MatMulBnb4; ``codes`` in bytes as the operator takes them."""
    shelf = Shelf()
    held, scales = shelf.put("w", codes), (shelf.put("absmax", absmax),)
    operator, contents = "com.microsoft.MatMulBnb4", shelf.contents()
    return QuantLeaf(
        "w", "", held, scales, None, kind, shape, None, block, "bnb4", 4, operator, "weight",
        contents=contents,
    )  # fmt: skip


def plain(array: Array, name: str = "f") -> FloatLeaf:
    """A float constant."""
    shelf = Shelf()
    tensor = shelf.put(name, array)
    return FloatLeaf(name, "", tensor, shelf.contents())


def pair(child: QuantLeaf | FloatLeaf, expected: Array, *, exact: bool = True) -> Pair:
    """The child's constant and what its parent has there."""
    make: Callable[[], Array] = lambda: expected  # noqa: E731
    return Pair(child, plain(np.asarray(expected, "f")), (), exact, make=make)


def _packed(array: Array) -> bytes:
    flat = np.asarray(array).reshape(-1).astype(np.int64) & 15
    if flat.size % 2:
        flat = np.append(flat, 0)
    return (flat[0::2] | flat[1::2] << 4).astype(np.uint8).tobytes()
