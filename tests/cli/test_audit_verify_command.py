"""``registry audit verify``: what people and programs are told."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from support import ledgers
from support.commandline import Result, call


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return ledgers.copied(tmp_path)


def verify(home: Path, *arguments: object) -> Result:
    return call("--home", home, "audit", "verify", *arguments)


def test_a_ledger_that_holds(home: Path) -> None:
    told = verify(home).done()
    assert f"{ledgers.SMALL} acts" in told.out
    assert "every entry" in told.out
    found = verify(home, "--json", "--jobs", 1).done().document()
    assert (found["ok"], found["acts"], found["start"], found["resumed"]) == (True, ledgers.SMALL, 0, None)
    assert found["law"] > 20
    assert found["seconds"] > 0


def test_from_an_entry_on(home: Path) -> None:
    assert "from 200 on" in verify(home, "--from", 200).done().out
    assert verify(home, "--from", ledgers.SMALL + 1).code == 2


def test_one_that_goes_on_says_so(home: Path) -> None:
    verify(home).done()
    file = home / "verified"
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, "done": False, "size": 0}))
    assert "went on" not in verify(home).done().err  # nothing had been reached


def test_the_first_thing_wrong_is_named(home: Path) -> None:
    with sqlite3.connect(home / "registry.db") as base:
        base.execute("UPDATE acts SET kind = 'yank' WHERE seq = 42")
        base.execute("UPDATE events SET member = '\x1b[31mmallory' WHERE seq = 77")
    told = verify(home)
    assert told.code == 5
    assert "index-differs" in told.err
    assert "entry 42, acts.kind" in told.err
    assert told.out == ""
    failed = verify(home, "--json")
    assert failed.code == 5
    assert failed.document()["error"]["on"] == "entry 42, acts.kind"
