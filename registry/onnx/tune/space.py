"""The recipes that tuning begins with, the likeliest first: a time budget may end the search early."""

from __future__ import annotations

from itertools import product

from registry.onnx.quantize.recipe import Recipe

_METHODS = ("MinMax", "Percentile", "Entropy")


def coarse(*, calibrated: bool) -> tuple[Recipe, ...]:
    """The grid: with calibration data 24 static recipes, and 7 others in any case.

    Static: calibration method by granularity by symmetry of activations by reduced range. Dynamic: by
    granularity and reduced range. Weight-only: 8 bit, and 4 bit in small and larger blocks. First comes the
    likeliest of each kind.
    """
    first, *more = static()
    whole, reduced = dynamic()[:2], dynamic()[2:]
    if not calibrated:
        return (*whole, *weight_only(), *reduced)
    return (first, *whole, *weight_only(), *more, *reduced)


def static() -> tuple[Recipe, ...]:
    """What needs calibration data."""
    grid = product((False, True), (True, False), (False, True), _METHODS)
    return tuple(
        Recipe(
            mode="static",
            calibration=method,
            per_channel=per_channel,
            symmetric_activations=symmetric,
            reduce_range=reduced,
        )
        for reduced, per_channel, symmetric, method in grid
    )


def dynamic() -> tuple[Recipe, ...]:
    """Activations quantized as the model runs."""
    grid = product((False, True), (True, False))
    return tuple(
        Recipe(mode="dynamic", per_channel=per_channel, reduce_range=reduced) for reduced, per_channel in grid
    )


def weight_only() -> tuple[Recipe, ...]:
    """Activations stay float."""
    return (
        Recipe(mode="weight-only", weight_type="INT8"),
        Recipe(mode="weight-only", weight_type="INT4", block_size=32),
        Recipe(mode="weight-only", weight_type="INT4", block_size=128),
    )


def described(recipe: Recipe) -> str:
    """A recipe in a few words: what sets it apart from others of the grid."""
    words = [recipe.mode]
    if recipe.mode == "weight-only":
        words += [str(recipe.weight_type), f"blocks of {recipe.block_size}"]
    else:
        words += [recipe.calibration] if recipe.calibration else []
        words.append("per channel" if recipe.per_channel else "per tensor")
        words += ["symmetric"] if recipe.symmetric_activations else []
        words += ["reduced range"] if recipe.reduce_range else []
    if recipe.exclude:
        words.append(f"{len(recipe.exclude)} in float")
    return ", ".join(words)
