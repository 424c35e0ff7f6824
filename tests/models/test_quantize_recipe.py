"""Recipes: written and read one way, equal where they do the same, refused where they make no sense."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import strictjson
from registry.errors import InvalidInput, Malformed
from registry.onnx.quantize import recipe as words
from registry.onnx.quantize.presets import PRESETS, choose
from registry.onnx.quantize.recipe import Recipe

OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "mode": st.sampled_from(words.MODES),
    "format": st.sampled_from((None, *words.FORMATS)),
    "calibration": st.sampled_from((None, *words.METHODS)),
    "weight_type": st.sampled_from((None, *words.WEIGHT_TYPES)),
    "activation_type": st.sampled_from((None, *words.ACTIVATION_TYPES)),
    "block_size": st.sampled_from((0, 16, 32, 64, 128, 256, 20)),
    "bins": st.integers(0, 1 << 17),
    "percentile": st.integers(0, 100_001),
    "deviations": st.integers(0, 5000),
    "accuracy_level": st.integers(0, 5),
    "opset": st.integers(0, 65),
    "exclude": st.lists(st.text(max_size=5), max_size=4).map(tuple),
} | dict.fromkeys(
    (
        "per_channel",
        "symmetric_weights",
        "symmetric_activations",
        "reduce_range",
        "embeddings",
        "optimize",
    ),
    st.booleans(),
)


@given(options=st.fixed_dictionaries({}, optional=OPTIONS))
def test_a_recipe_is_read_as_it_was_written_or_refused_when_it_was_made(options: dict[str, Any]) -> None:
    try:
        recipe = Recipe(**options)
    except InvalidInput:
        return
    signed = strictjson.canonical(recipe.to_dict())
    again = Recipe.from_dict(strictjson.parse(signed, limit=1 << 20))
    assert again == recipe
    assert strictjson.canonical(again.to_dict()) == signed
    assert Recipe(**{name: getattr(recipe, name) for name in options}) == recipe


@pytest.mark.parametrize(
    "change",
    [
        {"nonsense": 1},
        {"mode": None},
        {"mode": "Static"},
        {"percentile": 99.9},
        {"per_channel": 1},
        {"bins": True},
        {"exclude": [1]},
        {"exclude": ["b", "a"]},
        {"exclude": ["a", "a"]},
        {"block_size": 32},
        {"weight_type": None},
        {"activation_type": "FLOAT"},
        {"procedure": words.PROCEDURE + 1},
        {"opset": -1},
        {"opset": 1 << 60},
    ],
    ids=str,
)
def test_what_is_no_recipe_is_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        Recipe.from_dict(Recipe().to_dict() | change)


@pytest.mark.parametrize("name", Recipe().to_dict())
def test_every_field_is_required(name: str) -> None:
    found = Recipe().to_dict()
    del found[name]
    with pytest.raises(Malformed, match="missing"):
        Recipe.from_dict(found)


def test_options_that_a_mode_does_not_use_make_no_difference() -> None:
    assert Recipe(mode="dynamic", calibration="Entropy", bins=999, block_size=64) == Recipe(mode="dynamic")
    assert Recipe(mode="weight-only", per_channel=False, reduce_range=True) == Recipe(mode="weight-only")
    assert Recipe(bins=999, percentile=99_000) == Recipe()
    assert Recipe(exclude=("b", "a", "b")) == Recipe(exclude=("a", "b"))


def test_defaults_are_per_channel_and_symmetric() -> None:
    recipe = Recipe()
    assert (recipe.mode, recipe.format, recipe.calibration) == ("static", "QDQ", "MinMax")
    assert (recipe.weight_type, recipe.activation_type) == ("INT8", "UINT8")
    assert (recipe.per_channel, recipe.symmetric_weights, recipe.symmetric_activations) == (True, True, False)
    assert Recipe(symmetric_activations=True).activation_type == "INT8"
    assert Recipe(mode="weight-only").weight_type == "INT4"


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "dynamic", "weight_type": "INT4"},
        {"weight_type": "NF4"},
        {"activation_type": "INT8", "weight_type": "UINT8"},
        {"activation_type": "UINT16", "format": "QOperator"},
        {"weight_type": "INT4", "format": "QOperator"},
        {"mode": "weight-only", "block_size": 48},
        {"calibration": "Percentile", "percentile": 101_000},
        {"calibration": "Entropy", "bins": 1 << 16},
        {"calibration": "Distribution", "bins": 511},
        {"exclude": ("",)},
    ],
    ids=str,
)
def test_contradictions_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Recipe(**options)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_recipe_that_other_options_override(name: str) -> None:
    recipe = choose(name, calibrated=False)
    assert {key: getattr(recipe, key) for key in PRESETS[name].options} == PRESETS[name].options
    assert choose(name, calibrated=True, exclude=("fc",)).exclude == ("fc",)
    assert choose(name, calibrated=False, mode="dynamic", weight_type="INT8").mode == "dynamic"


def test_little_said_is_understood() -> None:
    assert choose(calibrated=True) == Recipe()
    assert choose(calibrated=False) == Recipe(mode="dynamic")
    assert choose(calibrated=False, bits=4) == Recipe(mode="weight-only")
    assert choose(calibrated=False, weight_type="NF4").mode == "weight-only"
    assert choose(calibrated=False, bits=4, symmetric_weights=False).weight_type == "UINT4"
    assert choose(calibrated=False, mode="weight-only", bits=8).weight_type == "INT8"
    assert choose("accurate", calibrated=False, symmetric_weights=False).weight_type == "UINT8"
    assert choose("small", calibrated=False, bits=8).weight_type == "INT8"


def test_bits_and_type_must_agree() -> None:
    with pytest.raises(InvalidInput, match="has 4 bits"):
        choose(calibrated=False, mode="weight-only", bits=8, weight_type="NF4")
    with pytest.raises(InvalidInput, match="4 or 8 bits"):
        choose(calibrated=False, bits=3)
    with pytest.raises(InvalidInput, match="preset"):
        choose("nonsense", calibrated=False)
