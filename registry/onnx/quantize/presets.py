"""Recipes by name, and the one that is meant where little is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from registry.errors import InvalidInput
from registry.onnx.quantize.recipe import Recipe


class Preset(NamedTuple):
    """A recipe's options, and one line on what they are for."""

    purpose: str
    options: Mapping[str, Any]


PRESETS: Mapping[str, Preset] = {
    "cnn": Preset(
        "convolutions: static, Q/DQ per channel, batch norms folded first",
        {"mode": "static", "optimize": True},
    ),
    "transformer": Preset(
        "attention, where activations have outliers: dynamic, needs no calibration data",
        {"mode": "dynamic"},
    ),
    "edge": Preset(
        "ARM, and x86 without VNNI: static, signed symmetric activations, 7-bit weights",
        {"mode": "static", "optimize": True, "symmetric_activations": True, "reduce_range": True},
    ),
    "small": Preset(
        "the smallest file: weights and embeddings in 4 bits, blocks of 32",
        {"mode": "weight-only", "weight_type": "INT4", "embeddings": True, "accuracy_level": 4},
    ),
    "accurate": Preset(
        "nearly the float model's answers: weights in 8 bits, blocks of 32, float activations",
        {"mode": "weight-only", "weight_type": "INT8"},
    ),
}
_BITS = {(8, True): "INT8", (8, False): "UINT8", (4, True): "INT4", (4, False): "UINT4"}
_WIDTHS = {kind: width for (width, _), kind in _BITS.items()}


def choose(preset: str | None = None, *, calibrated: bool, bits: int | None = None, **given: Any) -> Recipe:
    """The recipe for the options that are not None, over those of the preset.

    Where neither says the mode: weight-only for 4 bits or a type of 4 bits, static where there is calibration
    data, else dynamic. ``bits`` and the symmetry of weights say the type, where that is not given. Raises
    InvalidInput for an unknown preset and for options that contradict each other.
    """
    if preset is not None and preset not in PRESETS:
        raise InvalidInput(f"the preset is none of {', '.join(PRESETS)}", on=preset[:100])
    said = {name: value for name, value in given.items() if value is not None}
    options = {**(PRESETS[preset].options if preset else {}), **said}
    if "mode" not in options:
        narrow = bits == 4 or str(options.get("weight_type")).endswith("4")
        options["mode"] = "weight-only" if narrow else "static" if calibrated else "dynamic"
    if "weight_type" not in said and (width := bits or _WIDTHS.get(str(options.get("weight_type")))):
        options["weight_type"] = _typed(width, options.get("symmetric_weights", True))
    recipe = Recipe(**options)
    if bits is not None and recipe.bits != bits:
        raise InvalidInput(f"{recipe.weight_type} has {recipe.bits} bits", on=f"--bits {bits}")
    return recipe


def _typed(bits: int, symmetric: bool) -> str:
    if (bits, symmetric) not in _BITS:
        raise InvalidInput("weights have 4 or 8 bits", on=str(bits))
    return _BITS[bits, symmetric]
