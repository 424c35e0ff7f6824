"""Quantize as a deed: a child is published, its recipe signed, and nothing of the float model left about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from registry import acts, quantizing
from registry.attesting import attestations
from registry.checkout import checkout
from registry.context import Context
from registry.errors import Denied, Hostile, InvalidInput, InvalidReference, NotFound, NotPermitted
from registry.fsck import fsck
from registry.onnx.quantize import Recipe, load_calibration, quantize, scratch
from registry.push import push
from registry.quantizing import Quantized
from support import graphs, worlds
from support.company import Company

DYNAMIC = Recipe(mode="dynamic")


def make(
    context: Context, source: object, to: str = "vision/net-int8", *given: Any, **options: Any
) -> Quantized:
    return quantizing.quantize(context, str(source), to, *given, **{"proof": False} | options)


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where the work is done, empty before and after."""
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(scratch, "_MEMORY", memory)
    yield
    assert list(memory.iterdir()) == []


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    return worlds.make_model(tmp_path / "float", "cnn", "net.onnx")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "samples.npz"
    model = graphs.cnn()
    np.savez(path, image=np.stack([graphs.feeds(model, seed=seed)["image"] for seed in range(6)]))
    return path


def recipe_of(context: Context, ref: str) -> dict[str, Any]:
    _, found = attestations(context, ref)
    (record,) = [one for one in found if one["type"] == acts.RECIPE]
    predicate: dict[str, Any] = record["predicate"]
    return predicate


def test_the_recipe_is_signed_with_the_version(context: Context, parent: Path, data: Path) -> None:
    done = make(
        context, parent, calibration=data, label="1.0-int8", aliases=["prod"], metadata={"owner": "me"}
    )
    assert (str(done.pushed.ref), done.path, done.samples) == ("vision/net-int8:1", "net.int8.onnx", 6)
    said = recipe_of(context, "vision/net-int8:prod")
    assert Recipe.from_dict(said["recipe"]) == done.recipe == Recipe()
    assert said["model"] == "net.int8.onnx"
    assert set(said["tools"]) == {"hallmark", "numpy", "onnx", "onnxruntime"}
    assert said["calibration"] == {"digest": load_calibration(data).digest, "samples": 6}
    content = hashlib.sha256(parent.read_bytes()).hexdigest()
    assert said["parent"]["files"] == {"net.onnx": content}
    assert (said["parent"]["model"], said["parent"]["reference"]) == ("net.onnx", None)
    checked = fsck(context)
    assert (checked.findings, checked.orphans) == ((), ())


def test_the_signed_recipe_makes_the_same_bytes_again(context: Context, parent: Path, data: Path) -> None:
    make(context, parent, calibration=data)
    said = recipe_of(context, "vision/net-int8")
    files = {"net.onnx": parent.read_bytes()}
    again = quantize(files, "net.onnx", Recipe.from_dict(said["recipe"]), load_calibration(data))
    assert bytes(checkout(context, "vision/net-int8").files["net.int8.onnx"]) == again


@pytest.mark.parametrize(
    "recipe",
    [Recipe(), DYNAMIC, Recipe(mode="weight-only"), Recipe(mode="weight-only", weight_type="NF4")],
    ids=lambda one: f"{one.mode}-{one.weight_type}",
)
def test_its_lineage_is_proven_and_signed(context: Context, parent: Path, data: Path, recipe: Recipe) -> None:
    given = data if recipe.needs_calibration else None
    done = make(context, parent, recipe=recipe, calibration=given, proof=True)
    assert done.pushed.lineage == "replayed"
    _, found = attestations(context, "vision/net-int8")
    assert {one["type"] for one in found} == {acts.QUANTIZATION, acts.RECIPE, acts.LINEAGE}


def test_the_data_itself_is_nowhere(context: Context, home: Path, parent: Path, data: Path) -> None:
    make(context, parent, calibration=data, keep_parent=True)
    sample = np.load(data)["image"][3].tobytes()[:64]
    weight = graphs.cnn().graph.initializer[2].raw_data[:64]
    assert len(sample) == len(weight) == 64
    for file in home.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert sample not in content
            assert weight not in content


def test_the_parent_is_kept_once(context: Context, parent: Path) -> None:
    (parent.parent / "notes.txt").write_text("not part of the model")
    first = make(context, parent.parent, recipe=DYNAMIC, keep_parent=True)
    again = make(context, parent, recipe=Recipe(mode="weight-only"), keep_parent=True)
    assert (str(first.origin), str(again.origin)) == ("vision/net-int8-fp32:1",) * 2
    assert first.parent == "vision/net-int8-fp32:1"
    kept = checkout(context, "vision/net-int8-fp32")
    assert {name: bytes(view) for name, view in kept.files.items()} == {"net.onnx": parent.read_bytes()}
    for ref in ("vision/net-int8:1", "vision/net-int8:2"):
        said = recipe_of(context, ref)["parent"]
        assert (said["reference"], said["digest"]) == ("vision/net-int8-fp32:1", kept.digest)


def test_another_parent_is_kept_as_the_next_version(context: Context, parent: Path, tmp_path: Path) -> None:
    make(context, parent, recipe=DYNAMIC, keep_parent=True)
    other = worlds.make_model(tmp_path / "other", "mlp", "net.onnx")
    assert str(make(context, other, recipe=DYNAMIC, keep_parent=True).origin) == "vision/net-int8-fp32:2"


def test_external_data_goes_with_the_parent(context: Context, tmp_path: Path) -> None:
    parent = worlds.make_model(tmp_path / "float", "mlp", "net.onnx", external="weights.bin")
    done = make(context, parent, recipe=DYNAMIC, keep_parent=True)
    assert set(checkout(context, str(done.origin)).files) == {"net.onnx", "weights.bin"}
    assert set(recipe_of(context, "vision/net-int8")["parent"]["files"]) == {"net.onnx", "weights.bin"}
    assert set(checkout(context, "vision/net-int8").files) == {"net.int8.onnx"}


def test_a_version_is_quantized_where_it_lies(context: Context, parent: Path) -> None:
    pushed = push(context, parent, "vision/net")
    done = make(context, "vision/net:1", recipe=DYNAMIC, keep_parent=True)
    assert (done.parent, str(done.origin)) == ("vision/net:1", "vision/net:1")
    assert recipe_of(context, "vision/net-int8")["parent"]["digest"] == pushed.digest
    with pytest.raises(NotFound):
        checkout(context, "vision/net-int8-fp32")


def test_the_default_is_static_with_data_and_dynamic_without(
    context: Context, parent: Path, data: Path
) -> None:
    assert make(context, parent, calibration=data).recipe.mode == "static"
    assert make(context, parent).recipe.mode == "dynamic"


def test_data_that_the_recipe_does_not_use_is_refused(context: Context, parent: Path, data: Path) -> None:
    with pytest.raises(InvalidInput, match="uses no calibration data"):
        make(context, parent, recipe=DYNAMIC, calibration=data)
    with pytest.raises(InvalidInput, match="needs calibration data"):
        make(context, parent, recipe=Recipe())


@pytest.mark.parametrize("to", ["vision/net:1", "vision/net:prod", "nonsense"])
def test_what_is_no_model_is_refused_before_any_work(context: Context, to: str) -> None:
    with pytest.raises(InvalidReference):
        make(context, "/absent.onnx", to)


def test_a_failure_publishes_nothing(context: Context, parent: Path) -> None:
    before = worlds.dump(context)
    with pytest.raises(InvalidInput, match="no such node"):
        make(context, parent, recipe=Recipe(mode="dynamic", exclude=("absent",)), keep_parent=True)
    assert worlds.dump(context) == before


def test_a_hostile_parent_is_refused_before_it_is_loaded(context: Context, tmp_path: Path) -> None:
    model = graphs.mlp()
    for name, value in (("low", -(1 << 31)), ("minus", -1)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([value], np.int32), name))
    model.graph.node.append(helper.make_node("Div", ["low", "minus"], ["q"], "divide"))
    model.graph.output.append(helper.make_tensor_value_info("q", TensorProto.INT32, [1]))
    with pytest.raises(Hostile):
        make(context, graphs.save(model, tmp_path / "killer.onnx"), recipe=DYNAMIC)


def test_whoever_may_not_push_publishes_nothing(staffed: Company, parent: Path) -> None:
    with staffed.open("bob") as context, pytest.raises(Denied):
        make(context, parent, "vision/net", DYNAMIC)


def test_whoever_may_not_push_there_learns_it_before_the_work(company: Company, tmp_path: Path) -> None:
    company.enroll("bob")
    model = graphs.save(graphs.mlp(), tmp_path / "mlp.onnx")
    with company.open("bob") as context, pytest.raises(NotPermitted):
        quantizing.quantize(context, str(tmp_path / "gone.onnx"), "vision/mlp")  # not even looked at
    with company.open("bob") as context, pytest.raises(NotPermitted):
        quantizing.quantize(context, str(model), "vision/mlp")
