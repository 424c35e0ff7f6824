"""Tampering with numbers: weights, their scales and zero points, biases, activation parameters, padding.

Every function takes an honest file and returns one that differs in just what its name says, or raises
NotApplicable where the file has no such thing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from onnx import TensorProto, numpy_helper

from support.lineage.surgery import NotApplicable, Surgery, Weight, numbers, put, put_numbers, span

Dice = np.random.Generator
T = TypeVar("T")


def one_weight_by_one(data: bytes, rng: Dice) -> bytes:
    """One weight moved by one step."""
    return _weights_changed(data, rng, 1, lambda rng: int(rng.choice((-1, 1))))


def ten_weights(data: bytes, rng: Dice) -> bytes:
    """Ten weights of one tensor moved by up to three steps."""
    return _weights_changed(data, rng, 10, lambda rng: int(rng.choice((-3, -2, -1, 1, 2, 3))))


def one_in_a_hundred(data: bytes, rng: Dice) -> bytes:
    """One weight in a hundred moved by one step, over all tensors."""
    return _weights_changed(data, rng, 0, lambda rng: int(rng.choice((-1, 1))), share=0.01)


def weight_scale_by_one_ulp(data: bytes, rng: Dice) -> bytes:
    return _weight_scale(
        data, rng, lambda value: np.nextafter(value, np.float32(np.inf) * rng.choice((-1, 1)))
    )


def weight_scale_by_1e_6(data: bytes, rng: Dice) -> bytes:
    return _weight_scale(data, rng, lambda value: value * np.float32(1 + rng.choice((-1, 1)) * 1e-6))


def weight_scale_by_1e_3(data: bytes, rng: Dice) -> bytes:
    return _weight_scale(data, rng, lambda value: value * np.float32(1 + rng.choice((-1, 1)) * 1e-3))


def weight_scale_by_a_tenth(data: bytes, rng: Dice) -> bytes:
    return _weight_scale(data, rng, lambda value: value * np.float32(1 + rng.choice((-1, 1)) * 0.1))


def weight_zero_point(data: bytes, rng: Dice) -> bytes:
    """One zero point of a weight moved by one."""
    surgery = Surgery(data)
    weight = _pick([weight for weight in surgery.weights() if weight.zero is not None], rng)
    assert weight.zero is not None
    zero = Weight(weight.node, weight.zero, None, None, weight.packed)
    values = numbers(zero)
    places = np.arange(values.size)
    if weight.packed:  # rows of whole bytes: an odd number of blocks leaves half a byte over
        places = places.reshape(weight.integers.dims[0], -1)[:, : weight.integers.dims[1]].reshape(-1)
    _step(values, int(rng.choice(places)), int(rng.choice((-1, 1))), span(zero))
    put_numbers(zero, values)
    return surgery.done()


def channels_swapped(data: bytes, rng: Dice) -> bytes:
    """Two slices of one weight change places, along any axis of its file."""
    surgery = Surgery(data)
    wide = [weight for weight in surgery.weights() if max(weight.integers.dims) > 1]
    for _ in range(20):
        weight = _pick(wide, rng)
        values = numbers(weight)
        axis = _pick([axis for axis, size in enumerate(values.shape) if size > 1], rng)
        one, other = rng.choice(values.shape[axis], 2, replace=False)
        slices = np.take(values, [one, other], axis)
        if not np.array_equal(slices.take(0, axis), slices.take(1, axis)):
            order = np.arange(values.shape[axis])
            order[[one, other]] = order[[other, one]]
            put_numbers(weight, values.take(order, axis))
            return surgery.done()
    raise NotApplicable("all slices are alike")


def tensors_exchanged(data: bytes, rng: Dice) -> bytes:
    """Two weights of one type and shape change places, their scales and zero points with them."""
    surgery = Surgery(data)
    weights = surgery.weights()
    alike = [(a, b) for a in weights for b in weights if a is not b and _alike(a, b)]
    one, other = _pick(alike, rng)
    for a, b in zip(_parts(one), _parts(other), strict=True):
        if a is not None and b is not None:
            mine, theirs = numpy_helper.to_array(a).copy(), numpy_helper.to_array(b).copy()
            put(a, theirs)
            put(b, mine)
    return surgery.done()


def quantized_bias_by_one(data: bytes, rng: Dice) -> bytes:
    """One int32 bias moved by one."""
    surgery = Surgery(data)
    bias = _pick(surgery.weights(biases=True), rng)
    values = numbers(bias)
    _step(values, int(rng.integers(values.size)), int(rng.choice((-1, 1))), span(bias))
    put_numbers(bias, values)
    return surgery.done()


def float_by_one_ulp(data: bytes, rng: Dice) -> bytes:
    """One number that stayed float (a bias, a norm, an embedding) moved to its neighbour."""
    return _float(data, rng, lambda value: np.nextafter(value, np.float32(np.inf) * rng.choice((-1, 1))))


def float_by_a_tenth(data: bytes, rng: Dice) -> bytes:
    """One number that stayed float moved by a tenth of itself."""
    return _float(data, rng, lambda value: value * np.float32(1 + rng.choice((-1, 1)) * 0.1))


def padding_nibbles(data: bytes, rng: Dice) -> bytes:
    """MatMulNBits: numbers after the end of a row that does not fill its last block. They change no result
    and can carry a message."""
    surgery = Surgery(data)
    padded = [(weight, _rows(weight)) for weight in surgery.weights() if weight.node.op_type == "MatMulNBits"]
    weight, rows = _pick([(weight, rows) for weight, rows in padded if rows < _columns(weight)], rng)
    values = numbers(weight)
    flat = values.reshape(values.shape[0], -1)
    spot = int(rng.integers(flat.shape[0])), int(rng.integers(rows, flat.shape[1]))
    low, high = span(weight)
    flat[spot] = rng.choice([value for value in range(low, high + 1) if value != flat[spot]])
    put_numbers(weight, values)
    return surgery.done()


def activation_scale_by_one_ulp(data: bytes, rng: Dice) -> bytes:
    return _activation_scale(data, rng, lambda value: np.nextafter(value, np.float32(np.inf)))


def activation_scale_by_a_tenth(data: bytes, rng: Dice) -> bytes:
    return _activation_scale(data, rng, lambda value: value * np.float32(1 + rng.choice((-1, 1)) * 0.1))


def activation_zero_point(data: bytes, rng: Dice) -> bytes:
    """One zero point of an activation moved by one."""
    surgery = Surgery(data)
    zero = _pick([zero for _, zero in surgery.activations() if zero is not None], rng)
    whole = Weight(surgery.graph.node[0], zero, None, None, packed=False)
    values = numbers(whole)
    _step(values, 0, int(rng.choice((-1, 1))), span(whole))
    put_numbers(whole, values)
    return surgery.done()


def _weights_changed(
    data: bytes, rng: Dice, count: int, step: Callable[[Dice], int], *, share: float = 0
) -> bytes:
    surgery = Surgery(data)
    weights = surgery.weights()
    for weight in weights if share else [_pick(weights, rng)]:
        values = numbers(weight)
        used = _used(weight, values)
        chosen = rng.choice(
            used, min(len(used), max(1, int(share * len(used)) if share else count)), replace=False
        )
        for place in chosen:
            _step(values, int(place), step(rng), span(weight))
        put_numbers(weight, values)
    return surgery.done()


def _used(weight: Weight, values: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Flat places of the numbers that are weights, not padding."""
    places = np.arange(values.size)
    if weight.node.op_type == "MatMulNBits":
        return places.reshape(values.shape[0], -1)[:, : _rows(weight)].reshape(-1)
    if weight.node.op_type == "MatMulBnb4":
        sizes = {attribute.name: attribute.i for attribute in weight.node.attribute}
        return places[: sizes["K"] * sizes["N"]]
    return places


def _step(values: np.ndarray, place: int, step: int, limits: tuple[int, int]) -> None:  # type: ignore[type-arg]
    """Move one number, the other way where the type ends."""
    flat = values.reshape(-1)
    low, high = limits
    moved = int(flat[place]) + step
    flat[place] = moved if low <= moved <= high else int(flat[place]) - step
    assert low <= flat[place] <= high


def _weight_scale(data: bytes, rng: Dice, change: Callable[[np.float32], np.float32]) -> bytes:
    surgery = Surgery(data)
    _move(_pick([weight.scale for weight in surgery.weights() if weight.scale is not None], rng), rng, change)
    return surgery.done()


def _activation_scale(data: bytes, rng: Dice, change: Callable[[np.float32], np.float32]) -> bytes:
    surgery = Surgery(data)
    _move(_pick([scale for scale, _ in surgery.activations()], rng), rng, change)
    return surgery.done()


def _float(data: bytes, rng: Dice, change: Callable[[np.float32], np.float32]) -> bytes:
    surgery = Surgery(data)
    _move(
        _pick([tensor for tensor in surgery.floats() if numpy_helper.to_array(tensor).any()], rng),
        rng,
        change,
    )
    return surgery.done()


def _move(tensor: TensorProto, rng: Dice, change: Callable[[np.float32], np.float32]) -> None:
    """Change one element that is not zero."""
    values = numpy_helper.to_array(tensor).copy()
    flat = values.reshape(-1)
    place = rng.choice(np.flatnonzero(flat))
    before = flat[place]
    flat[place] = change(before)
    if flat[place] == before:  # a relative change below half a unit in the last place
        flat[place] = np.nextafter(before, np.float32(np.inf))
    put(tensor, values)


def _rows(weight: Weight) -> int:
    return next(int(attribute.i) for attribute in weight.node.attribute if attribute.name == "K")


def _columns(weight: Weight) -> int:
    return int(np.prod(weight.integers.dims[1:])) * (2 if weight.packed else 1)


def _parts(weight: Weight) -> tuple[TensorProto | None, ...]:
    return weight.integers, weight.scale, weight.zero


def _alike(one: Weight, other: Weight) -> bool:
    """Whether each part of one could stand in the other's place, and the integers differ."""
    shapes = [[part and (part.data_type, list(part.dims)) for part in _parts(each)] for each in (one, other)]
    return shapes[0] == shapes[1] and one.integers.raw_data != other.integers.raw_data


def _pick(found: Sequence[T], rng: Dice) -> T:
    if not found:
        raise NotApplicable("nothing of the kind in this file")
    return found[int(rng.integers(len(found)))]
