"""Names and texts from others reach the terminal without control over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import graphs
from support.commandline import call, spawn

ESCAPE = "\x1b]0;owned\x07\x1b[2J\x1b[31m"
NASTY = f"{ESCAPE}\r\x08\u202e\u200b\x9b31m"
CONTROLS = "\x1b\x07\r\x08\u202e\u200b\x9b"


def _inert(*texts: str) -> None:
    for text in texts:
        assert not set(CONTROLS) & set(text), ascii(text)


@pytest.fixture
def nasty(founded: Path, tmp_path: Path) -> Path:
    """A home with a version whose metadata, file names and ONNX file name carry escapes."""
    source = tmp_path / "source"
    source.mkdir()
    graphs.save(graphs.mlp(), source / f"model{ESCAPE}.onnx")
    (source / f"read{NASTY}me.txt").write_text("hello")
    meta = ("--meta", f"note={NASTY}", "--meta", f"{ESCAPE}=value")
    pushed = spawn("--home", founded, "push", source, "vision/nasty", *meta).done()
    _inert(pushed.out, pushed.err)
    return founded


@pytest.mark.parametrize(
    "command",
    [
        ["show", "vision/nasty"],
        ["verify", "vision/nasty"],
        ["list"],
        ["log"],
        ["run", "vision/nasty", "--input", "random"],
        ["fsck"],
    ],
    ids=" ".join,
)
def test_escapes_of_a_publisher_are_shown_inert(nasty: Path, command: list[str]) -> None:
    shown = call("--home", nasty, *command).done()
    _inert(shown.out, shown.err)


def test_json_keeps_the_text_whole_and_escapes_it(nasty: Path) -> None:
    shown = call("--home", nasty, "show", "vision/nasty", "--json").done()
    _inert(shown.out)
    assert shown.out.isascii()
    assert NASTY in {one["value"] for one in shown.document()["version_metadata"]}


def test_file_names_survive_the_pull(nasty: Path, tmp_path: Path) -> None:
    pulled = call("--home", nasty, "pull", "vision/nasty", "-o", tmp_path / "out").done()
    _inert(pulled.out, pulled.err)
    assert (tmp_path / "out" / f"read{NASTY}me.txt").read_text() == "hello"


def test_the_reason_of_a_yank(home: Path, tmp_path: Path) -> None:
    yanked = call("--home", home, "yank", "vision/mlp:1", "--reason", f"bad{NASTY}").done()
    _inert(yanked.out, yanked.err)
    shown = call("--home", home, "show", "vision/mlp:1").done()
    refused = call("--home", home, "pull", "vision/mlp:1", "-o", tmp_path / "out")
    assert refused.code == 4
    assert "bad" in refused.err
    _inert(shown.out, shown.err, refused.out, refused.err)


def test_what_the_caller_names_wrongly(home: Path, tmp_path: Path) -> None:
    for command in (
        ["show", f"vision/{NASTY}"],
        ["list", NASTY],
        ["push", tmp_path / f"absent{NASTY}.onnx", "vision/x"],
        ["run", "vision/mlp", "--input", tmp_path / f"{NASTY}.npz"],
        ["alias", "vision/mlp", NASTY],
    ):
        refused = call("--home", home, *command)
        assert refused.code in (2, 3)
        _inert(refused.out, refused.err)


def test_a_second_line_passes_for_nothing_else(home: Path, model: Path, tmp_path: Path) -> None:
    forged = "x\npublisher  root\nerror [none]: all is well"
    call("--home", home, "push", model, "vision/mlp", "--meta", f"note={forged}").done()
    shown = call("--home", home, "show", "vision/mlp:2").done()
    starts = [line.split("  ")[0] for line in shown.out.splitlines()]
    assert starts.count("publisher") == 1
    refused = call("--home", home, "push", tmp_path / f"{forged}.onnx", "vision/mlp")
    assert [line for line in refused.err.splitlines() if line.startswith("error")] == [
        "error [not-found]: there is no such file"
    ]
