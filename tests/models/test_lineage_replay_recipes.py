"""Replay: the recipe run again gives the same content, or it is not called replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnxruntime.quantization import QuantType

from registry.errors import InvalidModel
from registry.onnx.lineage.prove import prove
from registry.onnx.lineage.replay import replay_guessed
from registry.onnx.loaded import Loaded, load
from registry.onnx.quantize import Calibration, Recipe, calibration_of, quantize
from registry.onnx.wire import Buffer
from support import graphs

UNSIGNED = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8}
Child = Callable[[onnx.ModelProto, Path], Path]
PLAIN: dict[str, tuple[str, Child]] = {  # what people call ONNX Runtime with
    "dynamic": ("transformer", lambda model, path: graphs.dynamic(model, path)),
    "dynamic per channel": ("mlp", lambda model, path: graphs.dynamic(model, path, per_channel=True)),
    "dynamic reduced": ("cnn", lambda model, path: graphs.dynamic(model, path, reduce_range=True)),
    "dynamic unsigned": (
        "mlp",
        lambda model, path: graphs.dynamic(model, path, weight_type=QuantType.QUInt8),
    ),
    "dynamic, one node left": (
        "mlp",
        lambda model, path: graphs.dynamic(model, path, nodes_to_exclude=["fc1"]),
    ),
    "four bits": ("mlp", lambda model, path: graphs.nbits(model, path, block_size=32)),
    "four bits QDQ": ("mlp", lambda model, path: graphs.nbits(model, path, qdq=True, is_symmetric=True)),
    "NF4": ("mlp", lambda model, path: graphs.bnb4(model, path, block_size=64)),
}
STATIC: dict[str, tuple[str, Child]] = {
    "QDQ": ("cnn", lambda model, path: graphs.static(model, path, qdq=True)),
    "QDQ per channel": ("mlp", lambda model, path: graphs.static(model, path, qdq=True, per_channel=True)),
    "QOperator unsigned": ("cnn", lambda model, path: graphs.static(model, path, qdq=False, **UNSIGNED)),
}


def loaded(path: Path) -> Loaded:
    return load({"m.onnx": path.read_bytes()}, "m.onnx")


def saved(model: onnx.ModelProto, path: Path) -> Loaded:
    return loaded(graphs.save(model, path))


def calibration(model: onnx.ModelProto) -> Calibration:
    """What ``graphs.static`` calibrates with."""
    return calibration_of([graphs.feeds(model, seed=seed) for seed in range(2)])


@pytest.mark.parametrize("name", PLAIN)
def test_plain_children_are_replayed_without_being_told_the_recipe(name: str, tmp_path: Path) -> None:
    model, made = graphs.FLOATS[PLAIN[name][0]](), PLAIN[name][1]
    found = prove(
        loaded(made(model, tmp_path / "c.onnx")), saved(model, tmp_path / "p.onnx"), requantize=quantize
    )
    assert found.verdict == "replayed", found.reasons
    assert Recipe.from_dict(found.options).mode in name or name[0] in "fN"


@pytest.mark.parametrize("name", STATIC)
def test_static_children_are_replayed_with_their_calibration_data_only(name: str, tmp_path: Path) -> None:
    model, made = graphs.FLOATS[STATIC[name][0]](), STATIC[name][1]
    child, parent = loaded(made(model, tmp_path / "c.onnx")), saved(model, tmp_path / "p.onnx")
    found = prove(child, parent, calibration=calibration(model), requantize=quantize)
    assert found.verdict == "replayed", found.reasons
    without = prove(child, parent, requantize=quantize)
    assert without.verdict == "derived"
    assert "calibration data" in without.reasons[0]


def test_a_declared_recipe_is_run_and_compared(tmp_path: Path) -> None:
    model = graphs.cnn()
    parent, given = saved(model, tmp_path / "p.onnx"), calibration(model)
    recipe = Recipe(calibration="Percentile", per_channel=False)
    child = load({"c.onnx": quantize(parent.views, parent.path, recipe, given)}, "c.onnx")
    found = prove(child, parent, recipe=recipe, calibration=given, requantize=quantize)
    assert (found.verdict, found.options) == ("replayed", recipe.to_dict())
    other = Recipe(calibration="MinMax", per_channel=False)
    refuted = prove(child, parent, recipe=other, calibration=given, requantize=quantize)
    assert refuted.verdict == "derived"
    assert "another content" in refuted.reasons[0]
    silent = prove(child, parent, recipe=recipe, requantize=quantize)
    assert silent.verdict == "derived"
    assert "not given" in silent.reasons[0]


def edited(path: Path, change: Callable[[Any], Any], name: str) -> Loaded:
    """The model with the constants changed whose name ends so."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.name.endswith(name):
            values = np.asarray(change(numpy_helper.to_array(tensor).copy()))
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return load({"m.onnx": model.SerializeToString()}, "m.onnx")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("image_scale", lambda values: np.nextafter(values, np.float32(9))),
        ("r1_scale", lambda values: values * np.float32(1.1)),
        ("image_zero_point", lambda values: values + np.int8(1)),
    ],
)
def test_attack_activation_parameters_are_found_by_replay(
    name: str, change: Callable[[Any], Any], tmp_path: Path
) -> None:
    model = graphs.cnn()
    path = graphs.static(model, tmp_path / "c.onnx", qdq=True)
    child, parent = edited(path, change, name), saved(model, tmp_path / "p.onnx")
    found = prove(child, parent, calibration=calibration(model), requantize=quantize)
    assert found.verdict != "replayed"


def test_attack_a_weight_changed_under_a_declared_recipe(tmp_path: Path) -> None:
    model = graphs.mlp()
    parent, recipe = saved(model, tmp_path / "p.onnx"), Recipe(mode="dynamic")
    (tmp_path / "c.onnx").write_bytes(quantize(parent.views, parent.path, recipe))

    def bent(values: Any) -> Any:
        values.reshape(-1)[3] ^= 1
        return values

    found = prove(
        edited(tmp_path / "c.onnx", bent, "w1_quantized"), parent, recipe=recipe, requantize=quantize
    )
    assert found.verdict == "non-nearest"
    assert found.options is None


def doubled(data: bytes) -> Loaded:
    """A second initializer before the honest one: ONNX Runtime takes the first, others the last."""
    model = onnx.load_from_string(data)
    weight = next(one for one in model.graph.initializer if one.name.endswith("w1_quantized"))
    turned = numpy_helper.from_array(numpy_helper.to_array(weight)[::-1].copy(), weight.name)
    model.graph.initializer.insert(0, turned)
    return load({"m.onnx": model.SerializeToString()}, "m.onnx")


def test_attack_two_initializers_of_one_name_are_unexplained_whatever_is_replayed(tmp_path: Path) -> None:
    parent, recipe = saved(graphs.mlp(), tmp_path / "p.onnx"), Recipe(mode="dynamic")
    child = doubled(quantize(parent.views, parent.path, recipe))
    for declared in (recipe, None):
        found = prove(child, parent, recipe=declared, requantize=quantize)
        assert (found.verdict, found.options) == ("unexplained", None)
        assert [(one.name, one.reason) for one in found.nodes] == [
            ("w1_quantized", "two values have this name")
        ]
    equal = replay_guessed(child, parent, [recipe], None, quantize, clock=Clock())
    assert equal.recipe is None
    assert "two values have one name" in equal.reason


def test_attack_a_parent_with_two_values_of_one_name_proves_nothing(tmp_path: Path) -> None:
    model, recipe = graphs.mlp(), Recipe(mode="dynamic")
    plain = saved(model, tmp_path / "p.onnx")
    child = load({"c.onnx": quantize(plain.views, plain.path, recipe)}, "c.onnx")
    model.graph.initializer.append(model.graph.initializer[0])
    found = prove(child, saved(model, tmp_path / "q.onnx"), recipe=recipe, requantize=quantize)
    assert found.verdict == "unexplained"
    assert "in the parent" in found.nodes[0].reason


def test_a_replay_explains_nothing_that_is_unexplained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever two contents may have in common one day: the replay lifts "derived" only."""
    parent, recipe = saved(graphs.mlp(), tmp_path / "p.onnx"), Recipe(mode="dynamic")
    (tmp_path / "c.onnx").write_bytes(quantize(parent.views, parent.path, recipe))
    monkeypatch.setattr("registry.onnx.lineage.replay.fingerprint", lambda loaded: b"the same")
    child = edited(tmp_path / "c.onnx", lambda values: values[::-1], "w1_quantized")
    found = prove(child, parent, recipe=recipe, requantize=quantize)
    assert (found.verdict, found.options) == ("unexplained", None)
    assert found.reasons[0].endswith("gives the same content; what it does not explain stays so")
    assert len(found.reasons) > 1
    honest = prove(loaded(tmp_path / "c.onnx"), parent, recipe=recipe, requantize=quantize)
    assert honest.verdict == "replayed"


class Clock:
    """Ten seconds pass at every look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 10.0
        return self.now


def test_guessing_ends_with_its_budget_and_says_so(tmp_path: Path) -> None:
    model = saved(graphs.mlp(), tmp_path / "p.onnx")
    runs = []

    def requantize(
        files: Mapping[str, Buffer], path: str, recipe: Recipe, calibration: Calibration | None
    ) -> bytes:
        runs.append(recipe)
        raise InvalidModel("it cannot be quantized so")

    def endless() -> Iterator[Recipe]:
        while True:
            yield Recipe(mode="dynamic")

    found = replay_guessed(model, model, endless(), None, requantize, clock=Clock(), budget=35.0)
    assert found.recipe is None
    assert found.reason == f"none of the {len(runs)} likeliest recipes gives the same content"
    assert len(runs) == 4


def test_the_child_is_never_run(tmp_path: Path) -> None:
    """Only the parent's files reach the requantizer."""
    model = graphs.mlp()
    parent = saved(model, tmp_path / "p.onnx")
    child = loaded(graphs.dynamic(model, tmp_path / "c.onnx"))
    seen = []

    def requantize(
        files: Mapping[str, Buffer], path: str, recipe: Recipe, calibration: Calibration | None
    ) -> bytes:
        seen.extend(files.values())
        return quantize(files, path, recipe, calibration)

    assert prove(child, parent, requantize=requantize).verdict == "replayed"
    assert all(any(view is held for held in parent.views.values()) for view in seen)
