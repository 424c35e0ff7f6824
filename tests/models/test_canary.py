"""Canaries: the same model passes, another one does not, and hostile files are refused with bounds."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from registry.errors import BadCanary, InvalidInput, Malformed
from registry.manifest import check_path
from registry.onnx import canary, canary_file
from registry.onnx.canary_file import Answer, Canaries
from registry.onnx.graph import read_model
from registry.onnx.quantize.calibration import calibration_of
from registry.onnx.quantize.feeds import Samples, samples
from support import graphs

NAME = "model.onnx"
Files = Mapping[str, bytes]


def _files(model: onnx.ModelProto) -> Files:
    return {NAME: model.SerializeToString()}


def _feeds(model: onnx.ModelProto, *, seed: int = 5, rows: int = 12) -> Samples:
    data = calibration_of([graphs.feeds(model, seed=seed, symbolic=rows)])
    return samples(data, read_model(model.SerializeToString()))


def _record(model: onnx.ModelProto, count: int = canary.COUNT) -> bytes:
    return canary.record(_files(model), NAME, _feeds(model), count)


def _changed(model: onnx.ModelProto, name: str, change: Callable[[Any], Any]) -> onnx.ModelProto:
    kept = onnx.ModelProto()
    kept.CopyFrom(model)
    tensor = next(one for one in kept.graph.initializer if one.name == name)
    tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor).copy()), name))
    return kept


def _reseeded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same architecture with weights of another training."""
    generator = np.random.default_rng(99)
    for tensor in model.graph.initializer:
        old = numpy_helper.to_array(tensor)
        if old.ndim >= 2 and old.dtype == np.float32:
            fresh = (generator.standard_normal(old.shape) * old.std()).astype("f")
            tensor.CopyFrom(numpy_helper.from_array(fresh, tensor.name))
    return model


CHILDREN: dict[str, Callable[[onnx.ModelProto, Path], onnx.ModelProto]] = {
    "float": lambda model, _: model,
    "QDQ": lambda model, path: onnx.load(graphs.static(model, path, qdq=True)),
    "QOperator": lambda model, path: onnx.load(graphs.static(model, path, qdq=False)),
    "dynamic": lambda model, path: onnx.load(graphs.dynamic(model, path)),
}


@pytest.mark.parametrize("kind", CHILDREN)
@pytest.mark.parametrize("make", ["mlp", "cnn", "transformer"])
def test_the_same_model_passes_and_a_swapped_one_never(make: str, kind: str, tmp_path: Path) -> None:
    model = CHILDREN[kind](graphs.FLOATS[make](), tmp_path / NAME)
    other = CHILDREN[kind](_reseeded(graphs.FLOATS[make]()), tmp_path / NAME)
    data = _record(model)
    canary.replay(_files(model), data)
    with pytest.raises(BadCanary, match="no longer answers as it did"):
        canary.replay(_files(other), data)


def test_a_float_model_notices_its_own_quantization(tmp_path: Path) -> None:
    model = graphs.mlp()
    child = onnx.load(graphs.dynamic(model, tmp_path / NAME))
    with pytest.raises(BadCanary):
        canary.replay(_files(child), _record(model))


def test_the_lowest_bit_of_one_weight_does_not_show(tmp_path: Path) -> None:
    """What the documentation says canaries cannot notice."""
    child = onnx.load(graphs.dynamic(graphs.mlp(), tmp_path / NAME))

    def flip(weights: Any) -> Any:
        weights[3, 4] ^= 1
        return weights

    canary.replay(_files(_changed(child, "w1_quantized", flip)), _record(child))


def test_a_layer_set_to_zero_shows(tmp_path: Path) -> None:
    child = onnx.load(graphs.dynamic(graphs.mlp(), tmp_path / NAME))
    spoilt = _changed(child, "w2_quantized", np.zeros_like)
    with pytest.raises(BadCanary):
        canary.replay(_files(spoilt), _record(child))


def test_one_answer_of_eight_is_enough() -> None:
    """Answers are judged one by one: seven good ones do not hide a bad one."""
    model = graphs.mlp()
    found = Canaries.from_bytes(_record(model))
    given, answers = found.runs[5]
    runs = (*found.runs[:5], (given, (answers[0] + np.float32(0.2),)), *found.runs[6:])
    edited = Canaries(found.model, found.inputs, found.answers, runs)
    with pytest.raises(BadCanary):
        canary.replay(_files(model), edited.to_bytes())


def test_the_file_is_an_npz_that_numpy_opens_the_same_each_time() -> None:
    model = graphs.cnn()
    data = _record(model, 3)
    assert data == _record(model, 3)
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        assert archive["0/input.0"].shape == (1, 3, 12, 12)
        assert archive["2/output.0"].shape == (1, 4)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
    assert check_path(canary.PATH) == canary.PATH


def test_each_row_of_an_open_batch_is_a_canary_up_to_the_count() -> None:
    model = graphs.mlp()
    assert [given[0].shape for given, _ in Canaries.from_bytes(_record(model, 4)).runs] == [(1, 16)] * 4
    few = canary.record(_files(model), NAME, _feeds(model, rows=2))
    assert len(Canaries.from_bytes(few).runs) == 2
    for count in (0, canary_file.MAX_RUNS + 1):
        with pytest.raises(InvalidInput):
            _record(model, count)


@pytest.mark.parametrize("kind", ["float", "QDQ", "dynamic"])
def test_tolerances_cover_other_kernels_and_stay_below_the_bound(kind: str, tmp_path: Path) -> None:
    model = CHILDREN[kind](graphs.transformer(), tmp_path / NAME)
    (answer,) = Canaries.from_bytes(_record(model)).answers
    least = canary.LEAST[{"QDQ": "static"}.get(kind, kind)]
    assert least <= answer.tolerance <= canary.HIGHEST


def test_answers_that_are_not_steady_are_no_canaries() -> None:
    """Random numbers differ from run to run; the output beside them is kept."""
    model = graphs.mlp()
    shape = [helper.make_node("RandomNormalLike", ["x"], ["noise"], "noise")]
    model.graph.node.extend(shape)
    model.graph.output.append(helper.make_tensor_value_info("noise", 1, ["n", 16]))
    assert [one.name for one in Canaries.from_bytes(_record(model)).answers] == ["y"]
    del model.graph.output[0]
    with pytest.raises(InvalidInput, match="not steady"):
        _record(model)


def test_labels_and_infinities_are_compared_exactly_as_they_are() -> None:
    model = graphs.mlp()
    model.graph.node.append(helper.make_node("ArgMax", ["y"], ["label"], "argmax", axis=1, keepdims=0))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(np.inf), "infinity"))
    model.graph.node.append(helper.make_node("Mul", ["y", "infinity"], ["huge"], "huge"))
    model.graph.output.append(helper.make_tensor_value_info("label", 7, ["n"]))
    model.graph.output.append(helper.make_tensor_value_info("huge", 1, ["n", 8]))
    data = _record(model)
    canary.replay(_files(model), data)
    assert [one.name for one in Canaries.from_bytes(data).answers] == ["y", "label", "huge"]
    turned = _changed(_changed(model, "w2", np.negative), "b2", np.negative)
    for name in ("label", "huge"):
        found = Canaries.from_bytes(data)
        at = [one.name for one in found.answers].index(name)
        runs = tuple((given, (answers[at],)) for given, answers in found.runs)
        only = Canaries(NAME, found.inputs, (found.answers[at],), runs)
        canary.replay(_files(model), only.to_bytes())
        with pytest.raises(BadCanary):
            canary.replay(_files(turned), only.to_bytes())


def test_a_model_that_no_longer_runs_or_answers_in_another_shape() -> None:
    data = _record(graphs.mlp())
    for other in (graphs.cnn(), graphs.mlp(inputs=8), graphs.mlp(outputs=5)):
        with pytest.raises(BadCanary):
            canary.replay(_files(other), data)
    with pytest.raises(BadCanary, match="does not run"):
        canary.replay({NAME: b"garbage"}, data)


def test_of_several_files_the_one_that_was_recorded_is_asked() -> None:
    model = graphs.mlp()
    data = _record(model)
    canary.replay({"other.onnx": graphs.cnn().SerializeToString(), **_files(model)}, data)
    with pytest.raises(BadCanary):
        canary.replay({"other.onnx": model.SerializeToString(), **_files(graphs.cnn())}, data)


def test_canaries_of_a_file_that_is_not_there() -> None:
    model = graphs.mlp()
    with pytest.raises(BadCanary, match="does not run"):
        canary.replay({"other.onnx": model.SerializeToString()}, _record(model))


# --- hostile files ----------------------------------------------------------------------------


def _made(runs: int = 1, **changes: Any) -> Canaries:
    one, two = np.arange(6, dtype="f").reshape(2, 3), np.array([1, 2], "<i8")
    told: dict[str, Any] = {
        "model": NAME,
        "inputs": ("x",),
        "answers": (Answer("y", 1000), Answer("z", 5)),
        "runs": (((one,), (one, two)),) * runs,
    }
    return Canaries(**{**told, **changes})


def _rezipped(change: Callable[[dict[str, bytes]], object], how: int = zipfile.ZIP_STORED) -> bytes:
    with zipfile.ZipFile(io.BytesIO(_made().to_bytes())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return written.getvalue()


def _told(members: dict[str, bytes], old: bytes, new: bytes) -> None:
    assert old in members["canaries.json"]
    members["canaries.json"] = members["canaries.json"].replace(old, new)


def _header(members: dict[str, bytes], old: bytes, new: bytes) -> None:
    data = members["0/input.0.npy"]
    assert old in data
    members["0/input.0.npy"] = data.replace(old, new.ljust(len(old)), 1)


def _pickled(members: dict[str, bytes]) -> None:
    written = io.BytesIO()
    np.save(written, np.array([{"a": 1}], object), allow_pickle=True)
    members["0/input.0.npy"] = written.getvalue()


def _doubled() -> bytes:
    written = io.BytesIO(_made().to_bytes())
    with zipfile.ZipFile(written, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("canaries.json", b"{}")
    return written.getvalue()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no archive": lambda: b"PK\x03\x04" + b"\0" * 100,
    "cut short": lambda: _made().to_bytes()[:-30],
    "an empty archive": lambda: _rezipped(lambda members: members.clear()),
    "compressed": lambda: _rezipped(lambda members: None, zipfile.ZIP_DEFLATED),
    "a bomb": lambda: _rezipped(
        lambda members: members.update({"canaries.json": b" " * (1 << 26)}), zipfile.ZIP_DEFLATED
    ),
    "a member too many": lambda: _rezipped(lambda members: members.update(extra=b"")),
    "a member too few": lambda: _rezipped(lambda members: members.pop("0/output.1.npy")),
    "a member twice": _doubled,
    "members in another order": lambda: _rezipped(
        lambda members: members.update({"canaries.json": members.pop("canaries.json")})
    ),
    "a climbing name": lambda: _rezipped(
        lambda members: members.update({"../../x.npy": members.pop("0/output.1.npy")})
    ),
    "no JSON": lambda: _rezipped(lambda members: members.update({"canaries.json": b"{"})),
    "an unknown field": lambda: _rezipped(
        lambda members: _told(members, b'"format":1', b'"extra":1,"format":1')
    ),
    "another format": lambda: _rezipped(lambda members: _told(members, b'"format":1', b'"format":2')),
    "a tolerance above one": lambda: _rezipped(lambda members: _told(members, b":1000}", b":1000001}")),
    "no runs": lambda: _rezipped(lambda members: _told(members, b'"runs":1', b'"runs":0')),
    "too many runs": lambda: _rezipped(lambda members: _told(members, b'"runs":1', b'"runs":9999999')),
    "a pickle": lambda: _rezipped(_pickled),
    "objects": lambda: _rezipped(lambda members: _header(members, b"'<f4'", b"'|O8'")),
    "code in the header": lambda: _rezipped(
        lambda members: _header(members, b"'shape': (2, 3)", b"'shape': f(9)")
    ),
    "a shape of terabytes": lambda: _rezipped(
        lambda members: _header(members, b"(2, 3), }      ", b"(2, 999999999), }")
    ),
    "a shape too small": lambda: _rezipped(lambda members: _header(members, b"(2, 3)", b"(2, 2)")),
    "Fortran order": lambda: _rezipped(lambda members: _header(members, b"False", b"True")),
    "no header": lambda: _rezipped(lambda members: members.update({"0/input.0.npy": b"\x93NUM"})),
    "too long": lambda: b"\0" * (canary_file.LIMIT + 1),
}


@pytest.mark.parametrize("flaw", HOSTILE)
def test_hostile_files_are_refused(flaw: str) -> None:
    assert Canaries.from_bytes(_rezipped(lambda members: None)).answers[1].name == "z"
    with pytest.raises(Malformed):
        Canaries.from_bytes(HOSTILE[flaw]())


def test_a_length_that_lies_reserves_nothing() -> None:
    """The directory says that a member is a gigabyte long."""
    data = bytearray(_made().to_bytes())
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<II", data, at + 20, 1 << 30, 1 << 30)  # sizes, compressed and not
    with pytest.raises(Malformed):
        Canaries.from_bytes(bytes(data))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 200),
)
def test_damage_is_refused_or_harmless(edits: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(_made(2).to_bytes())
    for at, value in edits:
        data[at % len(data)] = value
    try:
        found = Canaries.from_bytes(bytes(data[: len(data) - cut]))
    except Malformed:
        return
    assert len(found.runs) == 2


_ARRAYS = st.sampled_from(["<f4", "<f8", "<f2", "|b1", "|i1", "|u1", "<i4", "<i8", "<u8"]).flatmap(
    lambda kind: st.lists(st.integers(0, 3), max_size=4).map(lambda shape: np.ones(shape, kind))
)


@given(st.lists(_ARRAYS, min_size=2, max_size=2), st.text(max_size=9), st.integers(0, 10**6))
def test_what_is_written_reads_back(arrays: list[Any], name: str, tolerance: int) -> None:
    name = name.encode("utf-8", "ignore").decode()
    made = Canaries(name, (name,), (Answer(name, tolerance),), (((arrays[0],), (arrays[1],)),) * 2)
    found = Canaries.from_bytes(made.to_bytes())
    assert (found.model, found.inputs, found.answers) == (made.model, made.inputs, made.answers)
    for one, other in zip(found.runs[1][0] + found.runs[1][1], arrays, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert np.array_equal(one, other)


def test_big_endian_arrays_are_kept_little_endian() -> None:
    made = _made()
    big = np.arange(4, dtype=">f4")
    kept = Canaries(made.model, made.inputs, made.answers[:1], (((big,), (big,)),))
    assert np.array_equal(Canaries.from_bytes(kept.to_bytes()).runs[0][0][0], np.arange(4, dtype="f"))


def test_words_cannot_be_canaries() -> None:
    assert not canary_file.holds(np.array(["a"]))
    assert not canary_file.holds(np.array([None]))
    assert not canary_file.holds([1.0])
    assert not canary_file.holds(np.ones(2, "c8"))
