"""Attacks on the ledger's checkpoint and on a client's memory of it: rewritten, forked, rolled back."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from registry import acts
from registry.crypto import dsse
from registry.crypto.checkpoint import Checkpoint, LedgerKey, open_checkpoint, origin_of, sign_checkpoint
from registry.errors import BadCheckpoint
from registry.push import push
from registry.records import tables
from support.attacks import envelopes, findings, flipped, forked, found, refused, signed, turned
from support.marked import write_model
from support.story import STORY
from support.victim import MODEL, REF, Rows, Victim, twin


def _note(victim: Victim) -> str:
    return str(victim.rows["head"][0]["note"])


def _publish(victim: Victim, note: str) -> None:
    victim.execute(sa.update(tables.head).values(note=note))


def _checkpoint(victim: Victim) -> Checkpoint:
    with victim.open() as context:
        return open_checkpoint(_note(victim), origin_of(context.config.registry_id), context.law().ledger)


def _line(index: int, change: Callable[[str], str]) -> Callable[[str], str]:
    def changed(note: str) -> str:
        lines = note.split("\n")
        lines[index] = change(lines[index])
        return "\n".join(lines)

    return changed


def _key_id(line: str) -> str:
    head, _, encoded = line.rpartition(" ")
    return f"{head} {base64.b64encode(flipped(base64.b64decode(encoded), 0)).decode()}"


LINES = {
    "origin": _line(0, turned),
    "size": _line(1, lambda line: str(int(line) + 1)),
    "size-smaller": _line(1, lambda line: str(int(line) - 1)),
    "size-with-a-leading-zero": _line(1, lambda line: f"0{line}"),
    "root": _line(2, lambda line: base64.b64encode(flipped(base64.b64decode(line))).decode()),
    "root-dropped": lambda note: "\n".join(line for at, line in enumerate(note.split("\n")) if at != 2),
    "extension-line-added": _line(2, lambda line: f"{line}\nforged"),
    "blank-line-dropped": lambda note: note.replace("\n\n", "\n"),
    "signer": _line(4, lambda line: line.replace("hallmark", "hallmarc")),
    "key-id": _line(4, _key_id),
    "signature": _line(4, lambda line: turned(line, -10)),
    "signature-dropped": lambda note: note.partition("\u2014")[0],
    "signature-twice": lambda note: note + note.split("\n")[4] + "\n",
    "last-newline-dropped": lambda note: note[:-1],
    "emptied": lambda note: "",
}


@pytest.mark.parametrize("line", LINES)
def test_a_changed_checkpoint_is_refused(victim: Victim, line: str) -> None:
    changed = LINES[line](_note(victim))
    assert changed != _note(victim)
    _publish(victim, changed)
    refused(victim, 2, "bad-checkpoint")
    assert found(victim, "") == {"bad-checkpoint"}


def test_a_checkpoint_by_another_key_is_refused(victim: Victim) -> None:
    _publish(victim, sign_checkpoint(_checkpoint(victim), LedgerKey.generate()))
    refused(victim, 2, "bad-checkpoint")


def test_a_second_signature_by_another_key_changes_nothing(victim: Victim) -> None:
    """Witnesses may sign, too: the control to the attacks above."""
    checkpoint = _checkpoint(victim)
    other = sign_checkpoint(checkpoint, LedgerKey.generate()).split("\n")[4]
    _publish(victim, f"{_note(victim)}{other}\n")
    victim.passes()


def test_a_checkpoint_of_another_origin_by_the_ledgers_key_is_refused(victim: Victim) -> None:
    checkpoint = _checkpoint(victim)
    with victim.open() as context:
        key = context.authority.key
    other = Checkpoint(origin_of("0" * 64), checkpoint.size, checkpoint.root)
    _publish(victim, sign_checkpoint(other, key))
    refused(victim, 2, "bad-checkpoint")


def test_an_older_genuine_checkpoint_is_refused(victim: Victim) -> None:
    _publish(victim, victim.older_note)
    refused(victim, 2, "bad-checkpoint")
    assert "size-differs" in found(victim, "acts")


def test_a_false_root_signed_by_the_ledgers_key_is_refused(victim: Victim) -> None:
    checkpoint = _checkpoint(victim)
    with victim.open() as context:
        key = context.authority.key
    _publish(victim, sign_checkpoint(Checkpoint(checkpoint.origin, checkpoint.size, b"\7" * 32), key))
    refused(victim, 2, "bad-checkpoint")
    assert "root-differs" in found(victim, "acts")


# --- history ------------------------------------------------------------------------------------


_ALIAS = STORY.index("alias")


def _history(victim: Victim) -> list[bytes]:
    """The same acts, but for the alias act: signed again by the same member. All of it is genuine."""
    history = envelopes(victim)
    with victim.open() as context:
        moved = acts.Alias(model=MODEL, number=2, digest=_digest(victim), name="prod")
        law = acts.decode(dsse.Envelope.from_bytes(history[_ALIAS]).payload).header.law
        history[_ALIAS] = signed(context, moved, law=law)
    return history


def _digest(victim: Victim) -> str:
    return str(victim.row(tables.versions, model=MODEL, number=2)["digest"])


def _forget(victim: Victim) -> None:
    (victim.home / "checkpoint").unlink()


@pytest.mark.parametrize("longer", [0, 1, 9], ids=["same-size", "one-longer", "much-longer"])
def test_a_fork_signed_by_the_ledgers_own_key_is_refused(victim: Victim, longer: int) -> None:
    """Whoever holds the ledger's key can rewrite history, but not for a client that remembers."""
    history = _history(victim)
    with victim.open() as context:
        pull = acts.Pull(model=MODEL, number=2, digest=_digest(victim), purpose="forged")
        history += [signed(context, pull) for _ in range(longer)]
    forked(victim, history)
    refused(victim, 2, "bad-checkpoint")
    assert "bad-checkpoint" in found(victim, "checkpoint", blobs=True)


def test_a_fork_is_refused_because_it_is_remembered(victim: Victim) -> None:
    """The control: to a client that has seen nothing, the forked history is as good as any."""
    forked(victim, _history(victim))
    _forget(victim)
    victim.passes()


def test_a_fork_signed_by_another_key_is_refused_without_memory(victim: Victim) -> None:
    forked(victim, envelopes(victim), LedgerKey.generate())
    _forget(victim)
    refused(victim, 2, "bad-checkpoint")


def test_a_database_rolled_back_is_refused(victim: Victim) -> None:
    victim.write(victim.older)
    refused(victim, 2, "bad-checkpoint")
    assert "bad-checkpoint" in found(victim, "checkpoint", blobs=True)


def test_a_push_into_a_database_rolled_back_changes_nothing(victim: Victim) -> None:
    victim.write(victim.older)
    with victim.open() as context, pytest.raises(BadCheckpoint):
        push(context, write_model(victim.scratch / "late", seed=9), "vision/late")
    now = victim.read()
    assert [now[name] for name in ("acts", "head", "models")] == [
        victim.older[name] for name in ("acts", "head", "models")
    ]
    with victim.open() as context:
        kept = {info.id for info in context.store.list()}
        for blob in kept - victim.blobs.keys():
            context.store.delete(blob)


def test_a_database_rolled_back_passes_where_nothing_is_remembered(victim: Victim) -> None:
    """What the threat model grants: an older registry, whole and genuine, to a client that saw no newer."""
    victim.write(victim.older)
    _forget(victim)
    victim.passes()


@pytest.fixture(scope="session")
def other_registry(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return twin(tmp_path_factory.mktemp("twin"))


def test_another_registrys_database_is_refused(victim: Victim, other_registry: Rows) -> None:
    assert len(other_registry["versions"]) == len(victim.rows["versions"])
    victim.write(other_registry)
    refused(victim, 1, "wrong-registry")
    assert "wrong-registry" in {finding.code for finding in findings(victim, blobs=False)}


def test_another_registrys_database_is_refused_without_memory(victim: Victim, other_registry: Rows) -> None:
    victim.write(other_registry)
    _forget(victim)
    refused(victim, 1, "wrong-registry")


def test_another_registrys_genesis_under_this_ledger_is_refused(victim: Victim, other_registry: Rows) -> None:
    genesis = other_registry["acts"][0]["envelope"]
    victim.execute(sa.update(tables.acts).where(tables.acts.c.seq == 0).values(envelope=genesis))
    refused(victim, 1, "wrong-registry")


def test_another_registrys_ledger_under_these_rows_is_refused(victim: Victim, other_registry: Rows) -> None:
    """The genesis act stays, so the pin holds; everything after it is foreign."""
    rows = {**victim.rows, **{name: other_registry[name] for name in ("nodes", "head")}}
    rows["acts"] = [victim.rows["acts"][0], *other_registry["acts"][1:]]
    victim.write(rows)
    _forget(victim)
    refused(victim, 2, "bad-checkpoint")


# --- what a client remembers --------------------------------------------------------------------

REMEMBERED: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda note: b"",
    "one-newline": lambda note: b"\n",
    "cut": lambda note: note[:-20],
    "root": lambda note: LINES["root"](note.decode()).encode(),
    "size": lambda note: LINES["size"](note.decode()).encode(),
    "signature": lambda note: LINES["signature"](note.decode()).encode(),
    "not-text": lambda note: b"\xff\xfe" + note,
    "size-of-5000-digits": lambda note: b"origin\n" + b"9" * 5000 + b"\n",
    "size-of-a-million": lambda note: note.replace(f"\n{len(STORY)}\n".encode(), b"\n1000000\n"),
}


@pytest.mark.parametrize("change", REMEMBERED)
def test_a_damaged_memory_is_refused(victim: Victim, change: str) -> None:
    changed = REMEMBERED[change](victim.files["checkpoint"])
    assert changed != victim.files["checkpoint"]
    (victim.home / "checkpoint").write_bytes(changed)
    refused(victim, 2, "bad-checkpoint")
    assert (victim.home / "checkpoint").read_bytes() == changed


def test_a_lost_memory_is_begun_anew(victim: Victim) -> None:
    """Documented: deleting the file forgets; the next checkout trusts what it sees and remembers that."""
    _forget(victim)
    victim.passes(REF)
    assert (victim.home / "checkpoint").read_text() == victim.read()["head"][0]["note"]
