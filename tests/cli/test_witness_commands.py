"""The witnesses' commands: pin, cosign inside and outside, bring back, refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.crypto import pkcs8
from support.commandline import Result, call


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "w1.pem"
    file.write_bytes(pkcs8.write(Ed25519PrivateKey.generate(), None))
    return file


def audit(home: Path, *arguments: object) -> Result:
    return call("--home", home, "audit", *arguments)


def test_a_member_cosigns_and_a_client_demands_it(home: Path) -> None:
    vkey = audit(home, "witness", "--vkey", "--json").done().document()["vkey"]
    shown = audit(home, "witnesses", "--require", 1, vkey, "--json").done().document()
    assert (shown["witnessed"], shown["witnesses"][0]["size"]) == (0, 0)
    failed = call("--home", home, "pull", "vision/mlp", "-o", home / "out")
    assert failed.code == 5
    assert "at step 2 (checkpoint)" in failed.err
    assert "registry audit witness" in failed.err
    assert audit(home, "witness", "--json").done().document()["size"] == shown["size"]
    assert "alice" in audit(home, "witnesses").done().out
    call("--home", home, "pull", "vision/mlp", "-o", home / "out").done()
    (line,) = audit(home, "cosignatures", "--json").done().document()["cosignatures"]
    assert line["size"] == shown["size"]
    audit(home, "witnesses", "--none").done()
    assert audit(home, "witnesses", "--json").done().document()["policy"] is None


def test_a_witness_outside(home: Path, key: Path, tmp_path: Path) -> None:
    registry_id = audit(home, "witness", "--json").done().document()["origin"].rpartition("/")[2]
    own = ("--key", key, "--name", "example.com/w1")
    vkey = audit(home, "witness", "--vkey", *own, "--json").done().document()["vkey"]
    assert audit(home, "witness", "--vkey", "--key", key, "--name", "a b").code == 2
    audit(home, "export", "-o", tmp_path / "range").done()
    nowhere = ("--registry-id", registry_id, "-o", tmp_path / "cosigned", "--json")
    done = call("--home", tmp_path / "none", "audit", "witness", tmp_path / "range", *own, *nowhere).done()
    assert done.document()["before"] == 0
    assert audit(home, "cosignatures", "--add", tmp_path / "cosigned").code == 2
    assert audit(home, "cosignatures", "--add", tmp_path / "cosigned", "--witness", vkey[:-1]).code == 2
    audit(home, "cosignatures", "--add", tmp_path / "cosigned", "--witness", vkey).done()
    assert "\N{EM DASH} example.com/w1 " in audit(home, "checkpoint").done().out
    audit(home, "checkpoint", "--old", done.document()["size"], "-o", tmp_path / "submission").done()
    again = audit(home, "witness", tmp_path / "submission", *own, *nowhere)
    assert again.code == 2
    assert "--ledger VKEY" in again.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("witness", "--key", "k"),
        ("witness", "range"),
        ("witnesses", "--require", 1),
        ("witnesses", "some+00000000+vkey"),
        ("witnesses", "--none", "--require", 1, "x"),
        ("witnesses", "--require", 1, "some+00000000+vkey"),
        ("checkpoint", "--old", 99),
    ],
)
def test_what_makes_no_sense(home: Path, arguments: tuple[object, ...]) -> None:
    failed = audit(home, *arguments)
    assert (failed.code, failed.out) == (2, "")
