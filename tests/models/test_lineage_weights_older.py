"""Recipes that older releases of ONNX Runtime had, and that no release has for one tensor only.

Formulas: onnxruntime/python/tools/quantization/quant_utils.py of 1.17.3 and 1.20.1, ``compute_scale_zp``,
``get_qmin_qmax_for_qType`` and ``quantize_nparray``; tests/vectors/lineage holds what they made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from registry.onnx import elements
from registry.onnx.lineage.explain import explain
from registry.onnx.lineage.leaves import Pair
from support import leafmaking

Array = np.ndarray[Any, Any]
SHORT = "lowest level clipped"


def drawn(seed: int) -> Array:
    return (np.random.default_rng(seed).standard_normal((24, 18)) * 0.1 + 0.02).astype(np.float32)


def asymmetric(weights: Array, kind: str, short: bool) -> Pair:
    """Over all levels of a signed type; ``short``: as 1.17 clips, to the symmetric range all the same."""
    low, high = weights.min(), weights.max()
    last = (1 << elements.bits(elements.NUMBERS[kind]) - 1) - 1
    exact = np.float64(high - low) / (2 * last + 1)
    zero = np.round(-last - 1 - np.float64(low) / exact)
    integers = np.clip(np.round(weights / np.float32(exact)) + zero, -last - 1 + short, last)
    return leafmaking.pair(leafmaking.quantized(integers, np.float32(exact), zero, kind), weights)


def symmetric(weights: Array, old: bool) -> Pair:
    """UINT8: by 1.17 over 255 steps with a middle that is computed, by 1.20 over 254 around 127."""
    most = np.float64(np.abs(weights).max())
    exact = 2 * most / (255 if old else 254)
    zero = np.round(0 + most / exact) if old else 127.0
    integers = np.clip(np.round(weights / np.float32(exact)) + zero, 0, 255)
    return leafmaking.pair(leafmaking.quantized(integers, np.float32(exact), zero, "UINT8"), weights)


@pytest.mark.parametrize("kind", ["INT8", "INT16"])
def test_the_lowest_level_clipped_in_every_tensor_is_a_rounding_of_its_own(kind: str) -> None:
    several = [drawn(seed) for seed in range(4)]
    found = explain([asymmetric(one, kind, True) for one in several])
    assert {one.verdict for one in found} == {"recomputed"}
    assert all(SHORT in one.reason for one in found)
    plain = explain([asymmetric(one, kind, False) for one in several])
    assert {one.verdict for one in plain} == {"recomputed"}
    assert not any(SHORT in one.reason for one in plain)


@pytest.mark.parametrize("most", [True, False])
def test_attack_the_lowest_level_clipped_in_one_tensor_or_in_all_but_one(most: bool) -> None:
    pairs = [asymmetric(drawn(seed), "INT8", most != (seed == 2)) for seed in range(4)]
    assert [one.verdict == "recomputed" for one in explain(pairs)] == [seed != 2 for seed in range(4)]


def test_attack_the_lowest_level_clipped_under_a_symmetric_scale() -> None:
    """No release counts it in and then clips it there."""
    weights = drawn(0)
    weights[3, 3] = -np.abs(weights).max() * np.float32(1.5)
    scale = np.float32(2 * np.float64(-weights.min()) / 256)
    for lowest, honest in ((-128, True), (-127, False)):
        integers = np.clip(np.round(weights / scale), lowest, 127)
        (found,) = explain(
            [leafmaking.pair(leafmaking.quantized(integers, scale, np.int8(0), "INT8"), weights)]
        )
        assert (found.verdict == "recomputed") == honest, found.reason


@pytest.mark.parametrize("old", [True, False])
def test_unsigned_symmetric_weights_of_older_releases_are_recomputed(old: bool) -> None:
    pairs = [symmetric(drawn(seed), old) for seed in range(40)]
    assert {one.verdict for one in explain(pairs)} == {"recomputed"}
    zeros = {int(one.child.zero_point()) for one in pairs}  # type: ignore[union-attr, arg-type]
    assert zeros == ({127, 128} if old else {127})
