"""Running a recipe again on the parent, to see whether the child's content comes out.

Only the parent is run, by the injected requantizer; the child is read and compared, never executed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from registry.errors import InvalidInput, InvalidModel
from registry.onnx.lineage.content import fingerprint
from registry.onnx.loaded import Loaded, load
from registry.onnx.wire import Buffer

if TYPE_CHECKING:
    from registry.onnx.quantize import Calibration, Recipe

    Requantize: TypeAlias = Callable[[Mapping[str, Buffer], str, Recipe, Calibration | None], bytes]

BUDGET = 120.0  # seconds for guessed recipes; one that is declared is run whatever it takes


class Replayed(NamedTuple):
    """``recipe`` gave the child's content; None where none did, and ``reason`` says what was tried."""

    recipe: Recipe | None
    reason: str


def replay_declared(
    child: Loaded, parent: Loaded, recipe: Recipe, calibration: Calibration | None, requantize: Requantize
) -> Replayed:
    """Run the recipe that the child is said to be made by."""
    if recipe.needs_calibration and calibration is None:
        return Replayed(None, "the declared recipe was not run: its calibration data is not given")
    try:
        same = _made(parent, recipe, calibration, requantize) == fingerprint(child)
    except (InvalidModel, InvalidInput) as error:
        return Replayed(None, f"the declared recipe cannot be run on this parent: {error.message}")
    if same:
        return Replayed(recipe, "the declared recipe, run again, gives the same content")
    return Replayed(None, "the declared recipe, run again, gives another content")


def replay_guessed(
    child: Loaded,
    parent: Loaded,
    recipes: Iterable[Recipe],
    calibration: Calibration | None,
    requantize: Requantize,
    *,
    clock: Callable[[], float],
    budget: float = BUDGET,
) -> Replayed:
    """Run one recipe after the other until one gives the child's content or ``budget`` seconds are over."""
    try:
        wanted = fingerprint(child)
    except InvalidModel as error:
        return Replayed(None, f"no recipe was run: {error.message}")
    started, tried = clock(), 0
    for recipe in recipes:
        if tried and clock() - started > budget:
            return Replayed(None, f"none of the {tried} likeliest recipes gives the same content")
        tried += 1
        try:
            if _made(parent, recipe, calibration, requantize) == wanted:
                return Replayed(recipe, "a recipe found from the child itself gives the same content")
        except (InvalidModel, InvalidInput):
            continue  # what cannot be run did not make the child
    if not tried:
        return Replayed(None, "no recipe to replay: static ones need their calibration data")
    return Replayed(None, f"none of {tried} likely recipes gives the same content")


def _made(parent: Loaded, recipe: Recipe, calibration: Calibration | None, requantize: Requantize) -> bytes:
    """The fingerprint of what the recipe makes of the parent. Raises InvalidModel, InvalidInput."""
    data = requantize(parent.views, parent.path, recipe, calibration)
    return fingerprint(load({parent.path: data}, parent.path))
