"""Cosigning: who may, what is checked before, what is remembered; on the registry and outside of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from registry import members, witnesses, witnessing
from registry.context import Context, utc_now
from registry.crypto import notes
from registry.crypto.checkpoint import origin_of
from registry.crypto.cosignature import WitnessKey
from registry.errors import BadCheckpoint, Conflict, Denied, InvalidInput, NotFound, RegistryError
from registry.witnessing import Cosigned
from support.company import Company
from support.onlookers import (
    OUTSIDE,
    cosign,
    grow,
    judged,
)


def exported(company: Company, directory: Path, since: str | None = None) -> Path:
    from registry.audit.exporting import export

    with company.open() as context:
        export(context, since, directory)
    return directory


def outside(company: Company, directory: Path, memory: Path) -> Cosigned:
    with company.open() as context:
        registry_id = context.config.registry_id
    return witnessing.witness_export(directory, registry_id, OUTSIDE, memory, utc_now())


def submitted(context: Context, text: str, memory: Path) -> Cosigned:
    law = context.law()
    by = witnessing.ledger_of(law.ledger.vkey(origin_of(law.registry_id)), law.registry_id)
    return witnessing.witness_submission(text, law.registry_id, by, OUTSIDE, memory, utc_now())


def changed(note: str) -> str:
    """The note with one bit of its last cosignature flipped."""
    parsed = notes.parse(note, "test")
    last = parsed.signatures[-1]
    flipped = notes.Signature(last.name, last.key_id, last.value[:-1] + bytes([last.value[-1] ^ 1]))
    return notes.Note(parsed.text, (*parsed.signatures[:-1], flipped)).to_text()


def test_a_witness_does_not_cosign_a_ledger_that_was_rolled_back(watched: Company) -> None:
    database = watched.home / "registry.db"
    shutil.copy(database, watched.root / "old.db")
    grow(watched)
    last = cosign(watched)
    for name in ("registry.db-wal", "registry.db-shm"):
        (watched.home / name).unlink(missing_ok=True)
    shutil.copy(watched.root / "old.db", database)
    (watched.home / "checkpoint").unlink()
    with pytest.raises(BadCheckpoint, match="shorter than it was"):
        cosign(watched)
    assert last.tree.size > 0


def test_a_witness_who_has_been_robbed_of_its_memory_notices(watched: Company) -> None:
    (file,) = (watched.root / "alice.cosigned").glob("[0-9a-f]*.[0-9a-f]*")
    (other,) = (watched.root / "bob.cosigned").glob("[0-9a-f]*.[0-9a-f]*")
    for damage in (b"", b"junk", other.read_bytes(), file.read_bytes()[:-9] + b"AAAAAAA=\n"):
        file.write_bytes(damage)
        with pytest.raises(BadCheckpoint):
            cosign(watched)


def test_who_is_disabled_or_a_stranger_cosigns_nothing(attended: Company) -> None:
    attended.makes("mallory")
    with attended.open() as context:
        members.disable(context, "bob", "left")
    for name in ("bob", "mallory"):
        with pytest.raises(Denied):
            cosign(attended, name)
    with attended.open() as context:
        assert witnesses.listed(context) == []


def test_a_witness_with_no_registry(attended: Company, tmp_path: Path) -> None:
    with attended.open() as context:
        witnesses.require(context, 1, [OUTSIDE.public.vkey])
    first = outside(attended, exported(attended, tmp_path / "first"), tmp_path / "memory")
    with attended.open() as context:
        (row,) = witnesses.add(context, first.note)
        assert (row.name, row.size) == ("example.com/w1", first.tree.size)
    judged(attended)
    grow(attended)
    with pytest.raises(BadCheckpoint, match="does not begin where"):
        outside(attended, exported(attended, tmp_path / "whole"), tmp_path / "memory")
    second = outside(attended, exported(attended, tmp_path / "second", first.note), tmp_path / "memory")
    assert second.before == first.tree.size
    assert second.tree.size > first.tree.size


def test_a_new_witness_begins_with_the_beginning(attended: Company, tmp_path: Path) -> None:
    since = cosign(attended).note
    grow(attended)
    with pytest.raises(BadCheckpoint, match="begins with the genesis act"):
        outside(attended, exported(attended, tmp_path / "range", since), tmp_path / "memory")


def test_a_witness_with_no_registry_checks_every_entry(attended: Company, tmp_path: Path) -> None:
    directory = exported(attended, tmp_path / "range")
    lines = (directory / "entries.jsonl").read_bytes().split(b"\n")
    (directory / "entries.jsonl").write_bytes(b"\n".join([lines[0], lines[2], lines[1], *lines[3:]]))
    with pytest.raises(RegistryError):
        outside(attended, directory, tmp_path / "memory")
    assert not list((tmp_path / "memory").glob("[0-9a-f]*.*"))


def test_submissions_of_tlog_witness(attended: Company, tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    with attended.open() as context:
        first = submitted(context, witnesses.submission(context, 0), memory)
        assert (
            submitted(context, witnesses.submission(context, first.tree.size), memory).before
            == first.tree.size
        )
        assert submitted(context, witnesses.checkpoint(context), memory).tree == first.tree  # says it again
    grow(attended)
    with attended.open() as context:
        for old in (0, first.tree.size - 1, first.tree.size + 1):
            with pytest.raises(Conflict, match="where this witness cosigned last"):
                submitted(context, witnesses.submission(context, old), memory)
        with pytest.raises(Conflict):
            submitted(context, witnesses.checkpoint(context), memory)
        text = witnesses.submission(context, first.tree.size)
        with pytest.raises(BadCheckpoint, match="rewritten"):
            submitted(context, text.replace("\n", "\n" + "A" * 43 + "=\n", 1), memory)
        second = submitted(context, text, memory)
        assert [row.size for row in witnesses.add(context, second.note, [OUTSIDE.public.vkey])] == [
            second.tree.size
        ]
        answer = second.note.splitlines(keepends=True)[-1]  # as a witness answers: the line alone
        assert [row.line for row in witnesses.add(context, text + answer, [OUTSIDE.public.vkey])] == [
            answer[:-1]
        ]
        with pytest.raises(InvalidInput, match="no such size"):
            witnesses.submission(context, second.tree.size + 1)


def test_cosignatures_that_are_not_taken(watched: Company, tmp_path: Path) -> None:
    with watched.open() as context:
        other = submitted(context, witnesses.submission(context, 0), tmp_path / "memory")
        with pytest.raises(InvalidInput, match="nobody has cosigned this whom the home knows"):
            witnesses.add(context, other.note)
        with pytest.raises(BadCheckpoint, match="does not verify"):
            witnesses.add(context, changed(other.note), [OUTSIDE.public.vkey])
        with pytest.raises(BadCheckpoint):
            witnesses.add(context, "a note\n", [OUTSIDE.public.vkey])
        with pytest.raises(NotFound):
            witnessing.text_of(tmp_path / "nothing")


def test_a_stranger_brings_nothing(watched: Company, tmp_path: Path) -> None:
    watched.makes("mallory")
    with watched.open("mallory") as context:
        other = submitted(context, witnesses.submission(context, 0), tmp_path / "memory")
        with pytest.raises(Denied):
            witnesses.add(context, other.note, [OUTSIDE.public.vkey])


def test_a_ledger_is_not_its_own_witness(attended: Company, tmp_path: Path) -> None:
    pem = (attended.home / "ledger.pem").read_bytes()
    with attended.open() as context, pytest.raises(InvalidInput, match="does not witness itself"):
        witnessing.witness(context, WitnessKey.from_pem("example.com/w", pem), tmp_path / "memory")
