"""``registry demo``: the story comes true, or the demo fails."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest

from registry.errors import BadDigest
from registry_cli.demo import chapters, stage, story
from support.commandline import Result, call, spawn

TITLES = [chapter.title for chapter in story.CHAPTERS]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty temporary directory, which the demo must leave empty."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """No ledger at the end: a chapter less for what fails before."""
    monkeypatch.setattr(story, "CHAPTERS", story.CHAPTERS[:-2])


def test_it_tells_its_story_in_eighty_columns(scratch: Path) -> None:
    told = spawn("demo", cwd=scratch).done()
    assert re.findall(r"^\d+\. (.*?) ─+$", told.out, re.M) == TITLES
    assert max(map(len, told.out.splitlines())) <= 80
    assert told.err == ""
    assert "\x1b" not in told.out
    assert re.search(r"INT8, out of the registry +\d+ of 450 right, 9\d\.\d%", told.out)
    assert "error [bad-encryption] at step 9 (open)" in told.out
    assert re.search(r"^ 5  reference +FAILED", told.out, re.M)
    assert list(scratch.iterdir()) == []


def test_every_command_it_shows_can_be_typed(scratch: Path) -> None:
    told = call("demo", "--json").done().document()
    typed = [line for chapter in told["chapters"] for line in chapter["commands"] if line[0] != "#"]
    assert {line.split()[1] for line in typed if line.startswith("registry ")} == {
        *("init", "push", "show", "pull", "verify", "run", "lineage", "audit")
    }


def test_json_is_one_document_of_chapters_and_results(scratch: Path) -> None:
    told = spawn("demo", "--json", env={"REGISTRY_PASSPHRASE": "a secret", "FORCE_COLOR": "1"}).done()
    assert told.err == ""
    document = told.document()
    assert set(document) == {"ok", "chapters"}
    assert [chapter["title"] for chapter in document["chapters"]] == TITLES
    for chapter in document["chapters"]:
        assert set(chapter) == {"number", "title", "why", "commands", "output", "result"}
        assert "\x1b" not in "".join(chapter["output"])
    results = [chapter["result"] for chapter in document["chapters"]]
    assert results[6]["int8"] >= chapters.FLOOR
    assert results[7] == {"honest": "derived", "bent": "non-nearest"}
    assert results[8] == {"refused": "bad-encryption", "step": "9 (open)", "exit_code": 5}
    assert results[9] == {"refused": "bad-reference", "step": "5 (reference)", "exit_code": 5}
    assert results[11] == {"refused": 5}
    assert list(scratch.iterdir()) == []


def test_it_touches_no_registry_of_the_callers(scratch: Path, home: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    here = Path.cwd()
    call("demo", "--json", env={"REGISTRY_HOME": str(home), "REGISTRY_IDENTITY": os.devnull}).done()
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before
    assert Path.cwd() == here


def _fails(result: Result, saying: str) -> None:
    assert result.code == 1
    assert "the demo does not do what it says" in result.err
    assert saying in result.err
    assert "Nothing ran that was not verified" not in result.out


@pytest.mark.usefixtures("short")
def test_a_byte_that_was_not_flipped_fails_it(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chapters, "flip", lambda *_: None)
    _fails(call("demo"), "is refused at step 9 (open)")
    assert list(scratch.iterdir()) == []


@pytest.mark.usefixtures("short")
def test_a_field_that_was_not_edited_fails_it(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chapters, "sql", lambda _: 1)
    _fails(call("demo"), "is refused at step 5 (reference)")


@pytest.mark.usefixtures("short")
def test_another_refusal_than_the_one_told_fails_it(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chapters, "BadEncryption", BadDigest)
    _fails(call("demo", "--json"), "is refused at step 9 (open)")


@pytest.mark.usefixtures("short")
def test_a_model_that_guesses_fails_it(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chapters, "_right", lambda scores, labels: len(labels) // 10)
    failed = call("demo", "--json")
    _fails(failed, "names at least 97%")
    assert failed.document()["ok"] is False


@pytest.mark.usefixtures("short")
def test_a_command_that_fails_fails_it(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "HOME", Path("/dev/null/home"))
    failed = call("demo")
    assert failed.code not in (0, 5)
    assert "Traceback" not in failed.err
    assert list(scratch.iterdir()) == []
