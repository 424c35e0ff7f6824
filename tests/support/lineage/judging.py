"""The verdict under test, on files in memory."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from registry.onnx.lineage.prove import prove
from registry.onnx.lineage.verdict import Lineage
from registry.onnx.loaded import Loaded, load
from registry.onnx.quantize import Calibration, Recipe, optimized
from registry.onnx.wire import Buffer
from support.lineage import recipes
from support.lineage.parents import Parent

PATH = recipes.PATH
HELD = ("replayed", "derived")  # what an honest child must get at least


def opened(model: bytes) -> Loaded:
    return load({PATH: model}, PATH)


@cache
def opened_parent(parent: Parent) -> Loaded:
    return opened(parent.model())


def judge(model: bytes, parent: Parent) -> Lineage:
    """From the two files alone: no recipe is run again."""
    return prove(opened(model), opened_parent(parent), optimize=lambda: opened_optimized(parent))


@cache
def opened_optimized(parent: Parent) -> Loaded:
    return opened(optimized({PATH: parent.model()}, PATH))


def replay(model: bytes, parent: Parent, recipe: Recipe | None) -> Lineage:
    """With the parent's calibration data and, where one is given, the recipe that the child claims."""

    def requantize(files: Mapping[str, Buffer], path: str, wanted: Recipe, data: Calibration | None) -> bytes:
        return recipes.child(parent, wanted).model  # the same call as the quantizer's own, made only once

    data = recipes.calibration(parent)
    return prove(
        opened(model),
        opened_parent(parent),
        recipe=recipe,
        calibration=data,
        requantize=requantize,
        optimize=lambda: opened_optimized(parent),
    )
