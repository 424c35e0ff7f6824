"""Weights of NF4 and FP4 (MatMulBnb4): each block is divided by its largest magnitude and every quotient
becomes the index of a level in a table.

The levels and the bounds between them are those of bitsandbytes, as ONNX Runtime's
blockwise_quant_block_bnb4.h has them; the bounds are constants of their own, not exact middles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from registry.onnx.lineage.grid import Grid, extremes, of_leaf
from registry.onnx.lineage.judgement import Judgement, Kind
from registry.onnx.lineage.leaves import QuantLeaf
from registry.onnx.lineage.scalings import Scaling

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

TABLES = ("NF4", "FP4")
# Upper bound of each NF4 level's quotients but the last one's: codes 0 to 14.
_NF4_BOUNDS = (
    -0.8480964004993439,
    -0.6106329262256622,
    -0.4599952697753906,
    -0.33967943489551544,
    -0.23460740596055984,
    -0.13791173323988914,
    -0.045525018125772476,
    0.03979014977812767,
    0.1202552504837513,
    0.2035212516784668,
    0.2920137718319893,
    0.3893125355243683,
    0.5016634166240692,
    0.6427869200706482,
    0.8614784181118011,
)
# Upper bound of each FP4 magnitude but the largest, and the codes of the magnitudes in rising order.
_FP4_BOUNDS = (0.00260417, 0.0859375, 0.20833333, 0.29166667, 0.4166667, 0.583333, 0.8333333)
_FP4_CODES = (0, 1, 6, 7, 4, 5, 2, 3)
_SIGN = 8


def judge_table(leaf: QuantLeaf, weights: Array) -> Judgement:
    """A NF4 or FP4 weight. Raises InvalidModel where its constants cannot be read."""
    import numpy as np

    if tuple(weights.shape) != tuple(leaf.shape) or not weights.size or weights.dtype.kind != "f":
        return _told(leaf, "unexplained", "its shape or type is not the parent's")
    flat = np.ascontiguousarray(weights).reshape(-1)
    grid = of_leaf((flat.size,), 0, leaf.block_size, leaf.name)
    data, codes = grid.arrange(flat), grid.arrange(leaf.numbers().reshape(-1))
    low, high = extremes(grid, data)
    largest = np.maximum(-low, high)
    scale = grid.spread(leaf.scale(), leaf.name)
    if not np.isfinite(largest).all():
        return _told(leaf, "unexplained", "the parent's weights are not finite")
    if not np.array_equal(scale, largest):
        return _told(leaf, "unexplained", "a block's scale is not its largest magnitude")
    off, furthest = _compared(leaf.kind, grid, data, codes, scale)
    if not off:
        scaling = Scaling("absmax", 0, 15, 1, "single", False)
        reason = f"{leaf.kind} codes of w/absmax, absmax of {leaf.block_size} weights"
        return _told(leaf, "recomputed", reason, scalings=(scaling,), rounding=leaf.kind)
    verdict = "non-nearest" if furthest <= 1 else "unexplained"
    reason = f"{off} of {flat.size} codes are not the nearest level's, up to {furthest} levels away"
    return _told(leaf, verdict, reason, off=off, largest=1000 * furthest)


def _compared(kind: str, grid: Grid, data: Array, codes: Array, scale: Array) -> tuple[int, int]:
    """Codes that differ from the recomputed ones, and by how many levels at most."""
    import numpy as np

    rank = np.asarray(_ranks(kind))
    off = furthest = 0
    for slab in grid.slabs():
        size = grid.cut(scale, slab).astype(np.float32)
        with np.errstate(all="ignore"):
            inverse = np.where(size == 0, np.float32(0), np.float32(1) / size)
        made = encode(kind, data[slab.data].astype(np.float32, copy=False) * inverse)
        held = codes[slab.data]
        count = int(np.count_nonzero(made != held))
        if count:
            off += count
            furthest = max(furthest, int(np.abs(rank[made] - rank[held]).max()))
    return off, max(furthest, 1 if off else 0)


def encode(kind: str, quotients: Array) -> Array:
    """The codes of quotients from -1 to 1 (float32)."""
    import numpy as np

    if kind == "NF4":
        return _above(quotients, _NF4_BOUNDS)
    found = np.asarray(_FP4_CODES, np.uint8)[_above(np.abs(quotients), _FP4_BOUNDS)]
    found += np.where(quotients < 0, np.uint8(_SIGN), np.uint8(0))
    return found


def _above(values: Array, bounds: Sequence[float]) -> Array:
    """How many of the bounds each value lies above; faster than a search while they are few."""
    import numpy as np

    found = np.zeros(values.shape, np.uint8)
    for bound in bounds:
        found += values > np.float32(bound)
    return found


def _ranks(kind: str) -> list[int]:
    """The place of each code's level among all levels, smallest first; both zeros of FP4 share one."""
    if kind == "NF4":
        return list(range(16))
    ranks = [0] * 16
    for place, code in enumerate(_FP4_CODES):
        ranks[code], ranks[code + _SIGN] = place, -place
    return ranks


def _told(leaf: QuantLeaf, verdict: str, reason: str, **numbers: Any) -> Judgement:
    count = 1
    for dim in leaf.shape:
        count *= dim
    kind = Kind(leaf.kind, f"blocks of {leaf.block_size}", leaf.role)
    return Judgement(leaf.name, leaf.scope, verdict, reason, count, kind, **numbers)
