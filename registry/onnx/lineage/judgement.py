"""What is known about one constant of the child before the whole file is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from registry.onnx.lineage.scalings import Scaling

# Per tensor, the best first. "recomputed": scale, zero point and every integer come out of a known recipe.
# "identical": equal to the bit. "folded": within 16 units in the last place of arithmetic that was found in
# the graph. "bounded": every integer is a nearest one under the file's own scale. "non-nearest": not so, but
# within a step and a half. "unexplained": nothing of this.
TENSOR_VERDICTS: Final = ("recomputed", "identical", "folded", "bounded", "non-nearest", "unexplained")


class Kind(NamedTuple):
    """What must share a recipe: tensors of one type and granularity."""

    type: str
    granularity: str
    role: str


@dataclass(frozen=True)
class Judgement:
    """``verdict`` is one of TENSOR_VERDICTS, ``reason`` says why in words.

    ``off`` elements are off their nearest integer, ``largest`` is the greatest distance in thousandths of a
    step, ``saturated`` elements lie beyond the range and were cut. ``scalings`` are the recipes that give
    scale and zero point, empty where none does; ``rounding`` the way that gives the integers. Without a
    recipe: ``equal`` of the scales are the nearest recipe's, ``near`` ones miss it by up to ``nudge`` parts
    per billion, ``others`` are far from it; ``above`` tells that a near one is larger than the recipe's.
    ``loose`` where arithmetic stands between the parent's weights and those that were quantized.
    """

    name: str
    scope: str
    verdict: str
    reason: str
    elements: int
    kind: Kind | None = None
    off: int = 0
    largest: int = 0
    saturated: int = 0
    scalings: tuple[Scaling, ...] = ()
    rounding: str = ""
    equal: int = 0
    near: int = 0
    others: int = 0
    nudge: int = 0
    above: bool = False
    loose: bool = False
