"""Every mode on every graph: the result loads, answers as its parent does, and is what the recipe says."""

from __future__ import annotations

import functools

import onnx
import pytest

from registry.errors import InvalidInput, InvalidModel
from registry.onnx.facts import QuantizationFacts, inspect
from registry.onnx.quantize import Recipe, quantize
from support import graphs, recipes

PATH = "model.onnx"
# The static quantizer does not go into subgraphs, where the branching graph has its weights.
PAIRS = [
    pytest.param(graph, mode, id=f"{graph}-{mode}")
    for graph in graphs.FLOATS
    for mode, (recipe, _) in recipes.MODES.items()
    if not (graph == "branching" and recipe.mode == "static")
]


@functools.cache
def parent(graph: str) -> onnx.ModelProto:
    return graphs.FLOATS[graph]()


@functools.cache
def child(graph: str, recipe: Recipe) -> bytes:
    model = parent(graph)
    return quantize({PATH: model.SerializeToString()}, PATH, recipe, recipes.calibration(model))


def facts(made: bytes) -> QuantizationFacts:
    return inspect({PATH: made}, PATH)


@pytest.mark.parametrize(("graph", "mode"), PAIRS)
def test_the_child_answers_as_its_parent_does(graph: str, mode: str) -> None:
    recipe, least = recipes.MODES[mode]
    made, feeds = child(graph, recipe), graphs.feeds(parent(graph), seed=99, symbolic=4)
    float_answers = recipes.answers(parent(graph).SerializeToString(), feeds)
    assert recipes.cosine(float_answers, recipes.answers(made, feeds)) > least
    onnx.checker.check_model(made)
    kept = onnx.load_from_string(made).graph
    assert {one.name for one in kept.value_info} <= {name for node in kept.node for name in node.output}


@pytest.mark.parametrize(("graph", "mode"), PAIRS)
def test_the_graph_says_what_the_recipe_says(graph: str, mode: str) -> None:
    recipe, _ = recipes.MODES[mode]
    found = facts(child(graph, recipe))
    assert (found.mode, found.format) == (recipe.mode, recipe.format)
    weights = [one for one in found.tensors if one.stored and one.role == "weight"]
    assert found.quantized_weights == len(weights) > 0
    kinds = {one.type for one in weights}
    nbits = recipe.format == "QOperator" and recipe.mode == "weight-only"
    if not nbits:  # which are packed into bytes of their own
        assert str(recipe.weight_type) in kinds
    assert recipe.bits in {one.bits for one in weights}


def test_per_channel_has_a_scale_for_each_channel_and_per_tensor_one() -> None:
    for recipe, expected in ((Recipe(), "per-channel"), (Recipe(per_channel=False), "per-tensor")):
        found = {one.name: one for one in facts(child("cnn", recipe)).tensors if one.role == "weight"}
        (conv,) = [one for name, one in found.items() if "conv2.w" in name]
        assert conv.granularity == expected


def test_dynamic_convolutions_stay_per_tensor() -> None:
    """ONNX Runtime's ConvInteger takes one scale, whatever the recipe asks for: docs/quantize.md says so."""
    found = [one for one in facts(child("cnn", Recipe(mode="dynamic"))).tensors if "conv2.w" in one.name]
    assert [one.granularity for one in found] == ["per-tensor"]


def test_entropy_is_not_minmax() -> None:
    """With 128 bins for 128 levels it would be."""
    assert child("mlp", Recipe(calibration="Entropy", bins=160)) != child("mlp", Recipe())
    with pytest.raises(InvalidInput, match="bins"):
        Recipe(calibration="Entropy", bins=128)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(),
        Recipe(format="QOperator"),
        Recipe(mode="dynamic"),
        Recipe(mode="weight-only", weight_type="NF4"),
    ],
    ids=lambda one: f"{one.mode}-{one.format}",
)
@pytest.mark.parametrize("named", ["fc", "y"], ids=["by name", "by output"])
def test_an_excluded_node_stays_float(recipe: Recipe, named: str) -> None:
    model = parent("cnn")
    graph = {PATH: model.SerializeToString()}
    options = {**recipe.to_dict(), "exclude": [named]}
    if recipe.mode == "weight-only":  # the only weight that it would take
        with pytest.raises(InvalidModel, match="no weight"):
            quantize(graph, PATH, Recipe.from_dict(options))
        return
    made = quantize(graph, PATH, Recipe.from_dict(options), recipes.calibration(model))
    names = {one.name for one in facts(made).tensors if one.role == "weight"}
    assert any("conv2.w" in name for name in names)
    assert not any("fc.w" in name for name in names)
    assert facts(made).quantized_weights == facts(child("cnn", recipe)).quantized_weights - 1


def test_a_node_that_is_not_there_cannot_be_excluded() -> None:
    with pytest.raises(InvalidInput, match="no such node") as caught:
        quantize({PATH: parent("mlp").SerializeToString()}, PATH, Recipe(mode="dynamic", exclude=("fc9",)))
    assert caught.value.on == "fc9"


def test_a_model_without_weights_to_quantize_is_refused() -> None:
    graph = {PATH: parent("branching").SerializeToString()}
    with pytest.raises(InvalidModel, match="no weight of the model") as caught:
        quantize(graph, PATH, Recipe(), recipes.calibration(parent("branching")))
    assert "static no subgraphs" in str(caught.value.hint)


def test_a_quantized_model_is_not_quantized_again() -> None:
    made = child("mlp", Recipe(mode="dynamic"))
    with pytest.raises(InvalidModel, match="quantized already"):
        quantize({PATH: made}, PATH, Recipe(mode="dynamic"))


def test_static_without_data_is_refused() -> None:
    with pytest.raises(InvalidInput, match="needs calibration data") as caught:
        quantize({PATH: parent("mlp").SerializeToString()}, PATH, Recipe())
    assert "--mode dynamic" in str(caught.value.hint)
