"""File names and contents survive push and pull byte for byte; a name that is not Unicode is refused."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from support import graphs
from support.commandline import call, snapshot, spawn

COMPOSED = "caf\u00e9 \u00c5ngstr\u00f6m.txt"
NAMES = {
    "spaces": " two  words .txt",
    "composed": unicodedata.normalize("NFC", COMPOSED),
    "decomposed": unicodedata.normalize("NFD", COMPOSED),
    "scripts": "\u6a21\u578b/\u043c\u043e\u0434\u0435\u043b\u044c/\u0646\u0645\u0648\u0630/\U0001f9ee.bin",
    "deep": "/".join(f"level {number}" for number in range(40)) + "/bottom.txt",
    "dotfile": ".hidden",
    "dot directory": ".config/.settings.json",
    "git": ".gitattributes",
    "only dots": "...",
    "dash": "-rf",
    "quotes": "'\"`$(rm)`\\.txt",
    "newline": "first\nsecond",
    "tab and escape": "a\tb\x1b[31m",
    "long": "x" * 255,
    "case": "README",
    "other case": "readme",
    "no content": "empty.bin",
    "sig elsewhere": "sub/model.sig",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with a model and a file of every name; no two of the same content."""
    directory = tmp_path / "source tree"
    directory.mkdir()
    graphs.save(graphs.mlp(), directory / "model.onnx")
    for number, name in enumerate(NAMES.values()):
        place = directory / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"" if name == "empty.bin" else bytes([number]) * (number + 1))
    return directory


def test_every_name_and_byte_survives(founded: Path, tmp_path: Path, source: Path) -> None:
    assert len(snapshot(source)) > len(NAMES)
    call("--home", founded, "push", source, "vision/names").done()
    call("--home", founded, "pull", "vision/names", "-o", tmp_path / "out").done()
    pulled = snapshot(tmp_path / "out")
    assert pulled.pop("model.sig")
    assert pulled == snapshot(source)
    call("--home", founded, "fsck").done()


def test_json_lists_the_names_as_they_are(founded: Path, tmp_path: Path, source: Path) -> None:
    call("--home", founded, "push", source, "vision/names").done()
    out = tmp_path / "out"
    pulled = spawn("--home", founded, "pull", "vision/names", "-o", out, "--json").done()
    assert set(pulled.document()["files"]) == {"model.onnx", *NAMES.values()}
    shown = spawn("--home", founded, "show", "vision/names", "--json").done()
    assert {one["path"] for one in shown.document()["files"]} == {"model.onnx", *NAMES.values()}


def test_a_model_with_an_odd_name_runs(founded: Path, tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "mod\u00e8le n\u00ba 1.onnx")
    graphs.save(graphs.mlp(), tmp_path / name)
    call("--home", founded, "push", tmp_path / name, "vision/odd").done()
    call("--home", founded, "run", "vision/odd", "--input", "random").done()
    call("--home", founded, "verify", "vision/odd").done()


@pytest.mark.parametrize("name", [b"bad\xff.txt", b"\xc3\x28/inside.txt", b"\xed\xa0\x80.txt"])
def test_a_name_that_is_not_utf8_is_refused(founded: Path, tmp_path: Path, name: bytes) -> None:
    source = tmp_path / "source"
    source.mkdir()
    graphs.save(graphs.mlp(), source / "model.onnx")
    place = os.path.join(os.fsencode(source), name)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as file:
        file.write(b"content")
    for form in ([], ["--json"]):
        refused = spawn("--home", founded, "push", source, "vision/bad", *form)
        assert refused.code == 2
        assert "error [unsafe-path]: a file name is not Unicode" in refused.err
        assert "rename" in refused.next()
    assert refused.document()["error"]["code"] == "unsafe-path"
    assert call("--home", founded, "list", "--json").document() == {"models": []}


def test_a_model_file_whose_name_is_not_utf8_is_refused(founded: Path, tmp_path: Path) -> None:
    path = graphs.save(graphs.mlp(), tmp_path / "model.onnx")
    odd = os.fsencode(tmp_path) + b"/\xffmodel.onnx"
    os.rename(path, odd)
    refused = spawn("--home", founded, "push", odd, "vision/bad")
    assert refused.code == 2
    assert "not Unicode" in refused.err


def test_a_target_whose_name_is_not_utf8_is_written(home: Path, tmp_path: Path) -> None:
    out = os.fsencode(tmp_path) + b"/\xffout"
    spawn("--home", home, "pull", "vision/mlp", "-o", out, "--json").done().document()
    assert sorted(os.listdir(out)) == [b"model.onnx", b"model.sig"]


def test_the_signature_of_a_pulled_model_is_not_pushed_again(home: Path, tmp_path: Path, model: Path) -> None:
    call("--home", home, "pull", "vision/mlp", "-o", tmp_path / "out").done()
    again = call("--home", home, "push", tmp_path / "out", "vision/mlp", "--json").done().document()
    first = call("--home", home, "show", "vision/mlp:1", "--json").document()
    assert again["digest"] == f"sha256:{first['digest']}"
