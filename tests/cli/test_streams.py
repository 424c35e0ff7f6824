"""Output that cannot be written, or not in every letter, and readers that go away."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.commandline import ENTRY, environment, spawn

FULL = Path("/dev/full")


@pytest.mark.parametrize(
    "command", [["show", "vision/mlp"], ["show", "vision/mlp", "--json"], ["list", "--json"]], ids=" ".join
)
def test_a_reader_that_goes_away_is_no_error(home: Path, command: list[str]) -> None:
    """As ``registry show ... | head -c 1`` does, for output that is written at once or at the exit."""
    command = [*ENTRY, "--home", str(home), *command]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        talk = child.stderr.read()
        child.wait(timeout=60)
    assert (child.returncode, talk) == (0, b"")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "command", [["list"], ["show", "vision/mlp", "--json"], ["list", "--json"], ["--help"]], ids=" ".join
)
def test_output_on_a_full_disk_is_not_called_done(home: Path, command: list[str]) -> None:
    arguments = [*ENTRY, "--home", str(home), *command]
    with FULL.open("wb") as full:
        ended = subprocess.run(
            arguments, env=environment(), stdout=full, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert ended.returncode == 7
    assert b"error [disk-trouble]: the output could not be written" in ended.stderr
    assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("command", [["list"], ["show", "vision/mlp"], ["log"]], ids=" ".join)
def test_a_terminal_of_few_letters(home: Path, command: list[str], encoding: str) -> None:
    shown = spawn("--home", home, *command, env={"PYTHONIOENCODING": encoding}).done()
    assert "vision/mlp" in shown.out


def test_a_home_whose_name_is_not_utf8_gives_a_json_document_all_the_same(tmp_path: Path) -> None:
    home = bytes(tmp_path) + b"/\xff\xfe"
    refused = spawn("--home", home, "list", "--json", env={"PYTHONIOENCODING": "utf-8:strict"})
    assert refused.code == 3
    assert refused.document()["error"]["code"] == "home-not-found"


@pytest.mark.parametrize("columns", ["40", "80"])
def test_tables_fit_the_terminal(home: Path, columns: str) -> None:
    for command in (["list"], ["log"]):
        shown = spawn("--home", home, *command, env={"COLUMNS": columns}).done()
        assert max(map(len, shown.out.splitlines())) <= int(columns)
