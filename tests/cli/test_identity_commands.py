"""Identities on the command line: making one, changing its keys, and the passphrases of its files."""

from __future__ import annotations

import os
import pty
import re
import shutil
import stat
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from registry import members
from registry.context import Context
from registry.crypto.identity import Identity
from registry.errors import DiskTrouble
from support.commandline import ENTRY, LIMIT, Result, call, environment, snapshot, spawn

HEX = re.compile(r"[0-9a-f]{64}")
MADE = {"name", "keyid", "fingerprint", "private", "public"}
CHANGED = {"seq", "rotated", "resealed", "unreadable"}


def enroll(home: Path, directory: Path, name: str, role: str = "member", **env: str) -> Path:
    """A member with an identity file, and that file."""
    pem = directory / f"{name}.pem"
    call("identity", "create", "--name", name, "-o", pem, env=env).done()
    call("--home", home, "member", "add", directory / f"{name}.pub", "--role", role).done()
    return pem


def typed(*arguments: object, answers: Sequence[tuple[str, str]], env: dict[str, str]) -> Result:
    """``registry ARGUMENTS`` at a terminal: each prompt (a part of it) is answered when echo is off."""
    master, terminal = pty.openpty()
    try:
        with subprocess.Popen(
            [*ENTRY, *map(str, arguments)],
            env=environment(**env),
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # no controlling terminal: the prompt reads stdin
        ) as process:
            try:
                said = _answer(process, master, terminal, answers)
                out, err = process.communicate(timeout=LIMIT)
            finally:
                process.kill()
    finally:
        os.close(master)
        os.close(terminal)
    return Result(process.returncode, out.decode(), (said + err).decode())


def _answer(
    process: subprocess.Popen[bytes], master: int, terminal: int, answers: Sequence[tuple[str, str]]
) -> bytes:
    assert process.stderr is not None
    said, seen, until = b"", 0, time.monotonic() + LIMIT
    for prompt, answer in answers:
        while (found := said.find(prompt.encode(), seen)) < 0:
            more = os.read(process.stderr.fileno(), 4096)
            assert more, said
            said += more
        seen = found + len(prompt)
        while termios.tcgetattr(terminal)[3] & termios.ECHO:
            assert time.monotonic() < until
            time.sleep(0.01)
        os.write(master, f"{answer}\n".encode())
    return said


def test_create_makes_two_files_and_needs_no_registry(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    made = spawn("identity", "create", "--name", "bob", "-o", tmp_path / "bob.pem", env=env).done()
    assert re.search(r"^name +bob$", made.out, re.M)
    assert re.search(r"^key id +[0-9a-f]{64}$", made.out, re.M)
    assert re.search(r"^fingerprint +[0-9a-f]{64}$", made.out, re.M)
    assert str(tmp_path / "bob.pub") in made.out
    assert "give" in made.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bob.pem", "bob.pub"]
    assert stat.S_IMODE((tmp_path / "bob.pem").stat().st_mode) == 0o600
    assert "BEGIN PRIVATE KEY" in (tmp_path / "bob.pem").read_text()


def test_create_json_says_what_show_says(tmp_path: Path, home: Path) -> None:
    pem = tmp_path / "bob.pem"
    made = call("identity", "create", "--name", "bob", "-o", pem, "--json").done()
    document = made.document()
    assert set(document) == MADE
    assert made.err == ""
    shown = call("--home", home, "--identity", pem, "identity", "show", "--json").done().document()
    assert (shown["keyid"], shown["fingerprint"]) == (document["keyid"], document["fingerprint"])


def test_create_encrypts_with_the_passphrase_of_the_environment(tmp_path: Path) -> None:
    env = {"REGISTRY_PASSPHRASE": "correct horse"}
    pem = tmp_path / "bob.pem"
    call("identity", "create", "--name", "bob", "-o", pem, env=env).done()
    assert "BEGIN PRIVATE KEY" not in pem.read_text()
    assert Identity.from_pem(pem.read_bytes(), b"correct horse").name == "bob"


def test_create_at_a_terminal_asks_twice(tmp_path: Path) -> None:
    pem = tmp_path / "bob.pem"
    answers = [("Passphrase for", "horse"), ("The same again", "horse")]
    done = typed("identity", "create", "--name", "bob", "-o", pem, answers=answers, env={}).done()
    assert Identity.from_pem(pem.read_bytes(), b"horse").name == "bob"
    assert "horse" not in done.out + done.err


def test_create_at_a_terminal_asks_again_where_the_two_differ(tmp_path: Path) -> None:
    pem = tmp_path / "bob.pem"
    first = [("Passphrase for", "horse"), ("The same again", "hose")]
    second = [("Passphrase for", "staple"), ("The same again", "staple")]
    typed("identity", "create", "--name", "bob", "-o", pem, answers=[*first, *second], env={}).done()
    assert Identity.from_pem(pem.read_bytes(), b"staple").name == "bob"


def test_nothing_typed_is_no_passphrase(tmp_path: Path) -> None:
    pem = tmp_path / "bob.pem"
    answers = [("Passphrase for", ""), ("The same again", "")]
    typed("identity", "create", "--name", "bob", "-o", pem, answers=answers, env={}).done()
    assert Identity.from_pem(pem.read_bytes(), None).name == "bob"


@pytest.mark.parametrize(
    ("name", "file", "code", "error"),
    [
        ("a b", "x.pem", 2, "invalid-reference"),
        ("bob", "x.pub", 2, "invalid-input"),
        ("bob", "absent/x.pem", 3, "not-found"),
        ("bob", "there.pem", 6, "already-exists"),
    ],
)
def test_create_refuses_and_leaves_nothing(
    tmp_path: Path, name: str, file: str, code: int, error: str
) -> None:
    (tmp_path / "there.pem").write_text("precious")
    before = snapshot(tmp_path)
    refused = call("identity", "create", "--name", name, "-o", tmp_path / file)
    assert refused.code == code
    assert f"error [{error}]" in refused.err
    assert refused.next()
    assert snapshot(tmp_path) == before


def test_rotate_puts_new_keys_in_the_place_of_the_homes_own(home: Path, tmp_path: Path) -> None:
    old = (home / "identity.pem").read_bytes()
    before = call("--home", home, "identity", "show", "--json").document()
    done = call("--home", home, "identity", "rotate", "--json").done().document()
    assert set(done) == MADE | CHANGED
    assert done["private"] == str(home / "identity.pem")
    after = call("--home", home, "identity", "show", "--json").document()
    assert after["keyid"] == done["keyid"] != before["keyid"]
    assert sorted(path.name for path in home.glob("identity*")) == ["identity.pem", "identity.pub"]
    assert stat.S_IMODE((home / "identity.pem").stat().st_mode) == 0o600
    call("--home", home, "pull", "vision/mlp", "-o", tmp_path / "out").done()
    (tmp_path / "old.pem").write_bytes(old)
    refused = call(
        "--home", home, "--identity", tmp_path / "old.pem", "pull", "vision/mlp", "-o", tmp_path / "no"
    )
    assert refused.code == 4
    assert "newest identity" in refused.next()


def test_rotate_replaces_the_identity_in_use_and_grants_follow(home: Path, tmp_path: Path) -> None:
    bob = enroll(home, tmp_path, "bob")
    call("--home", home, "grant", "bob", "pull", "vision/").done()
    rotated = spawn("--home", home, "--identity", bob, "identity", "rotate").done()
    assert re.search(rf"^private +{re.escape(str(bob))}$", rotated.out, re.M)
    assert "rotated" not in rotated.out  # an old key of one's own opens no vault anew
    call("--home", home, "--identity", bob, "run", "vision/mlp", "--input", "random").done()
    assert sorted(path.name for path in tmp_path.glob("bob*")) == ["bob.pem", "bob.pub"]
    # The public file beside it is the new one as well.
    refused = call("--home", home, "member", "add", tmp_path / "bob.pub")
    assert (refused.code, "error [already-exists]" in refused.err) == (6, True)


def test_rotate_into_another_file_keeps_the_old_one(home: Path, tmp_path: Path) -> None:
    bob, new = enroll(home, tmp_path, "bob"), tmp_path / "bob-2.pem"
    call("--home", home, "grant", "bob", "pull", "vision/").done()
    old = bob.read_bytes()
    call("--home", home, "--identity", bob, "identity", "rotate", "-o", new).done()
    assert bob.read_bytes() == old
    assert call("--home", home, "--identity", bob, "run", "vision/mlp", "--input", "random").code == 4
    call("--home", home, "--identity", new, "run", "vision/mlp", "--input", "random").done()


def test_rotate_keeps_the_passphrase(home: Path, tmp_path: Path) -> None:
    env = {"REGISTRY_PASSPHRASE": "bobs own"}
    bob = enroll(home, tmp_path, "bob", **env)
    call("--home", home, "--identity", bob, "identity", "rotate", env=env).done()
    assert Identity.from_pem(bob.read_bytes(), b"bobs own").name == "bob"


def test_rotate_of_a_stranger_leaves_every_file_as_it_was(home: Path, tmp_path: Path) -> None:
    call("identity", "create", "--name", "mallory", "-o", tmp_path / "mallory.pem").done()
    before = {path: path.read_bytes() for path in tmp_path.glob("mallory*")}
    refused = call("--home", home, "--identity", tmp_path / "mallory.pem", "identity", "rotate")
    assert refused.code == 4
    assert {path: path.read_bytes() for path in tmp_path.glob("mallory*")} == before


def test_a_rotation_that_was_killed_after_its_act_is_finished_by_the_next(home: Path) -> None:
    """The act is in the ledger, the rename never happened: without this the member is locked out."""
    with Context(home) as context:
        _, made = members.replace_own(context, home / "identity.new.pem", None)
    assert call("--home", home, "run", "vision/mlp", "--input", "random").code == 4
    done = call("--home", home, "identity", "rotate", "--json").done().document()
    assert done["keyid"] == made.keyid
    assert sorted(path.name for path in home.glob("identity*")) == ["identity.pem", "identity.pub"]
    call("--home", home, "run", "vision/mlp", "--input", "random").done()


def test_a_rotation_that_was_killed_before_its_act_is_named_and_overwrites_nothing(home: Path) -> None:
    call("identity", "create", "--name", "alice", "-o", home / "identity.new.pem").done()
    left = (home / "identity.new.pem").read_bytes()
    refused = call("--home", home, "identity", "rotate")
    assert refused.code == 6
    assert "remove it" in refused.next()
    assert (home / "identity.new.pem").read_bytes() == left
    for name in ("identity.new.pem", "identity.new.pub"):
        (home / name).unlink()
    call("--home", home, "identity", "rotate").done()


def test_a_rotation_whose_receipt_is_lost_keeps_the_only_key_that_counts(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise DiskTrouble("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(Context, "_remember", full)
        assert call("--home", home, "identity", "rotate").code == 7
    assert (home / "identity.new.pem").exists()
    call("--home", home, "identity", "rotate").done()
    call("--home", home, "run", "vision/mlp", "--input", "random").done()


def test_an_admin_replaces_a_lost_key(home: Path, tmp_path: Path) -> None:
    bob = enroll(home, tmp_path, "bob")
    call("--home", home, "grant", "bob", "pull", "vision/mlp").done()
    new = tmp_path / "new"
    new.mkdir()
    call("identity", "create", "--name", "bob", "-o", new / "bob.pem").done()
    form = ("identity", "rotate", "--member", "bob", new / "bob.pub")
    done = call("--home", home, *form, "--json").done().document()
    assert set(done) == {"name", "keyid", "fingerprint"} | CHANGED
    assert (done["name"], done["rotated"], done["resealed"]) == ("bob", ["vision/mlp"], 1)
    assert call("--home", home, "--identity", bob, "run", "vision/mlp", "--input", "random").code == 4
    call("--home", home, "--identity", new / "bob.pem", "run", "vision/mlp", "--input", "random").done()


def test_an_admin_replaces_a_lost_key_for_people(home: Path, tmp_path: Path) -> None:
    enroll(home, tmp_path, "bob")
    call("--home", home, "grant", "bob", "pull", "vision/").done()
    call("identity", "create", "--name", "bob", "-o", tmp_path / "b2.pem").done()
    form = ("identity", "rotate", "--member", "bob", tmp_path / "b2.pub", "--reencrypt")
    done = call("--home", home, *form).done()
    assert "2 vault(s): vision/, vision/mlp" in done.out
    assert "1 file(s) encrypted again" in done.out
    assert "Compare the fingerprint" in done.err
    assert "cannot be taken back" in done.err
    call("--home", home, "fsck").done()


def test_rotate_for_another_is_for_admins_and_for_the_same_name(home: Path, tmp_path: Path) -> None:
    bob = enroll(home, tmp_path, "bob")
    call("identity", "create", "--name", "carol", "-o", tmp_path / "carol.pem").done()
    other = call("--home", home, "identity", "rotate", "--member", "bob", tmp_path / "carol.pub")
    assert (other.code, "--name bob" in other.next()) == (2, True)
    call("identity", "create", "--name", "alice", "-o", tmp_path / "mine.pem").done()
    form = ("identity", "rotate", "--member", "alice", tmp_path / "mine.pub")
    refused = call("--home", home, "--identity", bob, *form)
    assert (refused.code, "error [not-permitted]" in refused.err) == (4, True)
    unknown = call("--home", home, "identity", "rotate", "--member", "carol", tmp_path / "carol.pub")
    assert (unknown.code, "error [member-not-found]" in unknown.err) == (3, True)


@pytest.mark.parametrize(
    "words",
    [["x.pub"], ["--member", "bob"], ["--member", "bob", "x.pub", "-o", "y.pem"], ["--reencrypt"]],
)
def test_rotate_without_a_clear_choice_is_a_usage_error(home: Path, words: list[str]) -> None:
    refused = call("--home", home, "identity", "rotate", *words)
    assert refused.code == 2
    assert "--member" in refused.err
    assert refused.out == ""


@pytest.fixture(scope="module")
def guarded_template(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """A home with the passphrase "homes", and beside it bob's file with "bobs"; bob may pull vision/."""
    place = tmp_path_factory.mktemp("guarded")
    admin = {"REGISTRY_PASSPHRASE": "homes"}
    call("--home", place / "home", "init", env=admin).done()
    call("--home", place / "home", "push", model, "vision/mlp", env=admin).done()
    bobs = {"REGISTRY_PASSPHRASE": "bobs"}
    call("identity", "create", "--name", "bob", "-o", place / "bob.pem", env=bobs).done()
    call("--home", place / "home", "member", "add", place / "bob.pub", env=admin).done()
    call("--home", place / "home", "grant", "bob", "pull", "vision/", env=admin).done()
    return place


@pytest.fixture
def guarded(tmp_path: Path, guarded_template: Path) -> Path:
    return Path(shutil.copytree(guarded_template, tmp_path / "guarded"))


RUN = ("run", "vision/mlp", "--input", "random")


def test_the_ledgers_passphrase_has_a_variable_of_its_own(guarded: Path) -> None:
    bob = ("--home", guarded / "home", "--identity", guarded / "bob.pem")
    both = {"REGISTRY_PASSPHRASE": "bobs", "REGISTRY_LEDGER_PASSPHRASE": "homes"}
    call(*bob, *RUN, env=both).done()
    for env in ({"REGISTRY_PASSPHRASE": "bobs"}, {**both, "REGISTRY_LEDGER_PASSPHRASE": "wrong"}):
        refused = call(*bob, *RUN, env=env)
        assert refused.code == 4
        assert "ledger.pem" in refused.err
        assert "REGISTRY_LEDGER_PASSPHRASE" in refused.next()
    assert call("--home", guarded / "home", *RUN, env={"REGISTRY_PASSPHRASE": "homes"}).code == 0


def test_a_terminal_is_asked_for_the_identitys_and_then_for_the_ledgers(guarded: Path) -> None:
    bob = ("--home", guarded / "home", "--identity", guarded / "bob.pem")
    answers = [("bob.pem", "bobs"), ("ledger.pem", "homes")]
    typed(*bob, *RUN, answers=answers, env={}).done()
    typed("--home", guarded / "home", *RUN, answers=[("identity.pem", "homes")], env={}).done()
    ledgers = {"REGISTRY_LEDGER_PASSPHRASE": "homes"}
    typed(*bob, *RUN, answers=[("bob.pem", "bobs")], env=ledgers).done()


def test_connect_takes_both_passphrases(guarded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import registry

    for name in ("REGISTRY_PASSPHRASE", "REGISTRY_LEDGER_PASSPHRASE", "REGISTRY_IDENTITY"):
        monkeypatch.delenv(name, raising=False)
    form = {"home": guarded / "home", "identity": guarded / "bob.pem"}
    with registry.connect(**form, passphrase=b"bobs", ledger_passphrase=b"homes") as hallmark:  # type: ignore[arg-type]
        assert hallmark.checkout("vision/mlp").files
    monkeypatch.setenv("REGISTRY_PASSPHRASE", "bobs")
    monkeypatch.setenv("REGISTRY_LEDGER_PASSPHRASE", "homes")
    with registry.connect(**form) as hallmark:  # type: ignore[arg-type]
        assert hallmark.checkout("vision/mlp").files
