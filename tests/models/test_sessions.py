"""Sessions from memory answer bit for bit like plain sessions on the files."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from registry.errors import InvalidInput, InvalidModel, UnsafePath
from registry.onnx.graph import read_model
from registry.onnx.inputs import random_inputs
from registry.onnx.session import build_session
from registry.onnx.skeleton import build_skeleton
from support import graphs

Make = Callable[[Path], Path]
CPU = ["CPUExecutionProvider"]


def _plain(path: Path, feeds: Mapping[str, Any]) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return list(onnxruntime.InferenceSession(path, options, providers=CPU).run(None, feeds))


def _equal(ours: list[Any], theirs: list[Any]) -> bool:
    return len(ours) == len(theirs) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(ours, theirs, strict=True)
    )


def _half(path: Path) -> Path:
    """The MLP in float16, wide enough that its weights leave the skeleton."""
    model = graphs.mlp(inputs=48, hidden=64)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("e"), tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    return graphs.save(model, path)


def _constants(path: Path) -> Path:
    """The MLP with its weights in Constant nodes instead of initializers."""
    model = graphs.mlp(hidden=128)
    nodes = [helper.make_node("Constant", [], [one.name], value=one) for one in model.graph.initializer]
    nodes += model.graph.node
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.node.extend(nodes)
    return graphs.save(model, path)


def _function(path: Path) -> Path:
    """The MLP as a function whose body holds the weights."""
    model = onnx.load(_constants(path))
    opsets = [helper.make_opsetid("", graphs.OPSET)]
    body = helper.make_function("local", "MLP", ["x"], ["y"], list(model.graph.node), opsets)
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("MLP", ["x"], ["y"], "call", domain="local"))
    model.functions.append(body)
    model.opset_import.append(helper.make_opsetid("local", 1))
    return graphs.save(model, path)


def _outside(path: Path) -> Path:
    graphs.save(onnx.load(path), path, external="w.bin")
    assert path.with_name("w.bin").stat().st_size > 1 << 12
    return path


MODELS: dict[str, Make] = {
    **{
        name: lambda path, make=make: graphs.save(make(), path)  # type: ignore[misc]
        for name, make in graphs.FLOATS.items()
    },
    "external data": lambda path: graphs.save(graphs.mlp(hidden=256), path, external="w.bin"),
    "a file for each tensor": lambda path: graphs.save(graphs.transformer(), path, each=True),
    "external data in branches": lambda path: graphs.save(graphs.branching(), path, external="w.bin"),
    "external data in Constant nodes": lambda path: graphs.save(
        onnx.load(_constants(path)), path, external="w"
    ),
    "external data in a function": lambda path: graphs.save(onnx.load(_function(path)), path, external="w"),
    "weights in Constant nodes": _constants,
    "weights in a function": _function,
    "float16": _half,
    "dynamic": lambda path: graphs.dynamic(graphs.transformer(), path),
    "dynamic in branches": lambda path: graphs.dynamic(
        graphs.branching(), path, extra_options={"EnableSubgraph": True}
    ),
    "static QDQ": lambda path: graphs.static(graphs.cnn(), path, qdq=True, per_channel=True),
    "static QOperator": lambda path: graphs.static(graphs.cnn(), path, qdq=False),
    "MatMulNBits 4": lambda path: graphs.nbits(graphs.transformer(), path, bits=4, block_size=16),
    "MatMulNBits 8": lambda path: graphs.nbits(graphs.transformer(), path, bits=8, block_size=16),
    "MatMulBnb4": lambda path: graphs.bnb4(graphs.transformer(), path),
}


@pytest.mark.parametrize("name", MODELS)
def test_answers_like_a_plain_session(name: str, tmp_path: Path) -> None:
    path = MODELS[name](tmp_path / "m.onnx")
    files = graphs.files_of(tmp_path)
    with build_session(files, "m.onnx") as session:
        feeds = random_inputs(session, seed=3)
        assert _equal(session.run(None, feeds), _plain(path, feeds))


def test_external_data_below_the_models_directory(tmp_path: Path) -> None:
    """The model lies in a directory of the version, and its data in one below that."""
    (tmp_path / "deep" / "data").mkdir(parents=True)
    path = graphs.save(graphs.mlp(hidden=256), tmp_path / "deep" / "m.onnx", external="w.bin")
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "./data//w.bin"
    path.write_bytes(model.SerializeToString())
    (tmp_path / "deep" / "w.bin").rename(tmp_path / "deep" / "data" / "w.bin")
    files = graphs.files_of(tmp_path)
    assert set(files) == {"deep/m.onnx", "deep/data/w.bin"}
    with build_session(files, "deep/m.onnx") as session:
        feeds = random_inputs(session)
        assert _equal(session.run(None, feeds), _plain(path, feeds))


@pytest.mark.parametrize("shift", [0, 1, 2, 3])
def test_weights_at_unaligned_offsets(shift: int, tmp_path: Path) -> None:
    """In one file, weights begin wherever the names before them end."""
    model = graphs.mlp(hidden=512)
    model.graph.name = "g" * (1 + shift)
    path = graphs.save(model, tmp_path / "m.onnx")
    with build_session(graphs.files_of(tmp_path), "m.onnx") as session:
        feeds = random_inputs(session)
        assert _equal(session.run(None, feeds), _plain(path, feeds))


def test_large_weights_leave_the_skeleton_and_small_ones_stay() -> None:
    data = graphs.mlp(inputs=256, hidden=256).SerializeToString()
    skeleton = build_skeleton(read_model(data), "m.onnx", {"m.onnx": memoryview(data)})
    told = onnx.load_from_string(skeleton.model)
    outside = {one.name for one in told.graph.initializer if one.data_location == TensorProto.EXTERNAL}
    assert outside == {"w1", "b1", "w2"}  # 256 KiB, 1 KiB, 8 KiB; b2 has 32 bytes
    assert len(skeleton.model) < 1000 < len(data)
    assert set(skeleton.names) == {"m.onnx"}


def test_integers_that_may_be_shapes_stay_in_the_skeleton() -> None:
    indices = numpy_helper.from_array(np.arange(1000, dtype=np.int64), "indices")  # 8 kB
    graph = helper.make_graph([], "g", [], [], [indices])
    data = helper.make_model(graph).SerializeToString()
    assert build_skeleton(read_model(data), "m", {"m": memoryview(data)}).model == data


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, mmap.mmap])
def test_takes_any_buffer(kind: Any) -> None:
    data = graphs.mlp(hidden=256).SerializeToString()
    buffer: Any = mmap.mmap(-1, len(data)) if kind is mmap.mmap else kind(data)
    if kind is mmap.mmap:
        buffer.write(data)
    with build_session({"m": buffer}, "m") as session:
        assert session.run(["y"], random_inputs(session))[0].shape == (1, 8)


def test_holds_its_buffers_until_it_is_closed() -> None:
    """The runtime reads weights where they lie: a buffer that goes away under it would be a crash."""
    data = graphs.mlp(hidden=256).SerializeToString()
    buffer = mmap.mmap(-1, len(data))
    buffer.write(data)
    session = build_session({"m": buffer}, "m")
    with pytest.raises(BufferError):
        buffer.close()
    session.run(None, random_inputs(session))
    session.close()
    session.close()
    buffer.close()
    with pytest.raises(InvalidInput, match="closed"):
        session.run(None, {})


def test_a_failed_load_lets_its_buffers_go() -> None:
    model = graphs.mlp(hidden=256)
    model.graph.node[0].op_type = "NoSuchOperator"
    buffer = bytearray(model.SerializeToString())
    with pytest.raises(InvalidModel, match="NoSuchOperator"):
        build_session({"m": buffer}, "m")
    buffer.append(0)  # BufferError while a view is held


def test_options_reach_the_runtime() -> None:
    data = graphs.mlp().SerializeToString()
    seen: list[Any] = []
    build_session({"m": data}, "m", threads=1, prepack=False, configure=seen.append).close()
    assert seen[0].intra_op_num_threads == 1
    assert seen[0].get_session_config_entry("session.disable_prepacking") == "1"


def test_an_unknown_model_path_is_said() -> None:
    with pytest.raises(InvalidModel, match="missing"):
        build_session({"m.onnx": b""}, "other.onnx")


@pytest.mark.parametrize("present", [{"m.onnx"}, {"m.onnx", "w.bin"}], ids=["missing", "one byte short"])
def test_external_data_that_is(present: set[str], tmp_path: Path) -> None:
    graphs.save(graphs.mlp(), tmp_path / "m.onnx", external="w.bin")
    given = {name: data for name, data in graphs.files_of(tmp_path).items() if name in present}
    if "w.bin" in given:
        given["w.bin"] = given["w.bin"][:-1]
    with pytest.raises(InvalidModel, match=r"w\.bin"):
        build_session(given, "m.onnx")


def test_external_data_outside_the_version(tmp_path: Path) -> None:
    graphs.save(graphs.mlp(), tmp_path / "m.onnx", external="w.bin")
    files = graphs.files_of(tmp_path)
    files["m.onnx"] = files["m.onnx"].replace(b"w.bin", b"/etc/")
    with pytest.raises(UnsafePath):
        build_session(files, "m.onnx")


@pytest.mark.parametrize(
    "feeds", [{}, {"x": np.zeros((1, 3), "f")}, {"x": np.zeros((1, 16), "d")}, {"z": np.zeros((1, 16), "f")}]
)
def test_inputs_that_do_not_fit_are_explained(feeds: dict[str, Any]) -> None:
    with build_session({"m": graphs.mlp().SerializeToString()}, "m") as session:
        with pytest.raises(InvalidInput) as caught:
            session.run(None, feeds)
        assert caught.value.hint == "inputs are x: tensor(float) ['n', 16]"
