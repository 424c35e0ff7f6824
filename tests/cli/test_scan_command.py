"""registry scan: what a person and a program see, exit codes, and that a path needs no registry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hostile.corpus import MODEL, cases
from support import graphs
from support.commandline import call, spawn

KEYS = {"code", "severity", "path", "on", "message", "title", "why"}
NOWHERE = "/nowhere/at/all"  # a home that is not there


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A directory with a model that has a payload in an unknown field."""
    for path, data in cases()["a-megabyte-in-an-unknown-field"].build().items():
        (tmp_path / path).write_bytes(data)
    return tmp_path


def _written(place: Path, name: str) -> Path:
    place.mkdir()
    (place / MODEL).write_bytes(cases()[name].build()[MODEL])
    return place / MODEL


def test_an_honest_file_passes_without_a_registry(model: Path) -> None:
    done = spawn("--home", NOWHERE, "scan", model).done()
    assert done.out == f"{model}: nothing that a push refuses\n"
    assert done.err == ""


def test_json_of_an_honest_file(model: Path) -> None:
    assert call("--home", NOWHERE, "scan", model, "--json").done().document() == {"ok": True, "findings": []}


def test_a_hostile_directory_is_told_with_its_reasons(hostile: Path) -> None:
    told = spawn("--home", NOWHERE, "scan", hostile)
    assert told.code == 5
    assert "high       unknown-field" in told.out
    assert "unknown-field  a field that ONNX does not define. No reader looks at it" in told.out
    assert told.out.endswith(
        "a push refuses unknown-field\nwhat you know and accept: --allow unknown-field\n"
    )
    assert told.err == ""


def test_json_of_a_hostile_directory(hostile: Path) -> None:
    told = call("--home", NOWHERE, "scan", hostile, "--json")
    document = told.document()
    assert (told.code, document["ok"]) == (5, False)
    (found,) = document["findings"]
    assert set(found) == KEYS
    assert (found["code"], found["severity"], found["path"]) == ("unknown-field", "high", MODEL)


def test_what_is_critical_offers_no_way_around(tmp_path: Path) -> None:
    told = call("--home", NOWHERE, "scan", _written(tmp_path / "m", "a-function-that-calls-itself"))
    assert told.code == 5
    assert "function-recursion" in told.out
    assert "--allow" not in told.out


def test_low_findings_are_told_and_pass(tmp_path: Path) -> None:
    told = call("--home", NOWHERE, "scan", _written(tmp_path / "m", "a-shape-that-nobody-asks-for")).done()
    assert "dead-node" in told.out
    assert "nothing that a push refuses" in told.out


def test_a_branch_is_refused_where_the_parent_has_none(tmp_path: Path) -> None:
    child = _written(tmp_path / "m", "a-branch-that-waits-for-a-trigger")
    call("--home", NOWHERE, "scan", child).done()
    parent = graphs.save(graphs.mlp(), tmp_path / "parent.onnx")
    told = call("--home", NOWHERE, "scan", child, "--parent", parent, "--json")
    assert told.code == 5
    assert "control-flow-added" in {one["code"] for one in told.document()["findings"]}


def test_a_file_that_is_no_model_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_text("Dear model")
    told = call("--home", NOWHERE, "scan", tmp_path, "--json")
    assert told.code == 5
    assert [one["code"] for one in told.document()["findings"]] == ["unreadable"]


@pytest.mark.parametrize(("name", "code"), [("gone.onnx", 3), ("empty", 2)])
def test_nothing_to_scan_is_no_clean_report(tmp_path: Path, name: str, code: int) -> None:
    (tmp_path / "empty").mkdir()
    told = call("--home", NOWHERE, "scan", tmp_path / name, "--json")
    assert told.code == code
    assert told.document()["ok"] is False


def test_a_hard_link_is_told(tmp_path: Path, model: Path) -> None:
    """Of data that a model reads it is serious; installers and caches link ONNX files themselves."""
    (tmp_path / "copy.onnx").write_bytes(model.read_bytes())
    os.link(tmp_path / "copy.onnx", tmp_path / "again.onnx")
    told = call("--home", NOWHERE, "scan", tmp_path, "--json").done()
    found = [(one["code"], one["severity"]) for one in told.document()["findings"]]
    assert found == [("hard-link", "low")] * 2
    (tmp_path / "weights.bin").write_bytes(b"1234")
    os.link(tmp_path / "weights.bin", tmp_path / "elsewhere.bin")
    told = call("--home", NOWHERE, "scan", tmp_path, "--json")
    assert told.code == 5
    assert ("hard-link", "high") in [(one["code"], one["severity"]) for one in told.document()["findings"]]


def test_names_from_the_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    told = call("--home", NOWHERE, "scan", _written(tmp_path / "m", "a-name-that-clears-the-screen"))
    assert told.code == 5
    assert "\x1b[2J" not in told.out


def test_a_version_is_scanned(home: Path) -> None:
    assert call("--home", home, "scan", "vision/mlp:1", "--json").done().document()["ok"] is True
    assert call("--home", home, "scan", "vision/gone").code == 3


def test_a_version_without_a_registry_is_an_error() -> None:
    assert call("--home", NOWHERE, "scan", "vision/mlp:1").code == 3


def test_a_version_can_be_the_parent(home: Path, tmp_path: Path) -> None:
    made = graphs.static(graphs.mlp(), tmp_path / "child.onnx", qdq=True)
    call("--home", home, "scan", made, "--parent", "vision/mlp:1").done()


def test_external_data_is_scanned_with_the_file(tmp_path: Path) -> None:
    made = graphs.save(graphs.mlp(), tmp_path / "model.onnx", external="w.bin")
    call("--home", NOWHERE, "scan", made).done()
    (tmp_path / "w.bin").unlink()
    told = call("--home", NOWHERE, "scan", made, "--json")
    assert "external-missing" in {one["code"] for one in told.document()["findings"]}
