"""The same recipe gives the same bytes again, and they are those of ONNX Runtime's own functions."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import registry
from registry.onnx.quantize import Recipe, calibration_of, quantize, workshop
from support import graphs, recipes

PATH = "model.onnx"
RECIPES = {name: recipe for name, (recipe, _) in recipes.MODES.items()}
BY_GRAPH = [("transformer", name) for name in RECIPES] + [
    ("cnn", "static-qdq-minmax"),
    ("cnn", "dynamic-int8"),
]


@functools.cache
def parent(graph: str) -> onnx.ModelProto:
    return graphs.FLOATS[graph]()


def made(graph: str, recipe: Recipe, **options: Any) -> bytes:
    model = parent(graph)
    return quantize({PATH: model.SerializeToString()}, PATH, recipe, recipes.calibration(model), **options)


@functools.cache
def first(graph: str, name: str) -> bytes:
    return made(graph, RECIPES[name])


@pytest.mark.parametrize(("graph", "name"), BY_GRAPH)
def test_again_in_a_new_process_with_one_thread(graph: str, name: str, other_process: None) -> None:
    assert made(graph, RECIPES[name], threads=1) == first(graph, name)


@pytest.fixture(scope="module")
def other_process() -> Iterator[None]:
    """From here on, a worker that has done none of the work before."""
    for graph, name in BY_GRAPH:
        first(graph, name)
    workshop.close()
    yield
    workshop.close()


_WORKER = """
import hashlib, json, pathlib, sys, tempfile
from registry.onnx.quantize import Recipe
from registry.onnx.quantize.calibration import parse_calibration
from registry.onnx.quantize.produce import Job, produce
from registry.progress import SILENT

folder = pathlib.Path(sys.argv[1])
data = parse_calibration(memoryview((folder / "data").read_bytes()))
found = {}
for name, recipe in json.loads((folder / "recipes").read_text()).items():
    with tempfile.TemporaryDirectory() as scratch:
        files = {"model.onnx": memoryview((folder / "model").read_bytes())}
        how = Recipe.from_dict(recipe)
        given = data if how.needs_calibration else None
        job = Job(files, "model.onnx", how, given, pathlib.Path(scratch), 2)
        found[name] = hashlib.sha256(produce(job, SILENT)).hexdigest()
(folder / "found").write_text(json.dumps(found))
"""


def test_the_order_of_sets_makes_no_difference(tmp_path: Path) -> None:
    """A worker fixes the hash seed; the results do not depend on which."""
    model = parent("transformer")
    chosen = {name: recipe for name, recipe in RECIPES.items() if "entropy" not in name}
    (tmp_path / "model").write_bytes(model.SerializeToString())
    (tmp_path / "data").write_bytes(b"".join(recipes.calibration(model).canonical()))
    (tmp_path / "recipes").write_text(json.dumps({name: one.to_dict() for name, one in chosen.items()}))
    home = str(Path(registry.__file__).parents[1])
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": home}
    command = [sys.executable, "-c", _WORKER, str(tmp_path)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    found = json.loads((tmp_path / "found").read_text())
    assert found == {name: hashlib.sha256(first("transformer", name)).hexdigest() for name in chosen}


def test_nothing_of_the_moment_is_inside() -> None:
    for name in ("static-qdq-minmax", "dynamic-int8", "nbits-int4"):
        data = first("transformer", name)
        for trace in (b"/dev/shm", b"/tmp", b"ort.quant", b"hallmark", b"onnx.infer"):
            assert trace not in data


def test_other_data_gives_other_bytes() -> None:
    model = parent("mlp")
    files = {PATH: model.SerializeToString()}
    found = {quantize(files, PATH, Recipe(), recipes.calibration(model, samples)) for samples in (3, 12)}
    assert len(found) == 2


# --- beside ONNX Runtime's own functions ------------------------------------------------------


class Reader:
    """All samples, as quantize_static takes them."""

    def __init__(self, feeds: list[dict[str, Any]]) -> None:
        self._left = iter(feeds)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._left, None)


@pytest.fixture
def quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def constants(model: onnx.ModelProto) -> dict[str, bytes]:
    found = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    return {name: str(array.dtype).encode() + array.tobytes() for name, array in found.items()}


def operators(model: onnx.ModelProto) -> list[str]:
    return sorted(node.op_type for node in model.graph.node)


STATIC = {
    "qdq-minmax": (Recipe(), {}, {}),
    "qdq-percentile": (
        Recipe(calibration="Percentile"),
        {"calibrate_method": "Percentile"},
        {"CalibTensorRangeSymmetric": False},
    ),
    "qoperator": (Recipe(format="QOperator"), {"quant_format": "QOperator"}, {}),
    "reduced-per-tensor": (
        Recipe(reduce_range=True, per_channel=False),
        {"reduce_range": True, "per_channel": False},
        {},
    ),
}


@pytest.mark.parametrize("graph", ["mlp", "cnn", "transformer"])
@pytest.mark.parametrize("name", STATIC)
@pytest.mark.usefixtures("quiet")
def test_static_is_what_quantize_static_makes(tmp_path: Path, graph: str, name: str) -> None:
    """Sample by sample over ranges known before gives the same histograms as all samples at once."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    recipe, options, extra = STATIC[name]
    model = parent(graph)
    feeds = [graphs.feeds(model, seed=seed) for seed in range(5)]
    source, target = graphs.save(model, tmp_path / "float.onnx"), tmp_path / "int8.onnx"
    quantize_static(
        source,
        target,
        Reader(feeds),
        **{"per_channel": True, "activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        | {key: value for key, value in options.items() if not isinstance(value, str)},
        quant_format=QuantFormat[options.get("quant_format", "QDQ")],
        calibrate_method=CalibrationMethod[options.get("calibrate_method", "MinMax")],
        extra_options={"WeightSymmetric": True, "ActivationSymmetric": False} | extra,
    )
    expected = onnx.load(target)
    found = onnx.load_from_string(quantize({PATH: source.read_bytes()}, PATH, recipe, calibration_of(feeds)))
    assert operators(found) == operators(expected)
    assert constants(found) == constants(expected)


@pytest.mark.parametrize("graph", list(graphs.FLOATS))
@pytest.mark.usefixtures("quiet")
def test_dynamic_is_what_quantize_dynamic_makes(tmp_path: Path, graph: str) -> None:
    from onnxruntime.quantization import quantize_dynamic

    source, target = graphs.save(parent(graph), tmp_path / "float.onnx"), tmp_path / "int8.onnx"
    quantize_dynamic(source, target, per_channel=True, extra_options={"EnableSubgraph": True})
    expected = onnx.load(target)
    found = onnx.load_from_string(quantize({PATH: source.read_bytes()}, PATH, Recipe(mode="dynamic")))
    assert operators(found) == operators(expected)
    assert sorted(constants(found).values()) == sorted(constants(expected).values())


def test_entropy_has_the_histograms_of_all_samples_at_once() -> None:
    """Samples of very different ranges, the small ones first: bins follow the whole, not the first."""
    feeds = [{"x": np.full((2, 16), scale, np.float32)} for scale in (1e-6, 1.0, 50.0)]
    files = {PATH: parent("mlp").SerializeToString()}
    recipe = Recipe(calibration="Entropy", bins=160)
    orders = {quantize(files, PATH, recipe, calibration_of(order)) for order in (feeds, feeds[::-1])}
    assert len(orders) == 1
