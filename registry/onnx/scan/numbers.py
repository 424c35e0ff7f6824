"""Scales and zero points: what makes integers stand for weights."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from registry.errors import InvalidModel, UnsafePath
from registry.onnx import elements
from registry.onnx.arrays import array
from registry.onnx.findings import Rule
from registry.onnx.ir import Node, Tensor
from registry.onnx.operands import input_of
from registry.onnx.operators import (
    BNB4,
    CONCAT,
    DEQUANTIZE,
    GATHER,
    MIXTURE,
    NBITS,
    OPERATORS,
    QUANTIZE,
    QUANTIZED,
    concat,
)
from registry.onnx.scan import packing
from registry.onnx.scan.subject import Subject
from registry.onnx.scan.walk import nodes
from registry.onnx.scope import Home, Scope

if TYPE_CHECKING:
    import numpy as np

NOT_FINITE: Final = Rule(
    "scale-not-finite",
    "high",
    "a scale that is NaN or infinite",
    "Whatever it scales becomes NaN or infinite too.",
)
ZERO: Final = Rule(
    "scale-zero",
    "high",
    "a scale of zero",
    "What it scales vanishes, so its integers can hold anything; quantizing by it divides by zero.",
)
NEGATIVE: Final = Rule(
    "scale-negative",
    "high",
    "a negative scale",
    "It turns every sign around. Only weight-only operators write such scales.",
)
SUBNORMAL: Final = Rule(
    "scale-subnormal",
    "medium",
    "a scale too small to be exact",
    "Runtimes flush such numbers to zero or not, by processor and setting: the model answers differently.",
)
EMPTY_BLOCK: Final = Rule(
    "scale-zero-block",
    "info",
    "blocks of weights with a scale of zero",
    "Weight-only quantizers give it to blocks of zeros.",
)
KIND: Final = Rule(
    "zero-point-type",
    "high",
    "a zero point of another type than its numbers",
    "Runtimes refuse it or read one type as the other.",
)
SHAPE: Final = Rule(
    "zero-point-shape",
    "medium",
    "a zero point of another shape than its scale",
    "Which one belongs to which channel is left to the runtime.",
)
MISSING: Final = Rule(
    "zero-point-missing",
    "medium",
    "unsigned weights without a zero point",
    "The runtime takes 0: every weight is then positive, which no quantizer makes of weights.",
)
RULES: Final = (NOT_FINITE, ZERO, NEGATIVE, SUBNORMAL, EMPTY_BLOCK, KIND, SHAPE, MISSING)

_TINY: Final = 2.0**-126  # the smallest normal float32
_UNSIGNED = frozenset((elements.UINT8, elements.NUMBERS["UINT16"], elements.NUMBERS["UINT4"]))


class Triple(NamedTuple):
    """A quantized value, its scale and zero point; ``packed``: weight-only, whose scales may be negative."""

    value: Home | None
    scale: Home | None
    zero: Home | None
    packed: bool = False


def check(subject: Subject) -> None:
    """Report scales and zero points that cannot be honest. The model's functions must be known to end."""
    seen: set[tuple[int, bool]] = set()
    done: set[tuple[object, ...]] = set()
    for scope, node in nodes(subject.model):
        if (node.domain, node.op_type) not in QUANTIZED:
            continue
        packing.check_node(subject, scope, node, done)
        for triple in triples(scope, node):
            scale, zero, value = map(_constant, (triple.scale, triple.zero, triple.value))
            where = scope.under(node)
            if scale is not None and (scale.span.offset, triple.packed) not in seen:
                seen.add((scale.span.offset, triple.packed))
                small = value is not None and value.data_type == elements.INT32
                _scale(subject, where, scale, triple.packed, small)
            _zero(subject, where, triple, value, scale, zero)


def triples(scope: Scope, node: Node) -> Iterator[Triple]:
    """The quantized values of a node with what scales them."""
    key = (node.domain, node.op_type)

    def at(value: int | None, scale: int | None, zero: int | None, packed: bool = False) -> Triple:
        of = partial(input_of, scope, node)
        return Triple(of(value), of(scale), of(zero), packed)

    if key in QUANTIZE:
        yield at(None, 1, 2)
    elif key in DEQUANTIZE:
        # Weight-only quantizers write blocks of 4 bits so, too.
        yield at(0, 1, 2, scope.integer(node, "block_size", 0) > 0)
    elif key in (NBITS, GATHER):
        yield at(1 if key == NBITS else 0, 2, 3, True)
    elif key == BNB4:
        yield at(1, 2, None, True)
    elif key == MIXTURE:
        for index in (1, 2, 3):
            yield at(3 * index - 1, 3 * index, 10 + index, True)
    elif key in OPERATORS or key == CONCAT:
        operator = OPERATORS[key] if key in OPERATORS else concat(len(node.inputs))
        for one in operator.operands:
            yield at(None if one.output else one.value, one.scale, one.zero)


def _constant(home: Home | None) -> Tensor | None:
    if home is None:
        return None
    return home.scope.constant(home.scope.source(home))


def _scale(subject: Subject, where: str, tensor: Tensor, packed: bool, bias: bool) -> None:
    """The scale of a bias is a product of two, and may be tiny."""
    if _is_plain(subject, tensor):
        return
    import numpy as np

    numbers = _numbers(subject, tensor)
    if numbers is None or not numbers.size:
        return
    found, on = subject.found, f"{where}: {tensor.name}"
    kind = elements.name(tensor.data_type)
    if not elements.is_float(tensor.data_type):
        return  # 8-bit float scales have no such values; packed absmax tables are bytes
    values = numbers if kind in ("FLOAT", "DOUBLE") else numbers.astype(np.float32)
    if not np.isfinite(values).all():
        found.add(NOT_FINITE, on, f"{int((~np.isfinite(values)).sum())} of {values.size}")
        return
    if (zeros := values.size - int(np.count_nonzero(values))) and packed:
        found.add(EMPTY_BLOCK, on, f"{zeros} of {values.size}")
    elif zeros:
        found.add(ZERO, on, f"{zeros} of {values.size}")
    if not packed and (below := int((values < 0).sum())):
        found.add(NEGATIVE, on, f"{below} of {values.size}")
    if kind in ("FLOAT", "DOUBLE"):
        small = (values != 0) & (np.abs(values) < np.finfo(values.dtype).tiny)
        if small.any():
            told = f"{int(small.sum())} of {values.size}"
            found.add(SUBNORMAL, on, told, severity="low" if bias else None)


def _is_plain(subject: Subject, tensor: Tensor) -> bool:
    """Whether this is one positive number: most scales are, and numpy would take its time for them."""
    spans = tensor.typed if tensor.raw is None else (tensor.raw,)
    if len(spans) != 1 or spans[0].length != 4 or tensor.data_type != elements.FLOAT or tensor.external:
        return False
    (number,) = struct.unpack_from("<f", subject.views[subject.path], spans[0].offset)
    return bool(_TINY <= number < math.inf)


def _zero(
    subject: Subject,
    where: str,
    triple: Triple,
    value: Tensor | None,
    scale: Tensor | None,
    zero: Tensor | None,
) -> None:
    if triple.packed:
        return
    if zero is not None:
        if value is not None and value.data_type != zero.data_type:
            kinds = f"{elements.name(zero.data_type)} for {elements.name(value.data_type)}"
            subject.found.add(KIND, f"{where}: {zero.name}", kinds)
        if scale is not None and prod(zero.dims) not in (1, prod(scale.dims)):
            told = f"{list(zero.dims)[:8]} beside a scale of {list(scale.dims)[:8]}"
            subject.found.add(SHAPE, f"{where}: {zero.name}", told)
    elif triple.zero is None and triple.scale is not None and _is_unsigned_weight(value):
        subject.found.add(MISSING, where, "the runtime takes 0 for it")


def _is_unsigned_weight(value: Tensor | None) -> bool:
    return value is not None and value.data_type in _UNSIGNED and len(value.dims) > 1


def _numbers(subject: Subject, tensor: Tensor) -> np.ndarray[Any, Any] | None:
    try:
        return array(subject.contents, tensor)
    except (InvalidModel, UnsafePath):
        return None  # reported where storage is looked at
