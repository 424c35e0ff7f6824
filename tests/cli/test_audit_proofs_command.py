"""``registry audit prove``, ``export`` and ``check`` as people call them; checking needs no home."""

from __future__ import annotations

import stat
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from support import notary
from support.commandline import Result, call
from support.notary import written

told = cache(notary.told)
START, END = 7, 12


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    file = tmp_path / "act.json"
    file.write_bytes(written(told().proof(6)))
    return file


@pytest.fixture
def parcel(tmp_path: Path) -> Path:
    return told().parcel(tmp_path / "export", START)


def check(path: Path, *arguments: object, registry_id: str | None = None) -> Result:
    """With a home that is not there, as on a machine that never saw the registry."""
    pinned = registry_id or told().registry_id
    return call("--home", path.parent / "none", "audit", "check", path, "--registry-id", pinned, *arguments)


def test_a_proof_is_checked_without_a_home(proof: Path) -> None:
    shown = check(proof).done().out
    for words in (
        "bob",
        "pull",
        "vision/net:1",
        "2026-05-06 07:08:09 UTC",
        "granted to bob",
        "entry 9",
        "6 of 12",
    ):
        assert words in shown
    assert not (proof.parent / "none").exists()


def test_a_proof_as_json(proof: Path) -> None:
    found = check(proof, "--json").done().document()
    assert (found["ok"], found["event"]["actor"], found["event"]["seq"], found["size"]) == (
        True,
        "bob",
        6,
        END,
    )


def test_an_export_is_checked_without_a_home(parcel: Path) -> None:
    assert "5: entries 7 to 11" in check(parcel).done().out
    found = check(parcel, "--json").done().document()
    assert (found["ok"], found["start"], found["end"], found["acts"]) == (True, START, END, END - START)


def test_the_id_may_be_written_with_its_algorithm(proof: Path) -> None:
    check(proof, registry_id=f"sha256:{told().registry_id}").done()


@pytest.mark.parametrize("wrong", ["", "0", "x" * 64, "0" * 63, "A" * 64])
def test_what_is_no_id(proof: Path, wrong: str) -> None:
    assert check(proof, registry_id=wrong or "-").code == 2


def test_the_id_of_another_registry(proof: Path, parcel: Path) -> None:
    for path in (proof, parcel):
        found = check(path, "--json", registry_id="0" * 64)
        assert (found.code, found.document()["error"]["code"]) == (5, "wrong-registry")


def test_an_export_has_to_go_on_from_the_one_before(parcel: Path, tmp_path: Path) -> None:
    first = told().parcel(tmp_path / "first", 0, START)
    check(parcel, "--since", first).done()
    check(parcel, "--since", first / "checkpoint").done()
    gap = told().parcel(tmp_path / "gap", 0, START - 1)
    assert check(parcel, "--since", gap).code == 5


def test_a_proof_begins_nowhere(proof: Path, parcel: Path) -> None:
    assert check(proof, "--since", parcel).code == 2


@pytest.mark.parametrize("change", [lambda data: data[:-2] + b"\n", lambda data: b"", lambda data: bytes(99)])
def test_a_file_that_is_no_proof(proof: Path, change: Callable[[bytes], bytes]) -> None:
    proof.write_bytes(change(proof.read_bytes()))
    found = check(proof, "--json")
    assert (found.code, found.document()["error"]["code"]) == (5, "malformed")


def test_nothing_there(tmp_path: Path) -> None:
    assert check(tmp_path / "nothing").code == 3


def test_witnesses_are_demanded_by_key_or_by_file_and_not_found(proof: Path, tmp_path: Path) -> None:
    vkey = "witness.example+8f2ba9b4+BADUKuG0TcAnB5jXc7nrvtIVnJVI0Mw4WrSMuVdrOuLG"
    assert check(proof, "--quorum", 1).code == 2
    assert check(proof, "--witness", "nonsense").code == 2
    (tmp_path / "policy").write_text("quorum none\n")
    check(proof, "--witnesses", tmp_path / "policy").done()
    assert check(proof, "--witness", vkey, "--witnesses", tmp_path / "policy").code == 2


# --- written by a registry ------------------------------------------------------------------------------


def test_the_whole_way(home: Path, tmp_path: Path) -> None:
    entries = call("--home", home, "log", "--json").done().document()["entries"]
    push = next(one["seq"] for one in entries if one["kind"] == "push")
    file, directory = tmp_path / "push.json", tmp_path / "export"
    shown = call("--home", home, "audit", "prove", push, "-o", file).done().out
    assert "alice" in shown
    assert "push" in shown
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    done = call("--home", home, "audit", "export", "-o", directory, "--json").done().document()
    assert (done["start"], done["end"]) == (0, len(entries))
    for path in (file, directory):
        check(path, registry_id=done["registry_id"]).done()
    again = call("--home", home, "audit", "export", "--since", directory, "-o", tmp_path / "more").done()
    assert "nothing new" in again.out
    check(tmp_path / "more", "--since", directory, registry_id=done["registry_id"]).done()


def test_what_is_there_is_not_overwritten(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert call("--home", home, "audit", "prove", 0, "-o", tmp_path / "file").code == 6
    assert call("--home", home, "audit", "export", "-o", tmp_path / "file").code == 6
    assert (tmp_path / "file").read_text() == "mine"


def test_an_entry_that_is_not_there(home: Path, tmp_path: Path) -> None:
    assert call("--home", home, "audit", "prove", 10**6, "-o", tmp_path / "file").code == 2
    assert call("--home", home, "audit", "prove", "--", -1, "-o", tmp_path / "file").code == 2
    assert not (tmp_path / "file").exists()
