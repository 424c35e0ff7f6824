"""What matching a quantized graph against its parent hands to whoever judges the numbers.

Nothing here holds numbers: arrays are made when asked for, one constant at a time, without a copy where
the file's own bytes will do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from registry.onnx.arrays import array
from registry.onnx.content import Contents
from registry.onnx.ir import Tensor
from registry.onnx.lineage import unpacking

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FloatLeaf:
    """A float constant of parent or child. ``scope`` is the label of its graph, "" for the main one."""

    name: str
    scope: str
    tensor: Tensor
    contents: Contents = field(repr=False, compare=False)

    def value(self) -> Array:
        """The constant in its own shape. Raises InvalidModel."""
        return array(self.contents, self.tensor)


@dataclass(frozen=True)
class QuantLeaf:
    """A quantized constant of the child.

    ``shape`` is the logical shape: that of the float constant it stands for, in the order that ``layout``
    keeps it: ``plain`` as the tensor's own dims; ``nbits`` (MatMulNBits) and ``bnb4`` (MatMulBnb4) N x K,
    the transpose of the MatMul's constant; ``gather`` (GatherBlockQuantized, packed in uint8) as the table;
    ``lstm`` (DynamicQuantizeLSTM with a scale for each gate) rows x inputs, the directions' rows together.

    Its scale is the product of ``scales`` (an int32 bias of QLinearConv or QGemm has two: its operator's
    input's and weight's; anything else one). ``partners`` are those two where a bias brings its own scale,
    so that it can be compared; () where they are not constants. One scale for all: ``axis`` None. Per
    channel: ``axis``. In blocks: ``axis`` and ``block_size``; ``bnb4`` has blocks of the flattened constant
    and no axis. ``zero`` None stands for 0, and for the middle of the range in ``nbits`` and ``gather``.
    """

    name: str
    scope: str
    integers: Tensor
    scales: tuple[Tensor, ...]
    zero: Tensor | None
    kind: str  # "INT8", "UINT8", "INT4", "UINT4", "INT16", "INT32", "NF4", "FP4"...
    shape: tuple[int, ...]
    axis: int | None
    block_size: int | None
    layout: str  # "plain", "nbits", "bnb4", "gather", "lstm"
    bits: int
    operator: str  # whose operand it is: "ai.onnx.DequantizeLinear", "com.microsoft.MatMulNBits"...
    role: str  # "weight" or "bias"
    partners: tuple[Tensor, ...] = ()
    contents: Contents = field(repr=False, compare=False, kw_only=True)

    def numbers(self) -> Array:
        """The integers in the logical shape; codes 0 to 15 for NF4 and FP4. Raises InvalidModel."""
        return unpacking.numbers(self)

    def scale(self) -> Array:
        """The scale: shape () for one, 1-D per channel, for blocks the logical shape with as many entries
        on ``axis`` as there are blocks; 1-D for ``bnb4``. Raises InvalidModel."""
        return unpacking.scale(self)

    def zero_point(self) -> Array | None:
        """The zero point, shaped as the scale; a float array where the file holds one; None if absent."""
        return unpacking.zero_point(self)


@dataclass(frozen=True)
class Pair:
    """A constant of the child and what stands at its position in the parent.

    ``transform`` says in words how the parent's constants become comparable, () where they are so at once;
    ``exact`` that this only moves elements: then floats must be equal to the bit. Otherwise arithmetic is
    involved (BatchNormalization folded into weights), computed in float64 and rounded once: a few units in
    the last place are to be allowed. ``sources`` are all the parent's constants in it, ``parent`` the
    largest of them.
    """

    child: QuantLeaf | FloatLeaf
    parent: FloatLeaf
    transform: tuple[str, ...] = ()
    exact: bool = True
    sources: tuple[FloatLeaf, ...] = ()
    make: Callable[[], Array] = field(repr=False, compare=False, kw_only=True)

    def parent_value(self) -> Array:
        """The parent's number for each element of the child, in the child's logical shape; computed at
        each call, a view of the file where that is possible. Raises InvalidModel."""
        return self.make()


@dataclass(frozen=True)
class Activation:
    """Quantization parameters that the child puts on a value of the parent; its weights do not tell them.

    ``scale`` and ``zero`` are None where the child computes them as it runs (``dynamic``); ``zero`` also
    where it is left out and means 0. ``axis`` is for scales per channel. ``weight`` is the float constant
    of the child where it is one that is quantized (and dequantized) as the model runs.
    """

    value: str  # the child's float value, before or after quantization; "" where it only has integers
    integers: str  # the child's quantized value
    parent: str  # the parent's value at that position, "" where it has none
    scale: Tensor | None
    zero: Tensor | None
    kind: str
    operator: str
    axis: int | None = None
    dynamic: bool = False
    weight: FloatLeaf | None = None
    contents: Contents | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Mismatch:
    """Something of the child (or missing from it) that its parent does not explain."""

    name: str  # of the node, or of the value where it has no name
    operator: str
    reason: str


@dataclass(frozen=True)
class Matching:
    """``variant``: what it took: "raw", or the rewritings of the parent that were needed, joined by "+".

    ``values`` pairs names of float values, child's and parent's, in the main graphs; ``unused`` names the
    child's initializers that nothing uses and its parent does not have; ``missing`` names the parent's
    constants that match nothing, ``unpaired`` are the child's.
    """

    variant: str
    pairs: tuple[Pair, ...]
    activations: tuple[Activation, ...]
    nodes: tuple[Mismatch, ...]
    values: tuple[tuple[str, str], ...]
    unused: tuple[str, ...]
    missing: tuple[str, ...] = ()
    unpaired: tuple[QuantLeaf | FloatLeaf, ...] = ()
