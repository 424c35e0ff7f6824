"""``registry evaluate`` as people and programs call it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper

from support import graphs
from support.commandline import call


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    return graphs.save(graphs.mlp(), tmp_path / "float.onnx")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).standard_normal((20, 16)).astype("f"))
    return tmp_path / "data.npz"


def test_a_version_as_json(home: Path, parent: Path, data: Path) -> None:
    arguments = ("vision/mlp", "--against", parent, "--data", data, "--json")
    told = call("--home", home, "evaluate", *arguments).done().document()
    assert told["reference"] == "vision/mlp:1"
    assert told["data"]["samples"] == 20
    assert told["outputs"][0]["name"] == "y"
    assert told["agreement_ppm"] == told["outputs"][0]["agreement_ppm"]
    assert [one["parent"] for one in told["layers"]] == ["m1", "a1", "r1", "m2", "y"]
    listed = call("--home", home, "attestations", "vision/mlp", "--json").done().document()["attestations"]
    (signed,) = [one for one in listed if one["type"].endswith("/evaluation/v1")]
    assert signed["seq"] == told["seq"]
    assert signed["predicate"]["sqnr_mdb"] == told["sqnr_mdb"]


def test_a_version_for_people(home: Path, parent: Path, data: Path) -> None:
    result = call("--home", home, "evaluate", "vision/mlp", "--against", parent, "--data", data).done()
    lines = result.out.splitlines()
    assert lines[0].split() == ["model", "vision/mlp:1"]
    assert any(line.startswith("agreement") and line.endswith("%") for line in lines)
    assert any(line.startswith("ledger") for line in lines)
    assert [line.split()[0] for line in lines if "ai.onnx." in line] != []
    assert result.err == ""


def test_files_alone_need_no_home(tmp_path: Path, parent: Path, data: Path) -> None:
    arguments = ("evaluate", parent, "--against", parent, "--data", data)
    result = call("--home", tmp_path / "nowhere", *arguments).done()
    assert "100.00 %" in result.out
    assert "equal" in result.out
    assert "ledger" not in result.out
    assert not (tmp_path / "nowhere").exists()


def test_layers_all_or_none(tmp_path: Path, data: Path, parent: Path) -> None:
    model = graphs.save(graphs.transformer(), tmp_path / "t.onnx")
    np.savez(tmp_path / "t.npz", tokens=np.arange(24).reshape(2, 12))
    base = ("evaluate", model, "--against", model, "--data", tmp_path / "t.npz")
    some, every, none = call(*base).done(), call(*base, "--layers").done(), call(*base, "--no-layers").done()
    assert [one.out.count("ai.onnx.") for one in (some, every, none)] == [10, 17, 0]
    assert "the noisiest 10 of 17 layers" in some.err
    assert (every.err, none.err) == ("", "")


def test_nothing_is_signed_with_no_attest(home: Path, parent: Path, data: Path) -> None:
    arguments = ("vision/mlp", "--against", parent, "--data", data, "--no-attest", "--json")
    assert call("--home", home, "evaluate", *arguments).done().document()["seq"] is None


def test_graphs_that_have_nothing_in_common_say_so(tmp_path: Path, parent: Path, data: Path) -> None:
    other = graphs.mlp()
    del other.graph.node[:]
    other.graph.initializer.extend(
        numpy_helper.from_array(np.array([number]), name)
        for name, number in (("from", 0), ("to", 8), ("axis", 1))
    )
    other.graph.node.append(helper.make_node("Slice", ["x", "from", "to", "axis"], ["y"], "slice"))
    path = graphs.save(other, tmp_path / "other.onnx")
    result = call("evaluate", path, "--against", parent, "--data", data).done()
    assert "no layer could be compared" in result.err


@pytest.mark.parametrize(
    ("change", "code"),
    [(("--data", "none.npz"), 3), (("--against", "none.onnx"), 3), (("--model", "other.onnx"), 2)],
)
def test_what_goes_wrong(parent: Path, data: Path, change: tuple[str, str], code: int) -> None:
    options = {"--against": str(parent), "--data": str(data)} | dict([change])
    result = call("evaluate", parent, *(word for pair in options.items() for word in pair))
    assert result.code == code
    assert result.err.startswith("error [")
