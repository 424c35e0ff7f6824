"""What is no model, or not one that can be pushed: exit code 2, a next step, and nothing published."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from support import graphs
from support.commandline import Result, call, spawn

# Root reads what no mode allows by two capabilities (capabilities(7)); without them it is a user like others.
UNPRIVILEGED = """
import ctypes
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: low words, then high
libc = ctypes.CDLL(None, use_errno=True)
libc.capget(header, sets)
for place in (0, 1, 2):
    sets[place] &= ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH)
libc.capset(header, sets)
"""


def _text(where: Path) -> Path:
    (where / "model.onnx").write_text("Dear model,\nyou are a letter.\n")
    return where / "model.onnx"


def _empty_file(where: Path) -> Path:
    (where / "model.onnx").touch()
    return where / "model.onnx"


def _truncated(where: Path) -> Path:
    data = graphs.save(graphs.cnn(), where / "model.onnx").read_bytes()
    (where / "model.onnx").write_bytes(data[: len(data) // 2])
    return where / "model.onnx"


def _other_suffix(where: Path) -> Path:
    return graphs.save(graphs.mlp(), where / "model.bin")


def _empty_directory(where: Path) -> Path:
    (where / "empty").mkdir()
    return where / "empty"


def _no_model_inside(where: Path) -> Path:
    (where / "README").write_text("nothing here")
    return where


def _linked_model(where: Path) -> Path:
    graphs.save(graphs.mlp(), where / "real.onnx")
    (where / "model.onnx").symlink_to("real.onnx")
    return where / "model.onnx"


def _linked_file_beside(where: Path) -> Path:
    graphs.save(graphs.mlp(), where / "model.onnx")
    (where / "passwd").symlink_to("/etc/passwd")
    return where


def _pipe_beside(where: Path) -> Path:
    graphs.save(graphs.mlp(), where / "model.onnx")
    os.mkfifo(where / "pipe")
    return where


def _external(where: Path, location: str) -> Path:
    """A model in ``where``/in whose external data lies at ``location``, whatever that is."""
    (where / "in").mkdir()
    path = graphs.save(graphs.mlp(), where / "in" / "model.onnx", external="weights.bin")
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(model.SerializeToString())
    return path


def _outside(where: Path) -> Path:
    path = _external(where, "../weights.bin")
    (where / "in" / "weights.bin").rename(where / "weights.bin")
    return path


def _absolute(where: Path) -> Path:
    return _external(where, str(where / "in" / "weights.bin"))


def _linked_weights(where: Path) -> Path:
    path = _external(where, "weights.bin")
    (where / "in" / "weights.bin").rename(where / "weights.bin")
    (where / "in" / "weights.bin").symlink_to(where / "weights.bin")
    return path


def _linked_folder(where: Path) -> Path:
    path = _external(where, "data/weights.bin")
    (where / "data").mkdir()
    (where / "in" / "weights.bin").rename(where / "data" / "weights.bin")
    (where / "in" / "data").symlink_to(where / "data")
    return path


def _missing(where: Path) -> Path:
    path = _external(where, "weights.bin")
    (where / "in" / "weights.bin").unlink()
    return path


def _cut_short(where: Path) -> Path:
    path = _external(where, "weights.bin")
    os.truncate(where / "in" / "weights.bin", 100)
    return path


CASES: dict[Callable[[Path], Path], tuple[str, str]] = {
    _text: ("invalid-model", ""),
    _empty_file: ("invalid-model", ""),
    _truncated: ("invalid-model", ""),
    _other_suffix: ("invalid-model", ".onnx"),
    _empty_directory: ("invalid-model", "no .onnx file"),
    _no_model_inside: ("invalid-model", "no .onnx file"),
    _linked_model: ("unsafe-path", "symbolic link"),
    _linked_file_beside: ("unsafe-path", "symbolic link"),
    _pipe_beside: ("unsafe-path", "regular files"),
    _outside: ("unsafe-path", "outside the model's directory"),
    _absolute: ("unsafe-path", "absolute"),
    _linked_weights: ("unsafe-path", "symbolic link"),
    _linked_folder: ("unsafe-path", "symbolic link"),
    _missing: ("invalid-model", "missing"),
    _cut_short: ("invalid-model", ""),
}


@pytest.mark.parametrize(
    ("make", "whole"),
    [
        pytest.param(make, whole, id=f"{make.__name__.strip('_')}-{'directory' if whole else 'file'}")
        for make in CASES
        for whole in (False, True)
    ],
)
def test_it_is_refused(founded: Path, tmp_path: Path, make: Callable[[Path], Path], whole: bool) -> None:
    where = tmp_path / "source"
    where.mkdir()
    path = make(where)
    if whole:
        path = path if path.is_dir() else path.parent
    code, words = CASES[make]
    _refused(call("--home", founded, "push", path, "vision/bad"), code, words)
    _nothing_published(founded)


def _refused(result: Result, code: str, words: str) -> None:
    assert result.code == 2, result.err
    assert f"error [{code}]: " in result.err
    assert words in result.err
    assert result.next()
    assert result.out == ""
    assert "Traceback" not in result.err


def _nothing_published(home: Path) -> None:
    assert call("--home", home, "list", "--json").done().document() == {"models": []}
    found = call("--home", home, "fsck", "--json").done().document()
    assert (found["acts"], found["orphans"], found["findings"]) == (1, [], [])


def test_a_path_that_is_not_there(founded: Path, tmp_path: Path) -> None:
    refused = call("--home", founded, "push", tmp_path / "absent.onnx", "vision/bad")
    assert refused.code == 3
    assert "error [not-found]" in refused.err


@pytest.mark.parametrize("what", ["model.onnx", "notes.txt", "."])
def test_what_may_not_be_read(founded: Path, tmp_path: Path, what: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    graphs.save(graphs.mlp(), source / "model.onnx")
    (source / "notes.txt").write_text("secret")
    (source / what).chmod(0)
    try:
        _really_unreadable(source / what)
        refused = spawn("--home", founded, "push", source, "vision/bad", first=UNPRIVILEGED)
    finally:
        (source / what).chmod(0o700)
    _refused(refused, "invalid-input", "may not be read")
    assert "mode" in refused.next()
    assert call("--home", founded, "list", "--json").done().document() == {"models": []}
    call("--home", founded, "push", source, "vision/bad").done()
    assert call("--home", founded, "fsck", "--json").done().document()["orphans"] == []


def _really_unreadable(path: Path) -> None:
    attempt = f"{UNPRIVILEGED}\nimport os\nprint(os.open({str(path)!r}, os.O_RDONLY))"
    ended = subprocess.run([sys.executable, "-c", attempt], capture_output=True, check=False)
    if b"PermissionError" not in ended.stderr:
        pytest.skip("this system lets root read everything, and takes no capability away")


@pytest.mark.parametrize("ref", ["vision", "vision/", "/mlp", "vi sion/mlp", "a/b/c", "vision/mlp:1", "-x/y"])
def test_a_reference_that_is_no_model(founded: Path, model: Path, ref: str) -> None:
    refused = call("--home", founded, "push", "--", model, ref)
    assert refused.code == 2
    assert "error [invalid-reference]" in refused.err
    assert refused.next()


@pytest.mark.parametrize("option", [("--label", "12"), ("--alias", "../x"), ("--label", "")])
def test_a_label_or_alias_that_is_no_name(founded: Path, model: Path, option: tuple[str, str]) -> None:
    refused = call("--home", founded, "push", model, "vision/mlp", *option)
    assert refused.code == 2, refused.err
    assert refused.next()
    _nothing_published(founded)


@pytest.mark.parametrize(
    "pair", ["k=" + "x" * 5000, "k" * 200 + "=v", "k=a\x00b"], ids=["value", "key", "nul"]
)
def test_metadata_that_cannot_be_recorded(founded: Path, model: Path, pair: str) -> None:
    refused = call("--home", founded, "push", model, "vision/mlp", "--meta", pair)
    assert refused.code == 2, refused.err
    assert "error [invalid-input]" in refused.err
    assert call("--home", founded, "list", "--json").document() == {"models": []}
