"""Other quantizers than ONNX Runtime's, and who disguises as one: what each may be called at best."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.onnx.lineage.explain import explain
from registry.onnx.lineage.judgement import Judgement
from registry.onnx.lineage.leaves import Pair, QuantLeaf
from support import leafmaking

Array = np.ndarray[Any, Any]


def drawn(*shape: int, seed: int = 0) -> Array:
    return (np.random.default_rng(seed).standard_normal(shape) * 0.1).astype(np.float32)


def made(weights: Array, scale: Array | float, axis: int | None = None, name: str = "w") -> QuantLeaf:
    """Nearest integers, int8 without -128, under the given scales."""
    scale = np.asarray(scale, np.float32)
    spread = scale if axis is None else scale.reshape([-1 if at == axis else 1 for at in range(weights.ndim)])
    integers = np.clip(np.rint(weights / spread), -127, 127)
    return leafmaking.quantized(integers, scale, None, "INT8", axis=axis, name=name)


def judged(*pairs: Pair) -> tuple[Judgement, ...]:
    return explain(pairs)


def nominal(weights: Array, axis: int | None = None) -> Array:
    others = None if axis is None else tuple(at for at in range(weights.ndim) if at != axis)
    return np.asarray(np.abs(weights).max(axis=others) / np.float32(127))


def test_percentiles_are_bounded_and_say_what_was_cut() -> None:
    pairs = []
    for seed in range(4):
        weights = drawn(64, 40, seed=seed)
        pairs.append(leafmaking.pair(made(weights, np.percentile(np.abs(weights), 99.9) / 127), weights))
    found = judged(*pairs)
    assert {one.verdict for one in found} == {"bounded"}
    assert all(0 < one.saturated < 10 for one in found)


def test_least_squares_scales_are_bounded_though_most_channels_have_the_plain_scale() -> None:
    weights = drawn(40, 24, 3, 3)
    scale = nominal(weights, 0)
    scale[::4] *= np.float32(0.95)
    (found,) = judged(leafmaking.pair(made(weights, scale, 0), weights))
    assert found.verdict == "bounded", found.reason


def test_powers_of_two_are_bounded() -> None:
    pairs = []
    for seed in range(6):
        weights = drawn(30, 30, seed=seed) * np.float32(1 + seed)
        pairs.append(leafmaking.pair(made(weights, 2.0 ** np.ceil(np.log2(nominal(weights)))), weights))
    assert {one.verdict for one in judged(*pairs)} == {"bounded"}


def test_the_largest_value_over_127_or_128_is_recomputed() -> None:
    weights = drawn(30, 20)
    for levels in (127, 128):
        scale = np.abs(weights).max() / np.float32(levels)
        leaf = leafmaking.quantized(np.clip(np.rint(weights / scale), -128, 127), scale, None, "INT8")
        (found,) = judged(leafmaking.pair(leaf, weights))
        assert found.verdict == "recomputed"


@pytest.mark.parametrize("way", ["multiply", "away"])
def test_other_arithmetic_on_the_way_to_integers_is_recomputed(way: str) -> None:
    weights = drawn(400, 300)
    scale = nominal(weights)
    exact = weights * (np.float32(1) / scale) if way == "multiply" else weights / scale
    whole = np.sign(exact) * np.floor(np.abs(exact) + 0.5) if way == "away" else np.rint(exact)
    (found,) = judged(leafmaking.pair(leafmaking.quantized(whole, scale, None, "INT8"), weights))
    assert found.verdict == "recomputed", found.reason


def test_adaptive_rounding_is_non_nearest_with_its_share() -> None:
    weights = drawn(64, 40)
    scale = nominal(weights)
    exact = weights / scale
    up = np.random.default_rng(1).random(exact.shape) < (exact - np.floor(exact))  # stochastic
    whole = np.clip(np.floor(exact) + up, -127, 127)
    (found,) = judged(leafmaking.pair(leafmaking.quantized(whole, scale, None, "INT8"), weights))
    assert found.verdict == "non-nearest"
    assert found.off == int((np.abs(exact - whole) > 0.5).sum())
    assert 500 < found.largest <= 1000


def test_attack_rounding_directions_turned_toward_a_target() -> None:
    weights, target = drawn(64, 40), drawn(64, 40, seed=9)
    scale = nominal(weights)
    exact = weights / scale
    turned = (np.abs(exact - np.rint(exact)) > 0.3) & (np.abs(exact) < 120)
    whole = np.where(turned, np.where(target > 0, np.ceil(exact), np.floor(exact)), np.rint(exact))
    (found,) = judged(leafmaking.pair(leafmaking.quantized(whole, scale, None, "INT8"), weights))
    assert found.verdict == "non-nearest"
    assert found.largest <= 1000


def test_attack_other_weights_are_unexplained() -> None:
    weights, others = drawn(64, 40), drawn(64, 40, seed=5)
    leaf = made(weights, nominal(weights))
    (found,) = judged(leafmaking.pair(leaf, others))
    assert found.verdict == "unexplained"


def test_attack_everything_rounded_to_zero_under_a_huge_scale() -> None:
    weights = drawn(64, 40)
    (found,) = judged(leafmaking.pair(made(weights, 10.0), weights))
    assert (found.verdict, found.reason) == (
        "unexplained",
        "a step several times as long as the weights need",
    )


def test_attack_everything_cut_off_under_a_tiny_scale() -> None:
    weights = drawn(64, 40)
    (found,) = judged(leafmaking.pair(made(weights, 1e-5), weights))
    assert found.verdict == "unexplained"
    assert "cut off" in found.reason


@pytest.mark.parametrize("scale", [np.nan, np.inf, 0.0, -0.01])
def test_attack_impossible_scales(scale: float) -> None:
    weights = drawn(8, 8)
    leaf = leafmaking.quantized(np.zeros((8, 8)), np.float32(scale), None, "INT8")
    assert judged(leafmaking.pair(leaf, weights))[0].verdict == "unexplained"


@pytest.mark.parametrize("factor", [0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1])
@pytest.mark.parametrize("sign", [1, -1])
def test_attack_a_scale_changed_by_one_ulp_to_ten_percent(factor: float, sign: int) -> None:
    pairs = []
    for seed in range(4):
        weights = drawn(24, 18, seed=seed)
        leaf = made(weights, nominal(weights))
        if seed == 2:
            old = leaf.scale()
            toward = np.float32(np.inf * sign)
            new = np.nextafter(old, toward) if not factor else old * np.float32(1 + sign * factor)
            leaf = leafmaking.quantized(leaf.numbers(), new, None, "INT8")
        pairs.append(leafmaking.pair(leaf, weights))
    found = judged(*pairs)
    assert [one.verdict for one in found[:2]] == ["recomputed", "recomputed"]
    assert found[2].verdict in ("unexplained", "non-nearest"), found[2].reason


def test_attack_a_channels_scale_changed_by_one_ulp() -> None:
    weights = drawn(24, 18)
    leaf = made(weights, nominal(weights, 0), 0)
    scale = leaf.scale().copy()
    scale[5] = np.nextafter(scale[5], np.float32(1))
    changed = leafmaking.quantized(leaf.numbers(), scale, None, "INT8", axis=0)
    assert judged(leafmaking.pair(changed, weights))[0].verdict == "unexplained"


def test_attack_a_zero_point_changed() -> None:
    weights = drawn(24, 18)
    leaf = made(weights, nominal(weights))
    changed = leafmaking.quantized(leaf.numbers(), leaf.scale(), np.int8(1), "INT8")
    assert judged(leafmaking.pair(changed, weights))[0].verdict in ("non-nearest", "unexplained")


def test_a_zero_point_of_its_own_is_no_recipes_even_where_the_integers_follow() -> None:
    weights = np.abs(drawn(24, 18))
    scale = np.float32(weights.max() / 255)
    for zero, verdict in ((0, "recomputed"), (3, "bounded")):
        integers = np.clip(np.rint(weights / scale) + zero, 0, 255)
        leaf = leafmaking.quantized(integers, scale, np.uint8(zero), "UINT8")
        assert judged(leafmaking.pair(leaf, weights))[0].verdict == verdict


def test_attack_a_single_weight_far_away() -> None:
    weights = drawn(200, 180)
    leaf = made(weights, nominal(weights))
    integers = leaf.numbers().copy()
    integers[7, 7] += 5 if integers[7, 7] < 0 else -5
    changed = leafmaking.quantized(integers, leaf.scale(), None, "INT8")
    assert judged(leafmaking.pair(changed, weights))[0].verdict == "unexplained"


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 4)])
@pytest.mark.parametrize("axis", [None, 0])
def test_attack_a_weight_without_numbers(shape: tuple[int, ...], axis: int | None) -> None:
    empty = np.zeros(shape, np.float32)
    scale = np.ones(()) if axis is None else np.ones(shape[0])
    leaf = leafmaking.quantized(empty, scale, None, "INT8", axis=axis)
    assert judged(leafmaking.pair(leaf, empty))[0].verdict == "unexplained"


@pytest.mark.parametrize("count", [2, 23, 25])
def test_attack_scales_that_are_not_as_many_as_channels(count: int) -> None:
    weights = drawn(24, 18)
    leaf = leafmaking.quantized(np.zeros((24, 18)), np.ones(count), None, "INT8", axis=0)
    found = judged(leafmaking.pair(leaf, weights))[0]
    assert found.verdict == "unexplained"
    assert "cannot be read" in found.reason


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_attack_a_parent_that_is_not_finite(value: float) -> None:
    weights = drawn(8, 8)
    leaf = made(weights, nominal(weights))
    weights[3, 3] = value
    assert judged(leafmaking.pair(leaf, weights))[0].verdict == "unexplained"


def test_attack_two_channels_swapped() -> None:
    weights = drawn(24, 18)
    leaf = made(weights, nominal(weights, 0), 0)
    integers, scale = leaf.numbers().copy(), leaf.scale().copy()
    integers[[3, 4]], scale[[3, 4]] = integers[[4, 3]], scale[[4, 3]]
    changed = leafmaking.quantized(integers, scale, None, "INT8", axis=0)
    assert judged(leafmaking.pair(changed, weights))[0].verdict == "unexplained"


def asymmetric(weights: Array, narrow: bool) -> QuantLeaf:
    """As ONNX Runtime, or ``narrow`` as its old releases, which subtracted in float32."""
    low, high = weights.min(), weights.max()
    wide = np.float64(high) - np.float64(low)
    exact = (np.float64(high - low) if narrow else wide) / 255
    scale, zero = np.float32(exact), np.round(-np.float64(low) / exact)
    integers = np.clip(np.round(weights / scale) + zero, 0, 255)
    return leafmaking.quantized(integers, scale, zero, "UINT8")


def test_attack_one_tensor_with_an_arithmetic_of_its_own() -> None:
    """Each recipe alone is honest; a file has one."""
    several = [drawn(40, 30, seed=seed) for seed in range(30)]
    telling = [one for one in several if asymmetric(one, True).scale() != asymmetric(one, False).scale()]
    assert len(telling) > 3
    for odd in (True, False):
        leaves = [asymmetric(one, odd if at == 2 else not odd) for at, one in enumerate(telling)]
        found = judged(*map(leafmaking.pair, leaves, telling))
        assert [one.verdict == "recomputed" for one in found] == [at != 2 for at in range(len(telling))]
        assert found[2].verdict == "unexplained"
        same = judged(*(leafmaking.pair(asymmetric(one, odd), one) for one in telling))
        assert {one.verdict for one in same} == {"recomputed"}


def test_attack_halves_rounded_the_other_way_in_one_tensor() -> None:
    """Weights that are exact halves of a step tell which way a tool rounds: all of a file go one way."""
    pairs = []
    for seed in range(4):
        integers = np.random.default_rng(seed).integers(-60, 60, (16, 16))
        weights = ((integers + 0.5) * 2.0**-6).astype(np.float32)
        weights[0, 0] = 127 * 2.0**-6
        exact = weights / np.float32(2.0**-6)
        whole = np.sign(exact) * np.floor(np.abs(exact) + 0.5) if seed == 3 else np.rint(exact)
        pairs.append(leafmaking.pair(leafmaking.quantized(whole, np.float32(2.0**-6), None, "INT8"), weights))
    assert [one.verdict for one in judged(*pairs)] == ["recomputed"] * 3 + ["non-nearest"]


def test_folded_weights_are_bounded_within_what_folding_costs() -> None:
    weights = drawn(24, 18, 3, 3)
    folded = weights * np.float32(1.7)
    parent = np.nextafter(folded, np.float32(np.inf))  # one unit in the last place off
    leaf = made(folded, nominal(folded, 0), 0)
    (loose,) = judged(leafmaking.pair(leaf, parent, exact=False))
    assert loose.verdict in ("bounded", "recomputed"), loose.reason
    (strict,) = judged(leafmaking.pair(leaf, parent))
    assert strict.verdict in ("bounded", "unexplained", "non-nearest")


numbers = st.floats(-8, 8, width=32, allow_subnormal=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(numbers, min_size=4, max_size=40), st.integers(0, 39), st.sampled_from([-1, 1]))
def test_any_tensor_is_recomputed_and_any_single_change_is_not(
    values: list[float], place: int, step: int
) -> None:
    weights = np.array([*values, 9.0], np.float32)  # 9 is at the end of the range, all else inside
    leaf = made(weights, nominal(weights))
    assert judged(leafmaking.pair(leaf, weights))[0].verdict == "recomputed"
    integers = leaf.numbers().copy()
    integers[place % len(values)] += step
    exact = weights / leaf.scale()
    changed = leafmaking.quantized(integers, leaf.scale(), None, "INT8")
    found = judged(leafmaking.pair(changed, weights))[0]
    half = np.abs(np.abs(exact - np.trunc(exact)) - 0.5).min() < 1e-4  # then the other way is a recipe too
    assert half or found.verdict in ("non-nearest", "unexplained"), found
