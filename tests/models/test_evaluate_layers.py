"""Noise inside a graph, found by position where the runtime's own helper goes by names and finds nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from registry.errors import InvalidInput
from registry.onnx.evaluate.measuring import Measurement
from registry.onnx.evaluate.ranking import added_noise
from registry.onnx.evaluate.tapping import TAPPED, tap
from registry.onnx.lineage.leaves import Matching
from registry.onnx.quantize import Calibration, calibration_of
from registry.onnx.session import build_session
from support import graphs

Feeds = Mapping[str, Any]
NAME = "model.onnx"
SAMPLES = 4  # one batch: a dynamic child computes its scales anew for every batch


def _data(model: onnx.ModelProto, samples: int = SAMPLES) -> Calibration:
    return calibration_of([graphs.feeds(model, seed=3, symbolic=samples)])


def _bytes(model: onnx.ModelProto) -> tuple[dict[str, bytes], str]:
    return {NAME: model.SerializeToString()}, NAME


def _plainly(model: onnx.ModelProto, value: str, feeds: Feeds) -> Any:
    return _together(model, [value], feeds)[value]


def _together(model: onnx.ModelProto, values: list[str], feeds: Feeds) -> dict[str, Any]:
    """The values as ONNX Runtime gives them where the onnx package adds the outputs."""
    kept = onnx.ModelProto()
    kept.CopyFrom(model)
    known = {one.name for one in kept.graph.output}
    kept.graph.output.extend(onnx.ValueInfoProto(name=name) for name in values if name not in known)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(kept.SerializeToString(), options)
    return dict(zip(values, session.run(values, dict(feeds)), strict=True))


def _constant(model: onnx.ModelProto, name: str) -> Any:
    return next(numpy_helper.to_array(one) for one in model.graph.initializer if one.name == name)


def _sqnr(ours: Any, theirs: Any) -> float:
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    noise = ((ours - theirs) ** 2).sum()
    return float(10 * np.log10((theirs**2).sum() / noise)) if noise else 200.0


KINDS = {
    "dynamic": lambda model, path: graphs.dynamic(model, path),
    "QDQ": lambda model, path: graphs.static(model, path, qdq=True, per_channel=True),
    "QOperator": lambda model, path: graphs.static(model, path, qdq=False),
    "NBits": lambda model, path: graphs.nbits(model, path, block_size=32),
    "Bnb4": lambda model, path: graphs.bnb4(model, path),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", ["mlp", "transformer"])
def test_layers_are_found_in_children_of_every_kind(kind: str, make: str, tmp_path: Path) -> None:
    parent = graphs.FLOATS[make]()
    child = onnx.load(KINDS[kind](parent, tmp_path / NAME))
    measurement = Measurement(_bytes(child), _bytes(parent), _data(parent))
    found = measurement.layers().layers
    weighty = {one.parent for one in found if one.operator == "ai.onnx.MatMul"}
    every = {node.output[0] for node in parent.graph.node if node.op_type == "MatMul"}
    # QOperator has an Add or Relu after the MatMul in it, and no value where the MatMul alone would end.
    missing = {"m1", "h"} if kind == "QOperator" else set()
    assert weighty >= every - missing
    feeds = graphs.feeds(parent, seed=3, symbolic=SAMPLES)
    mine = _together(child, [one.name for one in found], feeds)
    yours = _together(parent, [one.parent for one in found], feeds)
    for layer in found:
        if mine[layer.name].dtype == np.float32:
            expected = _sqnr(mine[layer.name], yours[layer.parent])
            assert layer.sqnr_mdb / 1000 == pytest.approx(expected, abs=0.01)


def test_integers_between_quantized_operators_count_by_their_scale(tmp_path: Path) -> None:
    parent = graphs.cnn()
    child = onnx.load(graphs.static(parent, tmp_path / NAME, qdq=False))
    measurement = Measurement(_bytes(child), _bytes(parent), _data(parent, samples=21))
    layer = next(one for one in measurement.layers().layers if one.name == "c1_quantized")
    assert (layer.parent, layer.operator) == ("r1", "ai.onnx.Relu")
    feeds = graphs.feeds(parent, seed=3, symbolic=21)
    integers = _plainly(child, "c1_quantized", feeds).astype(np.float32)
    ours = (integers - _constant(child, "c1_zero_point")) * _constant(child, "c1_scale")
    theirs = _plainly(parent, "r1", feeds)
    assert layer.sqnr_mdb / 1000 == pytest.approx(_sqnr(ours, theirs), abs=0.01)
    assert float(layer.largest_error) == pytest.approx(np.abs(ours - theirs).max(), rel=1e-4)


def test_names_mean_nothing(tmp_path: Path) -> None:
    """The child's values are called as other values of the parent: the same numbers come out."""
    parent = graphs.mlp()
    child = onnx.load(graphs.dynamic(parent, tmp_path / NAME))
    honest = Measurement(_bytes(child), _bytes(parent), _data(parent)).layers().layers
    for node in child.graph.node:
        for names in (node.input, node.output):
            for at, name in enumerate(names):
                names[at] = {"m1": "m2", "m2": "m1", "a1": "r1", "r1": "a1"}.get(name, name)
    swapped = Measurement(_bytes(child), _bytes(parent), _data(parent)).layers().layers
    assert [(one.parent, one.sqnr_mdb) for one in swapped] == [(one.parent, one.sqnr_mdb) for one in honest]
    assert [one.name for one in swapped] == ["m2", "r1", "a1", "m1", "y"]


def test_the_layer_that_adds_most_noise_comes_first(tmp_path: Path) -> None:
    """One weight of the child is spoilt: what follows it is as noisy, but does not add the noise."""
    parent = graphs.mlp()
    child = onnx.ModelProto()
    child.CopyFrom(parent)
    weight = next(one for one in child.graph.initializer if one.name == "w1")
    spoilt = numpy_helper.to_array(weight) * np.random.default_rng(0).normal(1, 0.2, (16, 32)).astype("f")
    weight.CopyFrom(numpy_helper.from_array(spoilt, "w1"))
    same = tuple((name, name) for name in ("m1", "a1", "r1", "m2", "y"))
    matching = Matching("raw", (), (), (), same, ())
    measurement = Measurement(_bytes(child), _bytes(parent), _data(parent), lambda *_: matching)
    ranked = added_noise(measurement.layers().layers, measurement.parent)
    assert ranked[0][0].parent == "m1"
    by_name = {layer.parent: noise for layer, noise in ranked}
    assert by_name["a1"] < 0.01 * by_name["m1"]


def test_graphs_that_do_not_match_have_no_layers_and_still_outputs() -> None:
    parent, child = graphs.mlp(), graphs.mlp()
    nothing = Matching("raw", (), (), (), (), ())
    measurement = Measurement(_bytes(child), _bytes(parent), _data(parent), lambda *_: nothing)
    assert measurement.layers().layers == ()
    assert measurement.outputs()[0].agreement_ppm == 1_000_000


def test_values_of_other_shapes_integers_and_constants_are_left_out() -> None:
    parent = graphs.transformer()
    wrong = (("q", "qk"), ("embedding", "embedding"), ("tokens", "tokens"), ("k", "k"), ("nowhere", "v"))
    matching = Matching("raw", (), (), (), wrong, ())
    measurement = Measurement(_bytes(parent), _bytes(parent), _data(parent), lambda *_: matching)
    assert [one.name for one in measurement.layers().layers] == ["k"]


def test_weights_inside_branches_do_not_hinder(tmp_path: Path) -> None:
    parent = graphs.branching()
    child = onnx.load(graphs.dynamic(parent, tmp_path / NAME, extra_options={"EnableSubgraph": True}))
    measurement = Measurement(_bytes(child), _bytes(parent), _data(parent))
    assert {one.name for one in measurement.layers().layers} <= {"y"}
    assert measurement.outputs()[0].sqnr_mdb is not None


def test_a_tapped_model_keeps_its_weights_outside(tmp_path: Path) -> None:
    model = graphs.mlp(inputs=64, hidden=128)
    (tmp_path / "sub").mkdir()
    graphs.save(model, tmp_path / NAME, external="sub/w.bin")
    files = graphs.files_of(tmp_path)
    tapped = tap(files, NAME, ["r1", "y", "r1"])
    assert len(tapped[TAPPED]) < 4096 < len(files["sub/w.bin"])
    feeds = graphs.feeds(model, seed=1)
    with build_session(tapped, TAPPED) as session:
        assert [one.name for one in session.outputs] == ["y", "r1"]
        assert np.array_equal(session.run(["r1"], feeds)[0], _plainly(model, "r1", feeds))


# --- samples ----------------------------------------------------------------------------------


def test_an_open_batch_is_cut_and_every_row_is_a_sample() -> None:
    model = graphs.mlp()
    rows = np.random.default_rng(0).standard_normal((70, 16)).astype("f")
    whole = Measurement(_bytes(model), _bytes(model), calibration_of([{"x": rows}]))
    assert whole.samples == 70
    assert [len(feeds["x"]) for feeds in whole.batches] == [32, 32, 6]
    stacked = Measurement(_bytes(model), _bytes(model), calibration_of([{"x": rows.reshape(35, 2, 16)}]))
    assert stacked.samples == 70
    assert [feeds["x"].shape for feeds in stacked.batches][:2] == [(2, 16), (2, 16)]
    assert whole.outputs()[0].elements == stacked.outputs()[0].elements == 70 * 8


def test_a_fixed_batch_is_fed_as_it_is() -> None:
    model = graphs.mlp()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 5
    rows = np.zeros((10, 16), "f")
    measurement = Measurement(_bytes(model), _bytes(model), calibration_of([{"x": rows}]))
    assert [feeds["x"].shape for feeds in measurement.batches] == [(5, 16), (5, 16)]
    assert measurement.samples == 2


def test_a_batch_that_paddle_leaves_open_is_open() -> None:
    model = graphs.mlp()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    data = calibration_of([{"x": np.zeros((40, 16), "f")}])
    measurement = Measurement(_bytes(model), _bytes(model), data)
    assert (measurement.samples, [len(feeds["x"]) for feeds in measurement.batches]) == (40, [32, 8])


def test_an_input_that_is_there_once_goes_with_every_batch() -> None:
    model = graphs.branching()
    data = calibration_of([{"x": np.zeros((40, 32), "f"), "flag": np.array(True)}])
    measurement = Measurement(_bytes(model), _bytes(model), data)
    assert [(len(feeds["x"]), bool(feeds["flag"])) for feeds in measurement.batches] == [
        (32, True),
        (8, True),
    ]
    assert measurement.samples == 40


def test_large_rows_make_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.onnx.evaluate.batches.BYTES", 1000)
    model = graphs.mlp()
    measurement = Measurement(_bytes(model), _bytes(model), calibration_of([{"x": np.zeros((40, 16), "f")}]))
    assert {len(feeds["x"]) for feeds in measurement.batches} == {15, 10}


def test_data_that_does_not_fit() -> None:
    model = graphs.mlp()
    for arrays in ({"z": np.zeros((4, 16), "f")}, {"x": np.zeros((4, 15), "f")}):
        with pytest.raises(InvalidInput):
            Measurement(_bytes(model), _bytes(model), calibration_of([arrays]))


def test_a_model_with_other_inputs_than_its_parent() -> None:
    parent, child = graphs.mlp(), graphs.mlp()
    child.graph.input[0].name = "other"
    child.graph.node[0].input[0] = "other"
    with pytest.raises(InvalidInput, match="the run failed"):
        Measurement(_bytes(child), _bytes(parent), _data(parent)).outputs()


def test_half_precision_has_noise_too() -> None:
    parent = graphs.mlp()
    for tensor in parent.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("e"), tensor.name))
    for value in (*parent.graph.input, *parent.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    child = onnx.ModelProto()
    child.CopyFrom(parent)
    bias = next(one for one in child.graph.initializer if one.name == "b1")
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) * np.float16(1.5), "b1"))
    same = Matching("raw", (), (), (), (("m1", "m1"), ("a1", "a1")), ())
    data = calibration_of([{"x": np.random.default_rng(0).standard_normal((8, 16)).astype("e")}])
    measurement = Measurement(_bytes(child), _bytes(parent), data, lambda *_: same)
    before, after = measurement.layers().layers
    assert (before.sqnr_mdb, after.parent) == (200_000, "a1")
    assert 0 < after.sqnr_mdb < 30_000
