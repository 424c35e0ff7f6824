"""Calibration data as feeds of one model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from registry.errors import InvalidInput, InvalidModel
from registry.onnx import elements
from registry.onnx.ir import Model, Value
from registry.onnx.quantize.calibration import Calibration

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = "np.ndarray[Any, Any]"
    Feed: TypeAlias = Mapping[str, Array]

_TYPES = {"FLOAT": "<f4", "DOUBLE": "<f8", "FLOAT16": "<f2", "BOOL": "|b1"} | {
    f"{sign}INT{bits}": f"{'|' if bits == 8 else '<'}{letter}{bits // 8}"
    for sign, letter in (("U", "u"), ("", "i"))
    for bits in (8, 16, 32, 64)
}


@dataclass(frozen=True)
class Samples:
    """The feeds of a model, made as they are iterated; ``count`` of them, of ``size`` bytes together."""

    count: int
    size: int
    files: tuple[Mapping[str, tuple[Array, ...]], ...]

    def __iter__(self) -> Iterator[Feed]:
        for file in self.files:
            rows = max(map(len, file.values()))
            for at in range(rows):
                yield {name: parts[at if len(parts) > 1 else 0] for name, parts in file.items()}


def samples(calibration: Calibration, model: Model) -> Samples:
    """The feeds that ``calibration`` holds for ``model``.

    An array of one axis more than the input is a stack of samples. One of the input's own rank is one
    sample; where the model fixes the first dimension, the rows are cut into samples of that many. What is
    there once (a mask) goes with every sample of its file. Numbers become the input's type where they keep
    their kind. Raises InvalidInput where names, types or shapes do not fit, or the counts differ.
    """
    wanted = _inputs(model)
    files = tuple(_file(file, wanted) for file in calibration.files)
    count = sum(max(map(len, file.values())) for file in files)
    return Samples(count, calibration.size, files)


def _inputs(model: Model) -> dict[str, Value]:
    given = {tensor.name for tensor in model.graph.initializers}
    found = {value.name: value for value in model.graph.inputs if value.name not in given}
    if not found:
        raise InvalidModel("the model has no inputs to calibrate with", hint="quantize it dynamically")
    return found


def _file(file: Mapping[str, Array], wanted: Mapping[str, Value]) -> dict[str, tuple[Array, ...]]:
    if file.keys() != wanted.keys():
        missing, extra = sorted(wanted.keys() - file.keys()), sorted(file.keys() - wanted.keys())
        told = [f"missing: {', '.join(missing)}"] * bool(missing) + [f"unknown: {', '.join(extra)}"] * bool(
            extra
        )
        raise InvalidInput(
            "the calibration data does not name the model's inputs",
            on="; ".join(told)[:500],
            hint=f"one array for each of {', '.join(wanted)}"[:500],
        )
    found = {name: tuple(_cut(_typed(file[name], value), value)) for name, value in wanted.items()}
    counts = {len(parts) for parts in found.values()} - {1}
    if len(counts) > 1 or 0 in counts:
        told = [f"{name}: {len(parts)}" for name, parts in found.items()]
        raise InvalidInput("the inputs have different numbers of samples", on=", ".join(told)[:500])
    return found


def _typed(array: Array, value: Value) -> Array:
    """The array in the input's type. Raises InvalidInput where that would change what it says."""
    kind = elements.name(value.elem_type) if value.elem_type else "no tensor"
    if kind not in _TYPES:
        raise InvalidInput(f"an input of {kind} cannot be calibrated", on=value.name)
    made = array.astype(_TYPES[kind], copy=False)
    lossless = array.dtype.kind == "f" or bool((made == array).all())
    if (array.dtype.kind == "f") != (made.dtype.kind == "f") or not lossless:
        raise InvalidInput(f"the input is {kind}, its data {array.dtype}", on=value.name)
    return made


def _cut(array: Array, value: Value) -> Iterator[Array]:
    shape = value.shape
    if shape is None or array.ndim == len(shape):
        rows = shape[0] if shape else None
        step = rows if isinstance(rows, int) and rows > 0 and array.shape[0] % rows == 0 else 0
        parts = range(0, array.shape[0], step) if step else ()
        found = [array[at : at + step] for at in parts] if step else [array]
    elif array.ndim == len(shape) + 1:
        found = list(array)
    else:
        raise _misshapen(array, value)
    for one in found:
        fits = shape is None or all(
            not isinstance(dim, int) or dim < 0 or dim == have
            for dim, have in zip(shape, one.shape, strict=True)
        )
        if not fits:
            raise _misshapen(array, value)
        yield one


def _misshapen(array: Array, value: Value) -> InvalidInput:
    shape = ", ".join(str(dim) if dim is not None else "?" for dim in value.shape or ())
    return InvalidInput(
        f"the input takes [{shape}], its data is {list(array.shape)}",
        on=value.name,
        hint="give that shape, or one axis of samples before it",
    )
