"""Which registry and which identity a command uses; homes that are none; passphrases."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from registry.crypto.identity import Identity
from support.commandline import call, snapshot, spawn

SECRET = {"REGISTRY_PASSPHRASE": "correct horse"}


@pytest.fixture(scope="module")
def locked_template(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    home = tmp_path_factory.mktemp("locked") / "home"
    call("--home", home, "init", env=SECRET).done()
    call("--home", home, "push", model, "vision/mlp", env=SECRET).done()
    return home


@pytest.fixture
def locked(tmp_path: Path, locked_template: Path) -> Path:
    """A home whose keys are encrypted."""
    return Path(shutil.copytree(locked_template, tmp_path / "locked"))


def test_a_second_init_is_a_conflict_and_changes_nothing(home: Path) -> None:
    before = snapshot(home)
    again = spawn("--home", home, "init", "--name", "mallory")
    assert again.code == 6
    assert "error [already-exists]" in again.err
    assert "--home" in again.next()
    assert snapshot(home) == before


def test_init_refuses_a_directory_with_other_content(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("important")
    before = snapshot(tmp_path)
    refused = spawn("--home", tmp_path, "init")
    assert refused.code == 2
    assert "empty directory" in refused.next()
    assert snapshot(tmp_path) == before


def test_init_refuses_a_name_that_is_none(tmp_path: Path) -> None:
    refused = call("--home", tmp_path / "home", "init", "--name", "alice of\x1b[31m spades")
    assert refused.code == 2
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--database", "mysql://host/db"),
        ("--database", "no url"),
        ("--store", "ftp://host/x"),
        ("--store", "s3://"),
    ],
)
def test_init_that_fails_leaves_no_home(tmp_path: Path, option: str, value: str) -> None:
    refused = call("--home", tmp_path / "home", "init", option, value)
    assert refused.code == 2, refused.err
    assert refused.next()
    assert not (tmp_path / "home" / "registry.json").exists()
    call("--home", tmp_path / "home", "init").done()


def test_a_database_that_was_not_reachable_can_be_replaced_by_another(tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path / 'absent' / 'registry.db'}"
    for _ in range(2):
        refused = call("--home", tmp_path / "home", "init", "--database", nowhere)
        assert refused.code == 7
        assert refused.next()
    made = call("--home", tmp_path / "home", "init", "--name", "bob", "--json").done().document()
    assert made["name"] == "bob"
    call("--home", tmp_path / "home", "fsck").done()


@pytest.mark.parametrize(
    "command", [["list"], ["log"], ["fsck"], ["gc"], ["db", "upgrade"], ["identity", "show"]]
)
def test_a_home_that_is_no_home(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "thesis.tex").write_text("important")
    before = snapshot(tmp_path)
    refused = call("--home", tmp_path, *command)
    assert refused.code == 3
    assert "error [home-not-found]" in refused.err
    assert "registry init" in refused.next()
    assert snapshot(tmp_path) == before


def test_a_home_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    assert call("--home", tmp_path / "absent", "list").code == 3
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"format": 1}', b"[" * 60_000])
def test_a_home_whose_configuration_is_damaged(home: Path, content: bytes) -> None:
    (home / "registry.json").write_bytes(content)
    refused = call("--home", home, "list")
    assert refused.code == 2, refused.err
    assert "backup" in refused.next()


def test_the_environment_names_the_home(home: Path, tmp_path: Path) -> None:
    listed = spawn("list", "--json", env={"REGISTRY_HOME": str(home)}).done().document()
    assert [one["model"] for one in listed["models"]] == ["vision/mlp"]
    other = {"REGISTRY_HOME": str(tmp_path / "absent")}
    assert call("list", env=other).code == 3
    assert call("--home", home, "list", env=other).code == 0


def test_without_a_home_the_users_data_directory_is_meant(tmp_path: Path) -> None:
    env = {"XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)}
    made = spawn("init", "--json", env=env).done().document()
    assert Path(made["home"]).is_relative_to(tmp_path)
    assert call("list", env=env).code == 0


def test_the_environment_names_the_identity(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "bob.pem"
    bob = Identity.generate("bob")
    file.write_bytes(bob.to_pem(None))
    env = {"REGISTRY_IDENTITY": str(file)}
    shown = call("--home", home, "identity", "show", "--json", env=env).done().document()
    assert (shown["name"], shown["file"]) == ("bob", str(file))
    mine = call("--home", home, "--identity", home / "identity.pem", "identity", "show", "--json", env=env)
    assert mine.document()["name"] == "alice"


def test_an_identity_file_that_is_not_there(home: Path, tmp_path: Path) -> None:
    refused = call("--home", home, "--identity", tmp_path / "absent.pem", "identity", "show")
    assert refused.code == 3
    assert str(tmp_path / "absent.pem") in refused.err.replace("\n", "")


def test_an_identity_file_that_is_none(home: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no keys here")
    refused = call("--home", home, "--identity", tmp_path / "notes.txt", "identity", "show")
    assert refused.code == 2
    assert "error [invalid-identity]" in refused.err


def test_the_homes_own_identity_changed_is_untrusted(home: Path) -> None:
    (home / "identity.pem").write_text("no keys here")
    refused = call("--home", home, "run", "vision/mlp", "--input", "random")
    assert refused.code == 5
    assert "error [bad-identity]" in refused.err


def test_the_passphrase_encrypts_and_opens_the_keys(locked: Path) -> None:
    for name in ("identity.pem", "ledger.pem"):
        text = (locked / name).read_text()
        assert "BEGIN ENCRYPTED PRIVATE KEY" in text
        assert "BEGIN PRIVATE KEY" not in text
        assert stat.S_IMODE((locked / name).stat().st_mode) == 0o600
    assert spawn("--home", locked, "run", "vision/mlp", "--input", "random", env=SECRET).code == 0


@pytest.mark.parametrize("env", [{"REGISTRY_PASSPHRASE": "wrong"}, {"REGISTRY_PASSPHRASE": ""}, {}])
@pytest.mark.parametrize(
    "command",
    [
        ["identity", "show"],
        ["run", "vision/mlp", "--input", "random"],
        ["yank", "vision/mlp", "--reason", "x"],
    ],
)
def test_a_wrong_or_missing_passphrase_says_what_to_do(
    locked: Path, env: dict[str, str], command: list[str]
) -> None:
    before = snapshot(locked)
    refused = call("--home", locked, *command, env=env)
    assert refused.code == 4
    assert "error [wrong-passphrase]" in refused.err
    assert "REGISTRY_PASSPHRASE" in refused.next()
    assert {name: data for name, data in snapshot(locked).items() if "registry.db" not in name} == {
        name: data for name, data in before.items() if "registry.db" not in name
    }


def test_looking_needs_no_passphrase(locked: Path) -> None:
    for command in (["list"], ["show", "vision/mlp"], ["fsck"]):
        assert call("--home", locked, *command).code == 0
