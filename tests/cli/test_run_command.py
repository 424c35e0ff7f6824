"""``registry run``: what ONNX Runtime says of the pushed file, and nothing on disk but the outputs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from support import graphs
from support.commandline import call, snapshot, spawn


def _plain(model: Path, feeds: dict[str, object]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(model)
    return dict(zip([one.name for one in session.get_outputs()], session.run(None, feeds), strict=True))


def test_outputs_are_those_of_plain_onnx_runtime_bit_for_bit(home: Path, tmp_path: Path, model: Path) -> None:
    feeds = {"x": np.random.default_rng(1).standard_normal((5, 16), dtype=np.float32)}
    np.savez(tmp_path / "x.npz", **feeds)
    arguments = ("--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz")
    spawn("--home", home, "run", "vision/mlp:prod", *arguments).done()
    with np.load(tmp_path / "y.npz") as found:
        expected = _plain(model, feeds)
        assert set(found.files) == set(expected)
        for name, value in expected.items():
            assert (found[name].dtype, found[name].tobytes()) == (value.dtype, value.tobytes())


def test_with_external_data_too(founded: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    float_model = graphs.transformer()
    graphs.save(float_model, source / "model.onnx", external="weights.bin")
    call("--home", founded, "push", source, "nlp/tiny").done()
    feeds = graphs.feeds(float_model)
    np.savez(tmp_path / "x.npz", **feeds)
    arguments = ("--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz")
    call("--home", founded, "run", "nlp/tiny", *arguments).done()
    with np.load(tmp_path / "y.npz") as found:
        assert found["y"].tobytes() == _plain(source / "model.onnx", feeds)["y"].tobytes()


def test_random_inputs_need_no_file(home: Path) -> None:
    people = spawn("--home", home, "run", "vision/mlp", "--input", "random").done()
    assert "float32" in people.out
    document = call("--home", home, "run", "vision/mlp", "--input", "random", "--json").done().document()
    assert set(document) == {"reference", "digest", "seq", "outputs", "written"}
    (output,) = document["outputs"]
    assert (output["name"], output["type"], output["shape"][1]) == ("y", "float32", 8)


def test_a_run_leaves_no_plaintext_in_the_home_or_the_temporary_directory(
    home: Path, tmp_path: Path, model: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    spawn(
        *("--home", home, "run", "vision/mlp", "--input", "random"), cwd=scratch, env={"TMPDIR": str(scratch)}
    ).done()
    assert snapshot(scratch) == {}
    middle = model.stat().st_size // 2
    piece = model.read_bytes()[middle : middle + 32]
    assert all(piece not in (data or b"") for data in snapshot(home).values())


def test_a_refused_run_writes_no_output(broken: Path, tmp_path: Path) -> None:
    refused = call(
        *("--home", broken, "run", "vision/mlp", "--input", "random", "--output", tmp_path / "y.npz")
    )
    assert refused.code == 5
    assert not (tmp_path / "y.npz").exists()


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({}, "x"),
        ({"wrong": np.zeros((1, 16), np.float32)}, "wrong"),
        ({"x": np.zeros((1, 16), np.float64)}, "x"),
        ({"x": np.zeros((1, 3), np.float32)}, ""),
    ],
    ids=["none", "name", "type", "shape"],
)
def test_inputs_that_the_model_does_not_take(
    home: Path, tmp_path: Path, arrays: dict[str, np.ndarray], complaint: str
) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    refused = call("--home", home, "run", "vision/mlp", "--input", tmp_path / "x.npz")
    assert refused.code == 2, refused.err
    assert complaint in refused.err
    assert "bug" not in refused.err


def test_an_input_file_that_is_not_there(home: Path, tmp_path: Path) -> None:
    refused = call("--home", home, "run", "vision/mlp", "--input", tmp_path / "absent.npz")
    assert refused.code == 3
    assert "random" in refused.next()


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros((1, 16), np.float32))
    return file.getvalue()


def _damaged() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, x=np.random.default_rng(0).standard_normal((9, 16)))
    data = bytearray(file.getvalue())
    data[len(data) // 3] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 not a zip", b"\x80\x04pickle", _npy(), _damaged()],
    ids=["empty", "no zip", "pickle", "npy", "damaged"],
)
def test_an_input_file_that_is_no_npz(home: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    refused = call("--home", home, "run", "vision/mlp", "--input", tmp_path / "x.npz")
    assert refused.code == 2
    assert "numpy.savez" in refused.next()


def test_pickled_objects_are_not_loaded(home: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.array([{"a": 1}], dtype=object))
    refused = call("--home", home, "run", "vision/mlp", "--input", tmp_path / "x.npz")
    assert refused.code == 2
    assert "bug" not in refused.err


def test_a_version_of_several_models_wants_one_named(founded: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    graphs.save(graphs.mlp(), source / "encoder.onnx")
    graphs.save(graphs.mlp(outputs=3), source / "decoder.onnx")
    call("--home", founded, "push", source, "nlp/pair").done()
    unclear = call("--home", founded, "run", "nlp/pair", "--input", "random")
    assert unclear.code == 2
    assert "--model" in unclear.next()
    chosen = ("--input", "random", "--model", "decoder.onnx", "--json")
    document = call("--home", founded, "run", "nlp/pair", *chosen).done().document()
    assert document["outputs"][0]["shape"][1] == 3
    absent = call("--home", founded, "run", "nlp/pair", "--input", "random", "--model", "x.onnx")
    assert absent.code == 2
    assert "decoder.onnx" in absent.next()
