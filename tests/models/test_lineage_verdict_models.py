"""Whole models: what ONNX Runtime makes is derived, and what was done to it afterwards is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnxruntime.quantization import QuantType

from registry.onnx.lineage.prove import prove
from registry.onnx.loaded import Loaded, load
from support import graphs

Array = np.ndarray[Any, Any]
Make = Callable[[onnx.ModelProto, Path], Path]
UNSIGNED = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8}
MAKES: dict[str, Make] = {
    "dynamic": lambda model, path: graphs.dynamic(model, path),
    "dynamic per channel": lambda model, path: graphs.dynamic(model, path, per_channel=True),
    "QDQ": lambda model, path: graphs.static(model, path, qdq=True),
    "QDQ per channel, reduced": lambda model, path: graphs.static(
        model, path, qdq=True, per_channel=True, reduce_range=True
    ),
    "QDQ unsigned": lambda model, path: graphs.static(model, path, qdq=True, **UNSIGNED),
    "QOperator": lambda model, path: graphs.static(model, path, qdq=False),
    "QOperator unsigned": lambda model, path: graphs.static(model, path, qdq=False, **UNSIGNED),
}
PACKED: dict[str, Make] = {
    "four bits": lambda model, path: graphs.nbits(model, path, block_size=32),
    "four bits symmetric": lambda model, path: graphs.nbits(model, path, block_size=32, is_symmetric=True),
    "four bits QDQ": lambda model, path: graphs.nbits(model, path, qdq=True, block_size=16),
    "eight bits": lambda model, path: graphs.nbits(model, path, bits=8, block_size=32),
    "NF4": lambda model, path: graphs.bnb4(model, path),
    "FP4": lambda model, path: graphs.bnb4(model, path, nf4=False),
}
CASES = [(name, make) for name in ("mlp", "cnn", "transformer") for make in MAKES]
CASES += [(name, make) for name in ("mlp", "transformer") for make in PACKED]


def loaded(model: onnx.ModelProto) -> Loaded:
    return load({"m.onnx": model.SerializeToString()}, "m.onnx")


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def family(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[onnx.ModelProto, Loaded]:
    """A child, and its parent."""
    name, make = request.param
    parent = graphs.FLOATS[name]()
    path = (MAKES | PACKED)[make](parent, tmp_path / "child.onnx")
    return onnx.load(path), loaded(parent)


def _ends(tensor: onnx.TensorProto, *ends: str) -> bool:
    return tensor.name.endswith(ends) and int(np.prod(tensor.dims)) > 1


def _weights(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Quantized constants of whole bytes, int32 biases apart."""
    for tensor in model.graph.initializer:
        whole = tensor.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
        if whole and _ends(tensor, "_quantized", "_Q4", "_Q8", "_Bnb4"):
            yield tensor


def _biases(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    kept = (onnx.TensorProto.INT32, onnx.TensorProto.FLOAT)
    names = (".b", ".b_quantized", "b1", "b2", "g1")
    return (one for one in model.graph.initializer if one.data_type in kept and _ends(one, *names))


def _scales(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    names = {one.name for one in model.graph.initializer}
    for tensor in model.graph.initializer:
        stem = tensor.name.removesuffix("_scale")
        if f"{stem}_quantized" in names or tensor.name.endswith(("_scales", "_absmax")):
            yield tensor


def _put(tensor: onnx.TensorProto, values: Array) -> None:
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))


def _one_step(tensor: onnx.TensorProto, generator: np.random.Generator) -> None:
    values = numpy_helper.to_array(tensor).copy()
    at = generator.integers(values.size)
    if values.dtype == np.float32:
        values.reshape(-1)[at] = np.nextafter(values.reshape(-1)[at], np.float32(np.inf))
    else:
        values.reshape(-1)[at] ^= 1  # of two packed numbers, the first
    _put(tensor, values)


def _ulp(tensor: onnx.TensorProto, generator: np.random.Generator) -> None:
    values = numpy_helper.to_array(tensor).copy()
    at = generator.integers(values.size)
    toward = np.float32(generator.choice([-np.inf, np.inf]))
    values.reshape(-1)[at] = np.nextafter(values.reshape(-1)[at], toward)
    _put(tensor, values)


def _rows(tensor: onnx.TensorProto, generator: np.random.Generator) -> None:
    values = numpy_helper.to_array(tensor).copy()
    one, other = generator.choice(len(values), 2, replace=False)
    values[[one, other]] = values[[other, one]]
    _put(tensor, values)


def _attacked(
    model: onnx.ModelProto, found: list[onnx.TensorProto], change: Callable[..., None], seed: int
) -> Loaded:
    """The model with one of these constants changed, put back afterwards."""
    generator = np.random.default_rng(seed)
    tensor = found[generator.integers(len(found))]
    before = onnx.TensorProto()
    before.CopyFrom(tensor)
    change(tensor, generator)
    assert tensor.SerializeToString() != before.SerializeToString()
    attacked = loaded(model)
    tensor.CopyFrom(before)
    return attacked


def test_honest_children_are_derived_and_every_attack_on_their_numbers_is_found(
    family: tuple[onnx.ModelProto, Loaded],
) -> None:
    child, parent = family
    honest = prove(loaded(child), parent)
    assert honest.verdict == "derived", honest.reasons
    assert {verdict for verdict, _ in honest.counts} <= {"recomputed", "identical"}
    attacks = (
        (list(_weights(child)), _one_step),
        (list(_weights(child)), _rows),
        (list(_biases(child)), _one_step),
        (list(_scales(child)), _ulp),
    )
    for found, change in attacks:
        wanted = [one for one in found if change is not _rows or len(one.dims) > 1]
        for seed in range(3 if wanted else 0):
            lineage = prove(_attacked(child, wanted, change, seed), parent)
            assert lineage.verdict in ("non-nearest", "unexplained"), (change, seed, lineage)
            assert lineage.reasons


def test_a_twin_with_other_weights_is_no_parent(tmp_path: Path) -> None:
    parent, twin = graphs.mlp(), graphs.mlp()
    for tensor in twin.graph.initializer:
        values = numpy_helper.to_array(tensor)
        noise = np.random.default_rng(0).standard_normal(values.shape, dtype=np.float32)
        _put(tensor, values + np.float32(1e-3) * noise)
    child = load({"c": graphs.dynamic(parent, tmp_path / "c.onnx").read_bytes()}, "c")
    assert prove(child, loaded(parent)).verdict == "derived"
    assert prove(child, loaded(twin)).verdict in ("non-nearest", "unexplained")


def test_an_idle_constant_is_a_node_in_the_list(tmp_path: Path) -> None:
    parent = graphs.mlp()
    child = onnx.load(graphs.dynamic(parent, tmp_path / "c.onnx"))
    child.graph.initializer.append(numpy_helper.from_array(np.zeros(9, np.float32), "payload"))
    found = prove(loaded(child), loaded(parent))
    assert found.verdict == "unexplained"
    assert any("payload" in one.name for one in found.nodes)


def test_the_same_evidence_gives_the_same_words(tmp_path: Path) -> None:
    parent = graphs.transformer()
    child = load({"c": graphs.static(parent, tmp_path / "c.onnx", qdq=True).read_bytes()}, "c")
    assert prove(child, loaded(parent)).to_dict() == prove(child, loaded(parent)).to_dict()


def test_attack_scales_of_weights_that_are_rounded_as_the_model_runs(tmp_path: Path) -> None:
    """With AddQDQPairToWeight the file holds float weights and their scales, no integers."""
    parent = graphs.mlp()
    path = graphs.static(
        parent, tmp_path / "c.onnx", qdq=True, per_channel=True, extra_options={"AddQDQPairToWeight": True}
    )
    child = onnx.load(path)
    honest = prove(loaded(child), loaded(parent))
    assert honest.verdict == "derived"
    assert dict(honest.counts) == {"recomputed": 4, "identical": 4}
    scales = [one for one in child.graph.initializer if one.name in ("w1_scale", "w2_scale", "b1_scale")]
    for seed in range(6):
        attacked = prove(_attacked(child, scales, _ulp, seed), loaded(parent))
        assert attacked.verdict == "unexplained", attacked.reasons


@pytest.mark.parametrize("qdq", [True, False], ids=["QDQ", "QOperator"])
def test_scales_widened_for_the_bias_of_a_dead_channel_are_a_recipes_own(tmp_path: Path, qdq: bool) -> None:
    """A channel of tiny weights beside a bias: its scale must be longer, or the bias does not fit int32."""
    model = graphs.cnn()
    weight = next(one for one in model.graph.initializer if one.name == "conv1.w")
    numbers = numpy_helper.to_array(weight).copy()
    numbers[0] *= np.float32(1e-12)
    weight.CopyFrom(numpy_helper.from_array(numbers, weight.name))
    child = graphs.static(model, tmp_path / "child.onnx", qdq=qdq, per_channel=True)
    found = prove(loaded(onnx.load(child)), loaded(model))
    assert found.verdict == "derived"
    reasons = {one.name: one.reason for one in found.tensors}
    assert "widened" in reasons["conv1.w_quantized"]
