"""Inputs made up from a model's own signature, to see it run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from registry.errors import InvalidInput
from registry.onnx.session import ModelSession, Signature

if TYPE_CHECKING:
    import numpy

    Array: TypeAlias = "numpy.ndarray[Any, Any]"

MAX_ELEMENTS = 1 << 28  # elements of one input
_TENSOR = re.compile(r"tensor\((\w+)\)")
_FLOATS = {"float": "float32", "double": "float64", "float16": "float16"}
_INTEGERS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))


def random_inputs(model: ModelSession | Sequence[Signature], *, seed: int = 0) -> dict[str, Array]:
    """One array for each input of the model, by name; the same ``seed`` makes the same arrays.

    Shape: as declared; a dimension that is symbolic, unknown or negative becomes 1. Values: floats
    (16, 32, 64 bits) standard normal; integers 0 or 1, which is a legal index, mask and token nearly
    everywhere; booleans either; strings one short word. Raises InvalidInput for other types
    (sequences, maps, optionals, 4-bit and 8-bit floats) and for more than 2**28 elements.
    """
    import numpy

    generator = numpy.random.default_rng(seed)
    signatures = model.inputs if isinstance(model, ModelSession) else model
    return {one.name: _array(one, generator) for one in signatures}


def _array(one: Signature, generator: numpy.random.Generator) -> Array:
    import numpy

    shape = tuple(dim if isinstance(dim, int) and dim >= 0 else 1 for dim in one.shape)
    if prod(shape) > MAX_ELEMENTS:
        raise InvalidInput(f"an input of {prod(shape)} elements", on=one.name, hint="pass it as an array")
    match = _TENSOR.fullmatch(one.type)
    kind = match[1] if match else ""
    if kind in _FLOATS:
        return numpy.asarray(generator.standard_normal(shape), dtype=_FLOATS[kind])
    if kind in _INTEGERS:
        return numpy.asarray(generator.integers(0, 2, shape), dtype=kind)
    if kind == "bool":
        return numpy.asarray(generator.integers(0, 2, shape), dtype="bool")
    if kind == "string":
        return numpy.full(shape, "a", dtype=object)
    raise InvalidInput(f"no random value for the type {one.type}", on=one.name, hint="pass it as an array")
