"""Honest children by the project's own quantizer, which says by what recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from registry.errors import InvalidInput, InvalidModel
from registry.onnx.quantize import Calibration, Recipe, calibration_of, quantize
from support.lineage.modes import CALIBRATIONS
from support.lineage.parents import Parent

PRODUCER = "registry quantize"
PATH = "model.onnx"


@dataclass(frozen=True)
class RecipeChild:
    """One quantized file and its recipe."""

    parent: Parent
    recipe: Recipe
    model: bytes
    producer: str = PRODUCER

    @property
    def how(self) -> str:
        return described(self.recipe)

    @property
    def name(self) -> str:
        return f"{self.parent.name} / {self.producer} / {self.how}"


def described(recipe: Recipe) -> str:
    """The options that matter, such as ``static-QDQ-Entropy-INT8-channel``."""
    parts = [recipe.mode, recipe.format, recipe.calibration, recipe.weight_type, recipe.activation_type]
    parts += ["channel" if recipe.per_channel else "", "" if recipe.symmetric_weights else "asym"]
    parts += ["symact" if recipe.symmetric_activations else "", "reduced" if recipe.reduce_range else ""]
    parts += [
        f"block{recipe.block_size}" if recipe.block_size else "",
        "optimized" if recipe.optimize else "",
    ]
    parts += ["embeddings" if recipe.embeddings else ""]
    return "-".join(str(part) for part in parts if part)


@cache
def child(parent: Parent, recipe: Recipe) -> RecipeChild:
    """Raises InvalidModel, InvalidInput where the parent does not suit the recipe."""
    return RecipeChild(parent, recipe, requantized(parent, recipe))


def requantized(parent: Parent, recipe: Recipe) -> bytes:
    data = calibration(parent) if recipe.needs_calibration else None
    return quantize({PATH: parent.model()}, PATH, recipe, data, threads=1)


@cache
def calibration(parent: Parent) -> Calibration:
    return calibration_of(parent.calibration())


def children(
    parent: Parent, recipes: Sequence[Recipe] | None = None
) -> Iterator[RecipeChild | tuple[Recipe, str]]:
    """Each recipe's child, or the recipe and why there is none."""
    for recipe in recipes_of(parent) if recipes is None else recipes:
        try:
            yield child(parent, recipe)
        except (InvalidInput, InvalidModel) as error:
            yield recipe, error.message


def recipes_of(parent: Parent) -> list[Recipe]:
    return every_recipe() if parent.tiny else short_recipes()


def every_recipe() -> list[Recipe]:
    """Each option of ``registry quantize`` with each that it can meet, for parents of a few kB."""
    ways = ((True, False), (True, True), (False, False))
    made = [
        Recipe(
            format=form,
            calibration=calibration,
            per_channel=channel,
            symmetric_weights=weights,
            symmetric_activations=activations,
        )
        for form, calibration, channel, (weights, activations) in product(
            ("QDQ", "QOperator"), CALIBRATIONS, (True, False), ways
        )
    ]
    made += [Recipe(format=form, reduce_range=True, optimize=opt) for form, opt in _PAIRS]
    made += [Recipe(optimize=True), Recipe(weight_type="INT4"), Recipe(activation_type="UINT16")]
    made += [
        Recipe(mode="dynamic", per_channel=channel, symmetric_weights=weights, reduce_range=reduced)
        for channel, weights, reduced in product((True, False), repeat=3)
    ]
    return made + _weight_only((16, 32, 128))


def short_recipes() -> list[Recipe]:
    """One or two of each kind."""
    return [
        Recipe(),
        Recipe(format="QOperator", calibration="Percentile", symmetric_activations=True),
        Recipe(calibration="Entropy", per_channel=False, symmetric_weights=False),
        Recipe(calibration="Distribution", reduce_range=True, optimize=True),
        Recipe(mode="dynamic"),
        Recipe(mode="dynamic", symmetric_weights=False, per_channel=False),
        *_weight_only((32,)),
    ]


_PAIRS = (("QDQ", False), ("QOperator", False), ("QDQ", True), ("QOperator", True))


def _weight_only(sizes: Sequence[int]) -> list[Recipe]:
    kinds = ("INT4", "UINT4", "INT8", "UINT8", "NF4", "FP4")
    made = [
        Recipe(mode="weight-only", weight_type=kind, block_size=size) for kind, size in product(kinds, sizes)
    ]
    more = [
        Recipe(mode="weight-only", weight_type="INT4", format="QDQ"),
        Recipe(mode="weight-only", embeddings=True),
    ]
    return made + more
