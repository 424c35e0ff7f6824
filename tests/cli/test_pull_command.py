"""``registry pull``: all files or none, and nothing that was there before is touched unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.commandline import call, snapshot, spawn


def test_a_directory_with_content_is_refused(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("important")
    before = snapshot(tmp_path / "out")
    refused = spawn("--home", home, "pull", "vision/mlp", "-o", out)
    assert refused.code == 6
    assert "error [already-exists]" in refused.err
    assert "--force" in refused.next()
    assert snapshot(out) == before


def test_force_writes_beside_what_is_there(home: Path, tmp_path: Path, model: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("important")
    (out / "model.onnx").write_text("an old model")
    call("--home", home, "pull", "vision/mlp", "-o", out, "--force").done()
    assert {path.name for path in out.iterdir()} == {"thesis.tex", "model.onnx", "model.sig"}
    assert (out / "thesis.tex").read_text() == "important"
    assert (out / "model.onnx").read_bytes() == model.read_bytes()


def test_an_empty_directory_is_written_into(home: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    call("--home", home, "pull", "vision/mlp", "-o", tmp_path / "out").done()
    assert (tmp_path / "out" / "model.sig").exists()


def test_missing_parents_are_made(home: Path, tmp_path: Path) -> None:
    call("--home", home, "pull", "vision/mlp", "-o", tmp_path / "a" / "b" / "c").done()
    assert (tmp_path / "a" / "b" / "c" / "model.onnx").exists()


@pytest.mark.parametrize("target", ["out", "new/deeper/out"])
def test_a_refused_pull_leaves_neither_directory_nor_parents_nor_staging(
    broken: Path, tmp_path: Path, target: str
) -> None:
    refused = spawn("--home", broken, "pull", "vision/mlp", "-o", tmp_path / target)
    assert refused.code == 5
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_refused_pull_keeps_an_empty_directory_empty(broken: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert call("--home", broken, "pull", "vision/mlp", "-o", tmp_path / "out").code == 5
    assert snapshot(tmp_path / "out") == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "out"]


def test_a_refused_pull_by_force_changes_nothing(broken: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "model.onnx").write_text("an old model")
    before = snapshot(out)
    assert call("--home", broken, "pull", "vision/mlp", "-o", out, "--force").code == 5
    assert snapshot(out) == before


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_a_target_that_is_no_directory(home: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"
    if kind == "file":
        target.write_text("important")
    else:
        target.symlink_to(home if kind == "link" else tmp_path / "absent")
    refused = call("--home", home, "pull", "vision/mlp", "-o", target, "--force")
    assert refused.code == 6
    assert refused.next()
    assert target.is_symlink() == (kind != "file")


def test_a_parent_that_is_a_file(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("important")
    refused = call("--home", home, "pull", "vision/mlp", "-o", tmp_path / "file" / "out")
    assert refused.code != 0
    assert "Traceback" not in refused.err
    assert "bug" not in refused.err
    assert (tmp_path / "file").read_text() == "important"


def test_a_version_that_is_not_there_makes_no_directory(home: Path, tmp_path: Path) -> None:
    assert call("--home", home, "pull", "vision/mlp:9", "-o", tmp_path / "x" / "out").code == 3
    assert not (tmp_path / "x").exists()
