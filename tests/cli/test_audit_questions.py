"""The ready questions at the command line: for people, for programs, and with texts that mean harm."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from support.commandline import Result, call

NASTY = "\x1b]0;owned\x07\x1b[2J\r\u202e<script>alert(1)</script>"
FORMULA = '=HYPERLINK("https://evil.example","x")'
CONTROLS = {"\x1b", "\x07", "\r", "\u202e"}
QUESTIONS = (
    ("who-can", "vision/mlp"),
    ("who-pulled", "vision/mlp"),
    ("history", "vision/mlp"),
    ("denied",),
    ("stale-grants", "--days", "1"),
    ("blast-radius", "bob"),
    ("member", "bob"),
)
KEYS = {
    "who-can": "who",
    "who-pulled": "pulls",
    "stale-grants": "unused",
    "blast-radius": "opened",
    "member": "did",
}


class Town:
    """A home in which everybody acts; each command is alice's unless it says whose."""

    def __init__(self, home: Path, place: Path) -> None:
        self.home, self.place = home, place

    def __call__(self, *arguments: object, by: str | None = None) -> Result:
        identity = ("--identity", self.place / f"{by}.pem") if by else ()
        return call("--home", self.home, *identity, *arguments, env={"COLUMNS": "200"})

    def audit(self, *arguments: object, by: str | None = None) -> Result:
        return self("audit", *arguments, by=by).done()

    def enroll(self, name: str, *options: str) -> None:
        call("identity", "create", "--name", name, "-o", self.place / f"{name}.pem").done()
        self("member", "add", self.place / f"{name}.pub", *options).done()


@pytest.fixture(scope="module")
def town(published_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """bob reads vision/mlp, mallory was refused it, eve is an auditor. To be looked at only."""
    place = tmp_path_factory.mktemp("town")
    town = Town(Path(shutil.copytree(published_template, place / "home")), place)
    for name, *role in (("bob",), ("mallory",), ("eve", "--role", "auditor")):
        town.enroll(name, *role)
    town("grant", "bob", "pull", "vision/").done()
    town("pull", "vision/mlp", "-o", place / "out", "--purpose", "serving", by="bob").done()
    assert town("pull", "vision/mlp", "-o", place / "no", by="mallory").code == 4
    return town


@pytest.fixture
def changing(town: Town, tmp_path: Path) -> Town:
    """A copy, to be changed."""
    return Town(Path(shutil.copytree(town.home, tmp_path / "home")), town.place)


def rows(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_each_question_for_people(town: Town) -> None:
    said = {name: " ".join(town.audit(name, *rest).out.split()) for name, *rest in QUESTIONS}
    assert "alice everything vision/mlp admin" in said["who-can"]
    assert "bob pull vision/mlp grant: pull on vision/" in said["who-can"]
    assert "bob vision/mlp:1 1" in said["who-pulled"]
    assert "serving" in said["who-pulled"]
    assert said["history"].endswith("UTC")
    assert "pulls: 1, by 1 member(s)" in said["history"]
    assert "pull (refused)" in said["history"]
    assert "mallory pull vision/mlp:1 not-permitted" in said["denied"].replace(
        "not-permitt ed", "not-permitted"
    )
    assert "could open 1 version(s), of which they pulled 1" in said["blast-radius"]
    assert "role member" in said["member"]
    assert "vision/mlp" in said["member"]


def test_what_is_empty_says_so_on_stderr(town: Town) -> None:
    for question in (("denied", "--code", "nothing"), ("stale-grants", "--days", "1")):
        shown = town.audit(*question)
        assert (shown.out, shown.err.count("\n")) == ("", 1)
        assert town.audit(*question, "--format", "csv").out.count("\n") == 1  # the headings


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one[0])
def test_json_and_rows_say_the_same(town: Town, question: Sequence[str]) -> None:
    document = town.audit(*question, "--json").document()
    expected = document[KEYS.get(question[0], question[0])]
    lines = town.audit(*question, "--format", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == expected
    found = rows(town.audit(*question, "--format", "csv").out)
    assert len(found) == len(expected)
    assert bool(expected) == (question[0] != "stale-grants")
    if expected:
        assert set(found[0]) == set(expected[0])


def test_parquet_and_files(town: Town, tmp_path: Path) -> None:
    from pyarrow import parquet

    target = tmp_path / "who.parquet"
    shown = town.audit("who-can", "vision/mlp", "--format", "parquet", "-o", target)
    assert shown.out == ""
    table = parquet.read_table(target).to_pylist()
    assert table == town.audit("who-can", "vision/mlp", "--json").document()["who"]
    town.audit("history", "vision/mlp", "--format", "csv", "-o", tmp_path / "history.csv")
    assert len(rows((tmp_path / "history.csv").read_text())) > 2


def test_limits_say_what_they_leave_out(town: Town) -> None:
    whole = town.audit("history", "vision/mlp", "--json").document()
    few = town.audit("history", "vision/mlp", "--limit", "1", "--json").document()
    assert few["history"] == whole["history"][-1:]
    assert few["more"] == len(whole["history"]) - 1
    assert f"{few['more']} older not shown" in town.audit("history", "vision/mlp", "--limit", "1").err


def test_since_is_a_span_back_from_now(town: Town) -> None:
    assert town.audit("denied", "--since", "1h", "--json").document()["denied"]
    assert town.audit("denied", "--since", "2099-01-01", "--json").document()["denied"] == []
    assert town.audit("denied", "--since", "30d", "--until", "1h", "--json").document()["denied"] == []
    assert town.audit("blast-radius", "bob", "--since", "1h", "--json").document()["opened"]
    assert town.audit("blast-radius", "bob", "--since", "2099-01-01", "--json").document()["signed"] == []
    assert town("audit", "denied", "--since", "yesterday").code == 2


def test_texts_of_others_are_inert(changing: Town, model: Path) -> None:
    changing("push", model, "vision/mlp", "--meta", f"note={NASTY}").done()
    changing("yank", "vision/mlp:2", "--reason", FORMULA).done()
    changing("member", "disable", "mallory", "--reason", f"{FORMULA}{NASTY}").done()
    for question in (("history", "vision/mlp"), ("member", "mallory"), ("blast-radius", "bob")):
        for form in ("table", "csv", "jsonl"):
            shown = changing.audit(*question, "--format", form).out.replace("\r\n", "\n")
            assert not CONTROLS & set(shown), (question, form)
    cells = [
        cell
        for row in rows(changing.audit("history", "vision/mlp", "--format", "csv").out)
        for cell in row.values()
    ]
    assert any(FORMULA[:10] in cell for cell in cells)
    assert not any(cell.startswith(tuple("=+-@")) for cell in cells)
    told = changing.audit("history", "vision/mlp", "--json").document()["history"]
    assert told[-1]["detail"] == FORMULA
    assert any(NASTY in one["detail"] for one in told)


def test_what_is_asked_for_is_data_and_no_query(town: Town) -> None:
    for text in ("x' OR '1'='1", 'x"; DROP TABLE acts;--', "%", "vision/%"):
        for question in (("member", text), ("blast-radius", text), ("who-pulled", text), ("history", text)):
            assert town("audit", *question).code in (2, 3), (question, text)
        for option in ("--member", "--code"):
            assert town.audit("denied", option, text, "--json").document()["denied"] == []
    assert town("audit", "denied", "--on", "vision/%").code == 2
    town("fsck").done()


def test_an_engineer_sees_their_own(town: Town) -> None:
    for question in (("who-can", "vision/mlp"), ("who-pulled", "vision/mlp"), ("history", "vision/mlp")):
        assert (
            town.audit(*question, "--json", by="bob").document() == town.audit(*question, "--json").document()
        )
        refused = town("audit", *question, by="mallory")
        assert (refused.code, refused.out) == (4, "")
        assert refused.next() == "ask an auditor or an admin"
    for name in ("bob", "mallory"):
        assert town.audit("member", name, "--json", by=name).document()["name"] == name
        assert town("audit", "blast-radius", name, by=name).code == 4
    assert town("audit", "member", "bob", by="mallory").code == 4
    denied = town.audit("denied", "--json", by="mallory").document()["denied"]
    assert [one["member"] for one in denied] == ["mallory"]


def test_an_auditor_who_has_no_key_asks_everything(town: Town) -> None:
    for question in QUESTIONS:
        assert (
            town.audit(*question, "--json", by="eve").document() == town.audit(*question, "--json").document()
        )
