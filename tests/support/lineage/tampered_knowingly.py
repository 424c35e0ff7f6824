"""Tampering by someone who has the parent: every number is as plausible as it can be made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from support.lineage.generated import near_twin
from support.lineage.recipes import RecipeChild, requantized
from support.lineage.surgery import NotApplicable, Surgery, Weight, numbers, put, put_numbers, span

Dice = np.random.Generator
Array = np.ndarray[Any, Any]


def directions_flipped(honest: RecipeChild, rng: Dice) -> bytes:
    """One weight in a hundred rounded to its other neighbour: none moves by a whole step of its value."""
    surgery = Surgery(honest.model)
    for weight, exact, _ in _exact(surgery, honest):
        now, (low, high) = numbers(weight), span(weight)
        other = np.where(exact > now, now + 1, now - 1)
        able = np.flatnonzero((np.abs(other - exact) < 1) & (other >= low) & (other <= high))
        if able.size:
            chosen = rng.choice(able, max(1, able.size // 100), replace=False)
            now.reshape(-1)[chosen] = other.reshape(-1)[chosen]
            put_numbers(weight, now)
    return _changed(surgery, honest)


def tensor_cut(honest: RecipeChild, rng: Dice) -> bytes:
    """One tensor quantized with half its range: its largest weights are cut off, all others nearest."""
    surgery = Surgery(honest.model)
    doubled = [
        (weight, np.round((exact - zero) * 2) + zero) for weight, exact, zero in _exact(surgery, honest)
    ]
    able = [(weight, values) for weight, values in doubled if _beyond(values, span(weight))]
    if not able:
        raise NotApplicable("no weight that would be cut off")
    weight, values = able[int(rng.integers(len(able)))]
    assert weight.scale is not None
    put_numbers(weight, np.clip(values, *span(weight)).astype(np.int64))
    put(weight.scale, numpy_helper.to_array(weight.scale) / np.float32(2))
    return _changed(surgery, honest)


def _beyond(values: Array, limits: tuple[int, int]) -> bool:
    return bool(values.min() < limits[0] - 1 or values.max() > limits[1] + 1)


def twin_child(honest: RecipeChild, rng: Dice) -> bytes:
    """What the same recipe makes of a parent of the same architecture that was "trained again"."""
    model = onnx.load_from_string(honest.parent.model())
    twin = near_twin(model, rng).SerializeToString(deterministic=True)
    if twin == model.SerializeToString(deterministic=True):
        raise NotApplicable("all weights are in subgraphs")
    parent = replace(honest.parent, name="near twin", make=lambda: twin, feed=honest.parent.feeds)
    return requantized(parent, honest.recipe)


def _exact(surgery: Surgery, honest: RecipeChild) -> Iterator[tuple[Weight, Array, Array]]:
    """Weights that lie as in the parent, what their integers would be without rounding, and zero points."""
    floats = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in onnx.load_from_string(honest.parent.model()).graph.initializer
        if tensor.data_type == TensorProto.FLOAT
    }
    for weight in surgery.weights():
        found = floats.get(weight.integers.name.removesuffix("_quantized"))
        plain = weight.integers.name.endswith("_quantized") and not weight.packed
        if found is not None and plain and list(found.shape) == list(weight.integers.dims):
            for scale, zero in _along_each_axis(weight):
                if np.abs(found / scale + zero - numbers(weight)).mean() < 0.3:  # this axis it is
                    yield weight, found / scale + zero, zero
                    break


def _along_each_axis(weight: Weight) -> Iterator[tuple[Array, Array]]:
    """Scale and zero point shaped to meet the weight, for each axis that they could belong to."""
    if weight.scale is None:
        return
    scale = numpy_helper.to_array(weight.scale).astype(np.float64).reshape(-1)
    zero = np.zeros(1) if weight.zero is None else numpy_helper.to_array(weight.zero).astype(np.float64)
    for axis, size in enumerate(weight.integers.dims):
        if scale.size in (1, size):
            shape = [-1 if place == axis else 1 for place in range(len(weight.integers.dims))]
            yield scale.reshape(shape), zero.reshape(shape)


def _changed(surgery: Surgery, honest: RecipeChild) -> bytes:
    changed = surgery.done()
    if changed == Surgery(honest.model).done():
        raise NotApplicable("no weight whose floats lie as its integers do")
    return changed
