"""Weights in the arrangement of their scales: transposes come out as they went in."""

from __future__ import annotations

import numpy as np
import pytest

from registry.onnx.lineage.grid import extremes, of_leaf


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (64, 256), (257, 65), (700, 130)])
@pytest.mark.parametrize(("axis", "block"), [(None, None), (0, None), (1, None), (1, 16)])
def test_a_transposed_matrix_is_arranged_as_a_plain_one(
    shape: tuple[int, int], axis: int | None, block: int | None
) -> None:
    plain = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    turned = np.ascontiguousarray(plain.T).T
    grid = of_leaf(shape, axis, block, "w")
    assert np.array_equal(grid.arrange(turned), grid.arrange(plain))
    assert grid.arrange(turned).flags.c_contiguous
    found, wanted = extremes(grid, grid.arrange(turned)), extremes(grid, grid.arrange(plain))
    assert np.array_equal(found.low, wanted.low)
    assert np.array_equal(found.high, wanted.high)


def test_a_plain_matrix_is_not_copied() -> None:
    plain = np.zeros((70, 300), np.float32)
    assert np.shares_memory(of_leaf(plain.shape, 1, 16, "w").arrange(plain), plain)
