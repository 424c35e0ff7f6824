"""External data: which files a model needs, and that their ranges hold what the model says."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import TensorProto, helper

from registry.errors import InvalidModel, UnsafePath
from registry.onnx.external import check_external, external_files
from registry.onnx.graph import read_model
from registry.onnx.ir import Model
from support import graphs


def _pointing(location: str, **entries: int) -> Model:
    """A model with one float tensor of 4 x 8 elements, 128 bytes, kept outside."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 8])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    graph = helper.make_graph([], "g", [], [], [tensor])
    return read_model(helper.make_model(graph).SerializeToString())


def test_lists_the_files_that_onnx_writes(tmp_path: Path) -> None:
    graphs.save(graphs.cnn(), tmp_path / "m.onnx", external="weights ü.bin")
    model = read_model((tmp_path / "m.onnx").read_bytes())
    assert external_files(model, "m.onnx") == ("weights ü.bin",)
    check_external(model, "m.onnx", {p.name: p.stat().st_size for p in tmp_path.iterdir()})


def test_lists_one_file_for_each_tensor(tmp_path: Path) -> None:
    model = graphs.branching()
    graphs.save(model, tmp_path / "m.onnx", each=True)
    written = sorted(path.name for path in tmp_path.iterdir() if path.name != "m.onnx")
    assert external_files(read_model((tmp_path / "m.onnx").read_bytes()), "m.onnx") == tuple(written)
    assert len(written) == 2  # in the branches of an If


def test_a_single_file_needs_no_other() -> None:
    assert external_files(read_model(graphs.mlp().SerializeToString()), "m.onnx") == ()


@pytest.mark.parametrize(
    ("location", "path"),
    [("w.bin", "a/b/w.bin"), ("sub/w.bin", "a/b/sub/w.bin"), ("./x//w.bin", "a/b/x/w.bin")],
)
def test_paths_are_relative_to_the_model(location: str, path: str) -> None:
    assert external_files(_pointing(location), "a/b/m.onnx") == (path,)


UNSAFE = {
    "absolute": "/etc/passwd",
    "parent": "../w.bin",
    "parent hidden inside": "sub/../../w.bin",
    "parent that comes back": "sub/../w.bin",
    "backslashes": "..\\w.bin",
    "a drive": "C:w.bin",
    "empty": "",
    "the directory itself": "./",
    "a directory": "sub/",
    "the runtime's mark for an address in memory": "*/_ORT_MEM_ADDR_/*",
}


@pytest.mark.parametrize("flaw", UNSAFE)
def test_refuses_an_external_path_that_is(flaw: str) -> None:
    with pytest.raises(UnsafePath) as caught:
        external_files(_pointing(UNSAFE[flaw]), "models/m.onnx")
    assert caught.value.on == "models/m.onnx"


@pytest.mark.parametrize("entries", [{}, {"offset": 0, "length": 128}, {"offset": 72, "length": 128}])
def test_accepts_a_range_inside_its_file(entries: dict[str, int]) -> None:
    check_external(_pointing("w.bin", **entries), "m.onnx", {"w.bin": 200})


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"offset": 73, "length": 128}, "behind its file"),
        ({"offset": 1 << 62}, "behind its file"),
        ({"offset": 0, "length": 127}, "need 128"),
        ({"offset": 0, "length": 129}, "need 128"),
    ],
)
def test_refuses_a_range_that_is_not_the_tensors(entries: dict[str, int], reason: str) -> None:
    with pytest.raises(InvalidModel, match=reason):
        check_external(_pointing("w.bin", **entries), "m.onnx", {"w.bin": 200})


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InvalidModel, match=r"'d/w\.bin' is missing"):
        check_external(_pointing("w.bin"), "d/m.onnx", {"w.bin": 200})
