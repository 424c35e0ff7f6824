"""``registry inspect``: of files of one's own and of versions, as text, as JSON and as a picture."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import onnx
import pytest

from support import graphs
from support.commandline import Result, call, spawn

NOWHERE = {"REGISTRY_HOME": "/nonexistent/home"}
CONTROLS = "\x1b\x07\r\x08\u202e\u200b\x9b"
NASTY = "\x1b]0;owned\x07\x1b[2J$x^{\x1b[31m\r\u202e\nmode         float"


def _inspect(*arguments: object) -> Result:
    """Without a registry anywhere."""
    return call("inspect", *arguments, env=NOWHERE)


def _pairs(result: Result) -> dict[str, str]:
    lines = (line.split("  ", 1) for line in result.out.split("\n\n")[0].splitlines() if line[:1].strip())
    return {name: value.strip() for name, value in lines}


def _document(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.done().out)
    return found


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("child")
    return graphs.dynamic(graphs.mlp(), where / "mlp.onnx", nodes_to_exclude=["fc2"])


def test_a_file_of_one_s_own_needs_no_registry(child: Path) -> None:
    told = _pairs(_inspect(child).done())
    assert told["model"] == str(child)
    assert (told["mode"], told["format"]) == ("dynamic", "QOperator")
    assert told["weights"] == "1 quantized, 3 float"
    assert told["types"] == "INT8 symmetric per-tensor x1"
    assert told["integer"] == "1 of 2 layers compute on integers"
    assert told["float"].startswith("3 weights stayed float: 1.2 KiB")
    assert told["claims"] == "1 hold, 0 do not"
    assert len(told["digest"]) == len("sha256:") + 64


def test_what_stayed_float_is_named_with_its_reason(child: Path) -> None:
    out = _inspect(child).done().out
    assert "w2 (MatMul, 1.0 KiB" in out
    assert "ai.onnx.MatMul: neither its weight nor its input is quantized" in out


def test_json_holds_everything(child: Path) -> None:
    found = _document(_inspect(child, "--json"))
    assert found["source"] == str(child)
    (weight,) = [one for one in found["tensors"] if one["role"] == "weight"]
    assert weight["scale"]["count"] == 1
    assert weight["levels"]["possible"] == 256
    assert [end["value"] for end in weight["levels"]["ends"]] == [-128, -127, 127]
    assert {one["name"] for one in found["floats"]} == {"w2", "b1", "b2"}
    assert found["size"]["bytes"] == child.stat().st_size
    assert found["claims"][0]["agrees"] is True
    assert found["plot"] is None


def test_layers_fit_the_terminal(child: Path) -> None:
    shown = _inspect(child, "--layers").done().out
    assert "w1_quantized" in shown
    tables = shown.split("\n\n")[1:]
    assert [table.split()[0] for table in tables] == ["weight", "activation", "layer", "float"]
    assert max(len(line) for table in tables for line in table.splitlines()) <= 80


def test_weights_that_are_rounded_at_run_time_are_weights_in_the_tables(tmp_path: Path) -> None:
    model = graphs.mlp()
    model.graph.initializer.append(onnx.helper.make_tensor("s", 1, [], [0.01]))
    model.graph.initializer.append(onnx.helper.make_tensor("z", 3, [], [0]))
    for op, taken, made in (("DequantizeLinear", "q", "w1d"), ("QuantizeLinear", "w1", "q")):
        model.graph.node.insert(0, onnx.helper.make_node(op, [taken, "s", "z"], [made]))
    model.graph.node[2].input[1] = "w1d"
    onnx.save(model, tmp_path / "m.onnx")
    shown = _inspect(tmp_path / "m.onnx", "--layers").done().out
    weights = next(table for table in shown.split("\n\n") if table.startswith("weight"))
    assert "w1" in weights
    assert "\nactivation" not in shown
    assert "rounded-at-run-time" in shown


def test_a_claim_that_disagrees_is_reported(child: Path, tmp_path: Path) -> None:
    model = onnx.load(child)
    model.metadata_props.add(key="quantization", value="static int4")
    onnx.save(model, tmp_path / "m.onnx")
    out = _inspect(tmp_path / "m.onnx").done().out
    assert "1 hold, 2 do not" in out
    assert "quantization: mode: static, but the graph says: dynamic" in out
    assert "quantization: type: int4, but the graph says: INT8 100%" in out


def test_a_directory_with_several_models(child: Path, tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / name).write_bytes(child.read_bytes())
    refused = _inspect(tmp_path)
    assert refused.code == 2
    assert "--model" in refused.err or "several" in refused.err
    assert _pairs(_inspect(tmp_path, "--model", "b.onnx").done())["file"] == "b.onnx"


@pytest.mark.parametrize("suffix", [".png", ".svg", ".PNG"])
def test_plot(suffix: str, child: Path, tmp_path: Path) -> None:
    picture = tmp_path / f"levels{suffix}"
    picture.write_text("what was there before")
    told = _pairs(_inspect(child, "--plot", picture).done())
    assert told["plot"] == str(picture)
    data = picture.read_bytes()
    if suffix == ".svg":
        assert ElementTree.fromstring(data).tag.endswith("svg")
    else:
        assert data.startswith(b"\x89PNG")
    assert os.listdir(tmp_path) == [picture.name]  # nothing temporary stays
    assert _document(_inspect(child, "--plot", picture, "--json"))["plot"] == str(picture)


@pytest.mark.parametrize("name", ["levels.pdf", "levels", ".png", "levels.onnx"])
def test_a_picture_of_another_type(name: str, child: Path, tmp_path: Path) -> None:
    refused = _inspect(child, "--plot", tmp_path / name)
    assert (refused.code, refused.out) == (2, "")
    assert "error [invalid-input]: the picture's type is not known" in refused.err
    assert os.listdir(tmp_path) == []


def test_a_picture_where_none_can_be_written(child: Path, tmp_path: Path) -> None:
    assert _inspect(child, "--plot", tmp_path / "absent" / "levels.png").code == 3
    (tmp_path / "levels.png").mkdir()
    refused = _inspect(child, "--plot", tmp_path / "levels.png")
    assert refused.code == 7
    assert "disk-trouble" in refused.err


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "invalid-model"), (b"\x08\x0a\x3a\xff", "invalid-model"), (b"hello, model", "invalid-model")],
)
def test_what_is_no_model(content: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    refused = _inspect(tmp_path / "m.onnx")
    assert (refused.code, refused.out) == (2, "")
    assert f"error [{code}]" in refused.err
    assert _inspect(tmp_path / "m.onnx", "--json").code == 2


def test_a_file_that_is_not_there() -> None:
    refused = _inspect("/nonexistent/m.onnx")
    assert refused.code == 3


def test_a_version_without_a_registry() -> None:
    refused = _inspect("vision/mlp:1")
    assert refused.code == 3
    assert "home-not-found" in refused.err


def test_a_version_of_the_registry(home: Path, tmp_path: Path) -> None:
    told = _pairs(call("--home", home, "inspect", "vision/mlp:prod", "--plot", tmp_path / "p.svg").done())
    assert told["model"].startswith("vision/mlp:1@sha256:") or told["model"] == "vision/mlp:1"
    assert (told["mode"], told["format"]) == ("static", "QDQ")
    assert (tmp_path / "p.svg").stat().st_size > 1000
    shown = json.loads(call("--home", home, "show", "vision/mlp:1", "--json").done().out)
    assert told["digest"] == f"sha256:{shown['digest']}"
    assert call("--home", home, "inspect", "vision/absent").code == 3


def test_a_version_whose_blob_was_changed_tells_nothing(broken: Path) -> None:
    refused = call("--home", broken, "inspect", "vision/mlp:1")
    assert (refused.code, refused.out) == (5, "")


def test_names_from_the_file_cannot_steer_the_terminal(child: Path, tmp_path: Path) -> None:
    """Nor can a second line in a name pass for a line of ours."""
    model = onnx.load(child)
    model.producer_name = NASTY
    model.metadata_props.add(key=NASTY, value="int4")
    names = {one.name: f"{NASTY}{at}" for at, one in enumerate(model.graph.initializer)}
    for one in model.graph.initializer:
        one.name = names[one.name]
    for node in model.graph.node:
        node.name = NASTY
        for at, name in enumerate(node.input):
            node.input[at] = names.get(name, name)
    onnx.save(model, tmp_path / "m.onnx")
    plot = tmp_path / "p.svg"
    shown = _inspect(tmp_path / "m.onnx", "--layers", "--plot", plot).done()
    assert not set(CONTROLS) & set(shown.out + shown.err)
    modes = [line.rstrip() for line in shown.out.splitlines() if re.match(r"mode +\w", line)]
    assert [line for line in modes if len(line.split()) == 2 and "  " in line] == ["mode         dynamic"]
    assert b"\x1b" not in plot.read_bytes()
    assert _inspect(tmp_path / "m.onnx", "--json").done().out.isascii()


def test_help_names_the_options() -> None:
    shown = spawn("inspect", "--help").done().out
    for word in ("--layers", "--plot", "--model", "--json", "PATH|REF"):
        assert word in shown
