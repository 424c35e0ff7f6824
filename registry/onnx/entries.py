"""Describes one quantized tensor from its operator, its scale and its zero point."""

from __future__ import annotations

from typing import NamedTuple

from registry.onnx import elements
from registry.onnx.content import Contents
from registry.onnx.ir import Tensor
from registry.onnx.quantization import QuantizedTensor
from registry.onnx.scope import Home
from registry.onnx.wire import Span


class Found(NamedTuple):
    """A quantized value: where it is defined, the constant behind it (None for an activation)."""

    home: Home
    constant: Tensor | None
    role: str
    operator: str


class Evidence(NamedTuple):
    """The constants that a description was made from; ``computed``: its scale is made at run time.

    ``zero`` is None where it is absent, or (``computed_zero``) made at run time too.
    """

    constant: Tensor | None
    scale: Tensor | None
    zero: Tensor | None
    computed: bool
    computed_zero: bool


class Grain(NamedTuple):
    """Which elements share a scale; ``axis`` and ``block_size`` as in QuantizedTensor."""

    granularity: str
    axis: int | None = None
    block_size: int | None = None


class Describer:
    """Makes QuantizedTensors; remembers which constants are scales, since those are no weights."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.parameters: set[Span] = set()  # constants that are scales or zero points

    def parameter(self, home: Home | None) -> Tensor | None:
        """The constant behind a scale or zero point; None where it is absent or computed."""
        if home is None:
            return None
        found = home.scope.constant(home.scope.source(home))
        if found is not None:
            self.parameters.add(found.span)
        return found

    def evidence(
        self, constant: Tensor | None, scale: Home | None, zero: Home | None, computed: bool | None = None
    ) -> Evidence:
        """``computed`` None: see whether the scale is a constant."""
        held, offset = self.parameter(scale), self.parameter(zero)
        made = held is None and scale is not None if computed is None else computed
        return Evidence(constant, held, offset, made, made or (offset is None and zero is not None))

    def symmetric(self, zero: Home | None, kind: str) -> bool:
        """Whether the zero point is the middle of the range of an element type.

        An absent one is 0: the middle of signed types only. A computed one is nobody's promise.
        """
        middle = middle_of(kind)
        if zero is None:
            return middle == 0
        held = self.parameter(zero)
        return held is not None and self.contents.is_all(held, middle)

    def grain(self, scale: Tensor | None, zero: Tensor | None, axis: int, block_size: int = 0) -> Grain:
        """From the parameter that has most elements; one element counts for the whole tensor."""
        if block_size > 0:
            return Grain("blockwise", axis, block_size)
        most = max((held.elements for held in (scale, zero) if held is not None), default=1)
        return Grain("per-channel", axis) if most > 1 else Grain("per-tensor")

    def describe(
        self,
        found: Found,
        kind: str,
        symmetric: bool,
        grain: Grain,
        *,
        stored: bool = True,
        shape: tuple[int, ...] | None = None,
    ) -> QuantizedTensor:
        """``shape`` is needed only where the constant's own is not the logical one."""
        constant = found.constant
        if constant is not None and shape is None:
            shape = constant.dims
        if shape is not None:
            elements.count(shape, found.home.name)
        rank = len(shape) if shape is not None else 0
        axis = grain.axis + rank if grain.axis is not None and grain.axis < 0 else grain.axis
        return QuantizedTensor(
            name=found.home.name,
            scope=found.home.scope.label,
            role=found.role,
            operator=found.operator,
            type=kind,
            bits=bits_of(kind),
            symmetric=symmetric,
            granularity=grain.granularity,
            axis=axis if axis is None or axis >= 0 else None,
            block_size=grain.block_size,
            shape=shape,
            stored=stored and constant is not None,
        )


def middle_of(kind: str) -> int:
    """The zero point that makes a type's range symmetric."""
    return 1 << (bits_of(kind) - 1) if kind.startswith("UINT") else 0


def bits_of(kind: str) -> int:
    """Bits of one number of a type; 4 for the two of bitsandbytes, 0 where it is not known."""
    if kind in ("NF4", "FP4"):
        return 4
    return elements.bits(elements.NUMBERS[kind]) if kind in elements.NUMBERS else 0
