"""Whole stories of people and machines, each with the real command line in processes of its own."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.commandline import Result, call, spawn

SECRET = "alice's own"
ROOT = "the home's"


class Town:
    """A registry founded by root with a passphrase, and a machine for everybody: a HOME with an identity."""

    def __init__(self, place: Path, model: Path) -> None:
        self.place, self.home, self.model = place, place / "registry", model
        self.root("init", "--name", "root").done()

    def root(self, *arguments: object) -> Result:
        return call("--home", self.home, *arguments, env={"REGISTRY_PASSPHRASE": ROOT})

    def machine(self, name: str) -> Path:
        machine = self.place / f"machine-of-{name}"
        machine.mkdir(exist_ok=True)
        return machine

    def move_in(self, name: str, secret: str = "", *options: str) -> None:
        """Make an identity on a machine where there is no registry; root enrolls its public half."""
        machine = self.machine(name)
        env = {"HOME": str(machine), "XDG_DATA_HOME": str(machine / "data"), "REGISTRY_PASSPHRASE": secret}
        pem = machine / f"{name}.pem"
        spawn("identity", "create", "--name", name, "-o", pem, cwd=machine, env=env).done()
        self.root("member", "add", machine / f"{name}.pub", *options).done()

    def by(self, name: str, *arguments: object, secret: str = "") -> Result:
        machine = self.machine(name)
        env = {
            "HOME": str(machine),
            "REGISTRY_HOME": str(self.home),
            "REGISTRY_IDENTITY": str(machine / f"{name}.pem"),
            "REGISTRY_PASSPHRASE": secret,
            "REGISTRY_LEDGER_PASSPHRASE": ROOT,
        }
        return spawn(*arguments, cwd=machine, env=env)


@pytest.fixture
def town(tmp_path: Path, model: Path) -> Town:
    return Town(tmp_path, model)


def denied(result: Result, code: str = "not-permitted") -> None:
    assert result.code == 4, result.err
    assert f"error [{code}]" in result.err
    assert result.next()


def test_alice_from_her_first_day_to_her_last(town: Town) -> None:
    for name in ("vision/mlp", "audio/vad"):
        town.root("push", town.model, name, "--alias", "prod").done()
    town.move_in("alice", SECRET)
    assert "BEGIN PRIVATE KEY" not in (town.machine("alice") / "alice.pem").read_text()

    denied(town.by("alice", "pull", "vision/mlp:prod", "-o", "model", secret=SECRET))
    town.root("grant", "alice", "pull", "vision/").done()
    town.by("alice", "pull", "vision/mlp:prod", "-o", "model", "--purpose", "serving", secret=SECRET).done()
    assert (town.machine("alice") / "model" / "model.onnx").read_bytes() == town.model.read_bytes()
    town.root("push", town.model, "vision/later").done()
    town.by("alice", "pull", "vision/later", "-o", "later", secret=SECRET).done()

    denied(town.by("alice", "pull", "audio/vad", "-o", "vad", secret=SECRET))
    denied(town.by("alice", "push", town.model, "vision/mlp", secret=SECRET))
    denied(town.by("alice", "alias", "vision/mlp:1", "mine", secret=SECRET))
    denied(town.by("alice", "pull", "vision/mlp", "-o", "x", secret="wrong"), "wrong-passphrase")

    town.root("revoke", "alice", "pull", "vision/").done()
    denied(town.by("alice", "pull", "vision/mlp:prod", "-o", "again", secret=SECRET))
    assert sorted(path.name for path in town.machine("alice").iterdir() if path.is_dir()) == [
        "later",
        "model",
    ]

    town.root("member", "disable", "alice", "--reason", "left").done()
    denied(town.by("alice", "pull", "vision/mlp:prod", "-o", "again", secret=SECRET), "disabled")
    told = " ".join(town.root("log", "--limit", "100").done().out.split())
    for said in ("vision/mlp:1 for serving", "pull refused: alice may not pull here", "disable alice"):
        assert said in told
    town.root("fsck").done()


def test_a_build_machine_publishes_and_reads_nothing(town: Town) -> None:
    town.move_in("build")
    town.root("grant", "build", "push", "vision/").done()
    town.by("build", "push", town.model, "vision/mlp").done()
    denied(town.by("build", "pull", "vision/mlp:1", "-o", "yesterday"))
    denied(town.by("build", "push", town.model, "vision/mlp", "--alias", "prod"))
    town.by("build", "push", town.model, "vision/mlp").done()
    denied(town.by("build", "run", "vision/mlp:2", "--input", "random"))
    assert not (town.machine("build") / "yesterday").exists()
    town.root("run", "vision/mlp:2", "--input", "random").done()


def test_what_somebody_signed_while_enrolled_stays_valid_and_verify_says_so(town: Town) -> None:
    town.move_in("build")
    town.root("grant", "build", "push", "vision/").done()
    town.by("build", "push", town.model, "vision/mlp").done()
    town.root("member", "disable", "build").done()
    walked = town.root("verify", "vision/mlp").done().out
    assert "build, disabled since" in walked
    assert walked.endswith("verified\n")


def test_an_auditor_looks_and_attests_and_gets_no_key(town: Town, tmp_path: Path) -> None:
    town.root("push", town.model, "vision/mlp").done()
    town.move_in("eve", "", "--role", "auditor")
    for words in (("grant", "eve", "pull", "vision/"), ("grant", "eve", "push", "vision/mlp")):
        denied(town.root(*words))
    town.root("team", "create", "qa").done()
    denied(town.root("team", "add", "qa", "eve"))
    denied(town.by("eve", "pull", "vision/mlp", "-o", "model"))
    town.by("eve", "log").done()
    town.by("eve", "show", "vision/mlp").done()
    (town.machine("eve") / "audit.json").write_text('{"found": "nothing"}')
    form = ("--type", "https://example.com/audit/v1", "--predicate", "audit.json")
    town.by("eve", "attest", "vision/mlp:1", *form).done()
    found = town.root("attestations", "vision/mlp", "--json").done().document()["attestations"]
    assert [one["signer"] for one in found] == ["root", "eve"]


def test_a_grant_ends_by_itself(town: Town) -> None:
    town.root("push", town.model, "vision/mlp").done()
    town.move_in("bob")
    for seconds in (4, 16, 64):  # the longer ones are for a busy machine
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        town.root("grant", "bob", "pull", "vision/mlp", "--until", end.isoformat()).done()
        ran = town.by("bob", "run", "vision/mlp", "--input", "random")
        if datetime.now(UTC) < end:
            break
    ran.done()
    time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()) + 0.1)
    denied(town.by("bob", "run", "vision/mlp", "--input", "random"))
    assert "(ended)" in town.root("grants").done().out
    assert town.root("grants", "--member", "bob", "--effective").done().out == ""
    town.root("grant", "bob", "pull", "vision/mlp", "--until", "1h").done()
    town.by("bob", "run", "vision/mlp", "--input", "random").done()


def test_teams_carry_keys_and_take_them_back(town: Town) -> None:
    town.root("push", town.model, "vision/mlp").done()
    for name in ("bob", "carol"):
        town.move_in(name)
    town.root("team", "create", "ml").done()
    town.root("grant", "ml", "pull", "vision/").done()
    for name in ("bob", "carol"):
        denied(town.by(name, "run", "vision/mlp", "--input", "random"))
        town.root("team", "add", "ml", name).done()
        town.by(name, "run", "vision/mlp", "--input", "random").done()
    town.root("team", "remove", "ml", "bob").done()
    denied(town.by("bob", "run", "vision/mlp", "--input", "random"))
    town.by("carol", "run", "vision/mlp", "--input", "random").done()


def test_an_admin_enrolled_by_an_admin_can_open_what_was_there_before(town: Town) -> None:
    town.root("push", town.model, "vision/mlp").done()
    town.move_in("zoe", "", "--role", "admin")
    town.by("zoe", "run", "vision/mlp", "--input", "random").done()
    town.by("zoe", "member", "disable", "root", "--reason", "retired").done()
    denied(town.root("run", "vision/mlp", "--input", "random"), "disabled")
    assert town.by("zoe", "member", "disable", "zoe").code == 6


def test_the_library_grants_revokes_and_attests(home: Path, tmp_path: Path) -> None:
    import registry
    from registry.errors import NotPermitted

    call("identity", "create", "--name", "bob", "-o", tmp_path / "bob.pem").done()
    call("--home", home, "member", "add", tmp_path / "bob.pub").done()
    with registry.connect(home) as admin, registry.connect(home, identity=tmp_path / "bob.pem") as bob:
        admin.grant("bob", ["pull"], "vision/", until=datetime.now(UTC) + timedelta(hours=1))
        pulled = bob.pull("vision/mlp", tmp_path / "out", purpose="serving")
        assert pulled.paths == ("model.onnx",)
        assert bob.attest("vision/mlp", "https://example.com/review/v1", {"verdict": "good"}) > pulled.seq
        assert admin.revoke("bob", ["pull"], "vision/").resealed == 1
        with pytest.raises(NotPermitted):
            bob.checkout("vision/mlp")
