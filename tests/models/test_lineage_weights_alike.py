"""One recipe for all weights of a kind: nearest integers under a scale of its own do not do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from registry.onnx.lineage.explain import explain
from registry.onnx.lineage.judgement import Judgement
from registry.onnx.lineage.leaves import Pair
from support import leafmaking

Array = np.ndarray[Any, Any]


def drawn(*shape: int, seed: int = 0) -> Array:
    return (np.random.default_rng(seed).standard_normal(shape) * 0.1).astype(np.float32)


def peak(weights: Array, axis: int | None = None) -> Array:
    others = None if axis is None else tuple(at for at in range(weights.ndim) if at != axis)
    return np.asarray(np.abs(weights).max(axis=others) / np.float32(127))


def pair(weights: Array, scale: Array | float, axis: int | None = None) -> Pair:
    """Nearest integers, int8 without -128, under the given scales."""
    scale = np.asarray(scale, np.float32)
    spread = scale if axis is None else scale.reshape([-1 if at == axis else 1 for at in range(weights.ndim)])
    integers = np.clip(np.rint(weights / spread), -127, 127)
    return leafmaking.pair(leafmaking.quantized(integers, scale, None, "INT8", axis=axis), weights)


def verdicts(found: tuple[Judgement, ...]) -> list[str]:
    return [one.verdict for one in found]


@pytest.mark.parametrize("factor", [0.7, 0.8, 1.5, 3.0])
def test_attack_one_tensor_with_a_scale_of_its_own_beside_recomputed_ones(factor: float) -> None:
    """A shorter step cuts weights off, a longer one blurs them; every integer is the nearest one."""
    tensors = [drawn(80, 60, seed=seed) for seed in range(4)]
    scales = [peak(one) * np.float32(factor if at == 2 else 1) for at, one in enumerate(tensors)]
    found = explain([*map(pair, tensors, scales)])
    assert verdicts(found) == ["recomputed", "recomputed", "unexplained", "recomputed"]
    assert ("cut off" in found[2].reason) == (found[2].saturated > 0) == (factor < 1)
    assert verdicts(explain([pair(tensors[2], scales[2])])) == ["bounded"]  # alone, it may be a quantizer's


def test_attack_one_channel_with_a_scale_of_its_own() -> None:
    weights = drawn(32, 400)
    scale = peak(weights, 0)
    assert verdicts(explain([pair(weights, scale, 0)])) == ["recomputed"]
    scale[7] *= np.float32(0.7)
    assert verdicts(explain([pair(weights, scale, 0)])) == ["unexplained"]


def test_attack_one_tensor_cut_off_where_the_others_have_longer_steps() -> None:
    tensors = [drawn(80, 60, seed=seed) for seed in range(4)]
    scales = [2.0 ** np.ceil(np.log2(peak(one))) for one in tensors]  # powers of two: a quantizer's own
    assert set(verdicts(explain([*map(pair, tensors, scales)]))) == {"bounded"}
    scales[1] = scales[1] / 2
    assert verdicts(explain([*map(pair, tensors, scales)])) == [
        "bounded",
        "unexplained",
        "bounded",
        "bounded",
    ]


def test_attack_a_kinds_only_tensor_cut_off_beside_a_known_recipe_of_another_kind() -> None:
    several, alone = drawn(32, 400), drawn(80, 60, seed=1)
    honest = pair(several, peak(several, 0), 0)
    assert verdicts(explain([honest, pair(alone, peak(alone))])) == ["recomputed", "recomputed"]
    assert verdicts(explain([honest, pair(alone, peak(alone) / np.float32(1.5))])) == [
        "recomputed",
        "unexplained",
    ]


def test_quantizers_that_clip_everywhere_are_bounded() -> None:
    tensors = [drawn(80, 60, seed=seed) for seed in range(4)]
    found = explain([pair(one, np.percentile(np.abs(one), 99.5) / 127) for one in tensors])
    assert set(verdicts(found)) == {"bounded"}
    assert all(one.saturated for one in found)


def test_folded_weights_may_stand_beside_recomputed_ones() -> None:
    """BatchNormalization leaves scales a few units in the last place away."""
    plain, folded = drawn(80, 60), drawn(80, 60, seed=1)
    moved = pair(folded, np.nextafter(peak(folded), np.float32(1)))
    loose = Pair(moved.child, moved.parent, moved.transform, False, moved.sources, make=moved.make)
    assert verdicts(explain([pair(plain, peak(plain)), loose])) == ["recomputed", "bounded"]
