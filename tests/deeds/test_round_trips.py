"""Push, checkout, pull, verify: what comes back is what went in, bit for bit, on each backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest

import registry
from registry.checkout import VerifiedModel, checkout
from registry.context import Context
from registry.errors import InvalidInput
from registry.fsck import fsck
from registry.push import push
from support import graphs, worlds
from support.running import plain, same


@dataclass(frozen=True)
class Recipe:
    """How a model is made, and what the registry must find out about it by itself."""

    source: str  # of support.graphs.FLOATS
    make: Callable[[onnx.ModelProto, Path], Path]  # writes the model to a path, and more beside it
    mode: str
    format: str
    types: frozenset[str] = frozenset()  # of the quantized weights
    granularity: str | None = None
    block_size: int | None = None


def _save(**options: Any) -> Callable[[onnx.ModelProto, Path], Path]:
    return lambda model, path: graphs.save(model, path, **options)


def _static(form: str, granularity: str) -> Callable[[onnx.ModelProto, Path], Path]:
    return lambda model, path: graphs.static(
        model, path, qdq=form == "QDQ", per_channel=granularity == CHANNEL
    )


def _dynamic(granularity: str) -> Callable[[onnx.ModelProto, Path], Path]:
    return lambda model, path: graphs.dynamic(model, path, per_channel=granularity == CHANNEL)


def _outside(path: Path) -> Path:
    """Move the weights of a model into a file beside it."""
    return graphs.save(onnx.load(path), path, external="model.onnx.data")


def _apart(model: onnx.ModelProto, path: Path) -> Path:
    return _outside(_static("QDQ", CHANNEL)(model, path))


INT8, CHANNEL, TENSOR = frozenset({"INT8"}), "per-channel", "per-tensor"
EITHER = INT8 | {"UINT8"}  # the dynamic quantizer takes uint8 for what Gather reads
FOUR = frozenset({"UINT4"})
RECIPES = {
    "float": Recipe("mlp", _save(), "float", "none"),
    "float, external data": Recipe("cnn", _save(external="weights.bin"), "float", "none"),
    "float, a file for each weight": Recipe("branching", _save(each=True), "float", "none"),
    "dynamic per tensor": Recipe("transformer", _dynamic(TENSOR), "dynamic", "QOperator", EITHER, TENSOR),
    "dynamic per channel": Recipe("mlp", _dynamic(CHANNEL), "dynamic", "QOperator", INT8, CHANNEL),
    "static QDQ per tensor": Recipe("mlp", _static("QDQ", TENSOR), "static", "QDQ", INT8, TENSOR),
    "static QDQ per channel": Recipe("cnn", _static("QDQ", CHANNEL), "static", "QDQ", INT8, CHANNEL),
    "static QDQ, external data": Recipe("cnn", _apart, "static", "QDQ", INT8, CHANNEL),
    "static QOperator": Recipe("mlp", _static("QOperator", TENSOR), "static", "QOperator", INT8, TENSOR),
    "weight-only, 4 bit": Recipe(
        "transformer", partial(graphs.nbits, block_size=32), "weight-only", "QOperator", FOUR, "blockwise", 32
    ),
}


def _make(name: str, where: Path) -> Path:
    where.mkdir()
    RECIPES[name].make(graphs.FLOATS[RECIPES[name].source](), where / "model.onnx")
    return where


def _ref(name: str) -> str:
    return "made/" + name.replace(" ", "-").replace(",", "")


def _check(name: str, source: Path, model: VerifiedModel, pulled: Path) -> None:
    feeds = graphs.feeds(graphs.FLOATS[RECIPES[name].source](), seed=3)
    expected = plain(source / "model.onnx", feeds)
    with model.session() as session:
        assert same(session.run(None, feeds), expected), f"{name}: in memory"
    assert same(plain(pulled / "model.onnx", feeds), expected), f"{name}: pulled"
    files = graphs.files_of(source)
    assert {path: bytes(view) for path, view in model.files.items()} == files
    assert {path: data for path, data in graphs.files_of(pulled).items() if path != "model.sig"} == files
    assert (model.facts["model.onnx"].mode, model.facts["model.onnx"].format) == (
        RECIPES[name].mode,
        RECIPES[name].format,
    )


def test_every_kind_of_model_comes_back_bit_for_bit(anywhere: Context, tmp_path: Path) -> None:
    with registry.connect(anywhere.paths.home) as hallmark:
        for number, name in enumerate(RECIPES):
            source = _make(name, tmp_path / f"source-{number}")
            pushed = hallmark.push(source, _ref(name))
            model = hallmark.checkout(_ref(name))
            target = tmp_path / f"pulled-{number}"
            pulled = hallmark.pull(_ref(name), target)
            _check(name, source, model, target)
            assert pushed.digest == model.digest == pulled.digest == model.manifest.digest
            assert pushed.size == pulled.size == sum(map(len, graphs.files_of(source).values()))
        last = hallmark.verify(_ref(name))
    assert [outcome.number for outcome in last if outcome.ok] == list(range(1, 13))
    assert _clean(anywhere)


def _clean(context: Context) -> bool:
    checked = fsck(context)
    return not (checked.findings or checked.orphans or checked.under_way)


@pytest.mark.parametrize("name", RECIPES)
def test_the_database_says_what_the_recipe_made(context: Context, tmp_path: Path, name: str) -> None:
    recipe = RECIPES[name]
    push(context, _make(name, tmp_path / "source"), "made/model")
    rows = worlds.dump(context)
    (facts,) = rows["quantization"]
    assert (facts["path"], facts["mode"], facts["format"]) == ("model.onnx", recipe.mode, recipe.format)
    weights = [row for row in rows["quantized_tensors"] if row["role"] == "weight" and row["stored"]]
    assert {row["type"] for row in weights} == recipe.types
    assert facts["quantized_weights"] == len(weights)
    for row in weights:
        assert (row["granularity"], row["block_size"]) == (recipe.granularity, recipe.block_size)
        assert row["bits"] == (4 if recipe.types == FOUR else 8)
        assert (row["axis"] is not None) == (
            recipe.granularity == CHANNEL
        ) or recipe.granularity == "blockwise"
    domains = {row["domain"]: row["version"] for row in rows["opsets"]}
    assert domains["ai.onnx"] >= graphs.OPSET


def test_models_can_be_found_by_their_facts(context: Context, tmp_path: Path) -> None:
    """Columns, not only JSON: SQL answers which versions are static, per channel, in INT8."""

    for name in ("float", "dynamic per channel", "static QDQ per channel", "static QDQ per tensor"):
        push(context, _make(name, tmp_path / _ref(name).replace("/", "-")), _ref(name))
    with context.engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT DISTINCT q.model FROM quantization q JOIN quantized_tensors t"
            " ON t.model = q.model AND t.number = q.number AND t.path = q.path"
            " WHERE q.mode = 'static' AND t.granularity = 'per-channel' AND t.type = 'INT8'"
        ).scalars()
        assert list(found) == [_ref("static QDQ per channel")]


def test_the_python_interface_needs_no_more_than_a_home(
    home: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_HOME", str(home))
    with registry.connect() as hallmark:
        pushed = hallmark.push(model, "vision/net", label="first", metadata={"team": "vision"})
        checked = hallmark.checkout("vision/net:first", purpose="evaluation")
        assert len(hallmark.registry_id) == 64
    assert (checked.publisher, dict(checked.metadata)) == ("alice", {"team": "vision"})
    assert str(checked.ref) == "vision/net:1"
    assert checked.pull == pushed.seq + 1


def test_what_was_checked_out_cannot_be_changed(context: Context, model: Path) -> None:
    push(context, model, "vision/net", metadata={"a": "b"})
    verified = checkout(context, "vision/net")
    with pytest.raises(TypeError):
        verified.files["model.onnx"][0] = 0
    with pytest.raises(TypeError):
        verified.files["other"] = memoryview(b"")  # type: ignore[index]
    with pytest.raises(AttributeError):
        verified.digest = "0" * 64  # type: ignore[misc]
    with pytest.raises(TypeError, match="checkout"):
        VerifiedModel(object(), None, None, {}, ())  # type: ignore[arg-type]


def test_a_version_with_several_models_asks_which(context: Context, tmp_path: Path) -> None:
    worlds.make_model(tmp_path / "two", "mlp", "encoder.onnx")
    worlds.make_model(tmp_path / "two" / "deep", "cnn", "decoder.onnx")
    push(context, tmp_path / "two", "vision/pair")
    verified = checkout(context, "vision/pair")
    assert list(verified.facts) == ["deep/decoder.onnx", "encoder.onnx"]
    with pytest.raises(InvalidInput, match="several"):
        verified.session()
    with pytest.raises(InvalidInput, match="no such"):
        verified.session("model.onnx")
    feeds = graphs.feeds(graphs.cnn())
    with verified.session("deep/decoder.onnx") as session:
        assert same(session.run(None, feeds), plain(tmp_path / "two/deep/decoder.onnx", feeds))
