"""A database of another age than the program: exit code 7 and the way out."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from registry.records import schema
from registry.records.database import open_engine
from support.commandline import call, snapshot, spawn

COMMANDS = [["list"], ["show", "vision/mlp"], ["verify", "vision/mlp"], ["log"], ["fsck"], ["gc"]]


@pytest.fixture
def behind(home: Path) -> Path:
    """A home whose database is one migration behind."""
    engine = open_engine(f"sqlite:///{home / 'registry.db'}")
    try:
        schema.downgrade(engine, schema.KNOWN[-2])
    finally:
        engine.dispose()
    return home


@pytest.fixture
def ahead(home: Path) -> Path:
    """A home whose database is one migration ahead."""
    with contextlib.closing(sqlite3.connect(home / "registry.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    return home


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_one_behind(behind: Path, command: list[str]) -> None:
    refused = call("--home", behind, *command)
    assert refused.code == 7
    assert "error [schema-mismatch]" in refused.err
    assert "registry db upgrade" in refused.next()


def test_a_push_to_one_behind_stores_nothing(behind: Path, model: Path) -> None:
    before = {name for name in snapshot(behind) if name.startswith("blobs")}
    refused = spawn("--home", behind, "push", model, "vision/other")
    assert refused.code == 7
    assert "registry db upgrade" in refused.next()
    assert {name for name in snapshot(behind) if name.startswith("blobs")} == before


def test_upgrade_brings_it_up_to_date_with_every_fact(behind: Path, tmp_path: Path) -> None:
    upgraded = spawn("--home", behind, "db", "upgrade", "--json").done().document()
    assert upgraded == {"from": schema.KNOWN[-2], "to": schema.HEAD}
    shown = call("--home", behind, "show", "vision/mlp:prod", "--json").done().document()
    assert shown["quantization"][0]["mode"] == "static"
    assert shown["quantized_tensors"]
    call("--home", behind, "fsck").done()
    call("--home", behind, "pull", "vision/mlp:prod", "-o", tmp_path / "out").done()


def test_upgrade_to_the_same_is_done_and_harmless(home: Path) -> None:
    assert call("--home", home, "db", "upgrade", "--json").done().document()["from"] == schema.HEAD
    call("--home", home, "fsck").done()


@pytest.mark.parametrize("command", [*COMMANDS, ["db", "upgrade"]], ids=lambda command: command[0])
def test_one_ahead(ahead: Path, command: list[str]) -> None:
    refused = call("--home", ahead, *command)
    assert refused.code == 7
    assert "newer than this program" in refused.err
    assert refused.next() == "upgrade Hallmark"


def test_a_database_that_is_gone(home: Path) -> None:
    for path in home.glob("registry.db*"):
        path.unlink()
    refused = call("--home", home, "list")
    assert refused.code == 7, refused.err
    assert "restore" in refused.next()


def test_an_empty_database_in_its_place_is_not_this_registry(home: Path, tmp_path: Path) -> None:
    for path in home.glob("registry.db*"):
        path.unlink()
    call("--home", home, "db", "upgrade")
    for command in (["verify", "vision/mlp"], ["fsck"], ["alias", "vision/mlp", "x"]):
        refused = call("--home", home, *command)
        assert refused.code in (3, 5), refused.err
        assert "bug" not in refused.err
    assert call("--home", home, "fsck").code == 5
