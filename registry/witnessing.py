"""Witnessing: to cosign a ledger's checkpoint after seeing that it goes on where the last one cosigned ended.

A member does it on the registry, with a key derived from their identity. Somebody outside does it on what
they are given: an exported range, checked entry by entry, or a submission of C2SP tlog-witness. Either
remembers what was cosigned, and writes it down before a cosignature leaves (tlog-witness, add-checkpoint).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from registry import disk, ledger
from registry import seen as remembering
from registry.context import IDENTITY_LIMIT, Context
from registry.cosigned import seen as seen  # asked for here too, by those who write proofs
from registry.crypto import notes
from registry.crypto.checkpoint import Checkpoint, LedgerPublicKey, open_checkpoint, origin_of, parse
from registry.crypto.cosignature import ED25519, WitnessKey, WitnessPublicKey
from registry.crypto.submission import Submission
from registry.errors import BadCheckpoint, Conflict, InvalidInput, Malformed
from registry.progress import SILENT, Progress
from registry.records import cosignatures
from registry.records.database import reading, writing
from registry.witness_memory import Turn, turn


@dataclass(frozen=True)
class Cosigned:
    """A checkpoint that was cosigned: ``note`` is the ledger's, with the cosignature."""

    witness: WitnessPublicKey
    tree: Checkpoint
    before: int  # acts of the tree that this witness cosigned last, 0 for none
    time: int  # POSIX
    note: str

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "witness": self.witness.name,
            "vkey": self.witness.vkey,
            "origin": self.tree.origin,
            "size": self.tree.size,
            "root": self.tree.root.hex(),
            "before": self.before,
            "time": self.time,
            "checkpoint": self.note,
        }


def name_of(registry_id: str, member: str) -> str:
    """What a member of a registry is called as a witness of its ledger."""
    return f"{origin_of(registry_id)}/{member}"


def key_of(context: Context, kind: int = ED25519) -> WitnessKey:
    """The key with which this identity witnesses the registry. A replaced identity makes another one."""
    name = name_of(context.config.registry_id, context.identity.name)
    return WitnessKey.derive(context.identity.signing, name, kind)


def own_key(name: str, file: Path, passphrase: bytes | None) -> WitnessKey:
    """A witness's own key from a PKCS#8 file, under a name that somebody gave.

    Raises NotFound, InvalidInput, InvalidIdentity or WrongPassphrase.
    """
    with given():
        return WitnessKey.from_pem(name, disk.read(file, IDENTITY_LIMIT), passphrase)


@contextmanager
def given() -> Iterator[None]:
    """What a person gave and is malformed is no sign of an attack."""
    try:
        yield
    except Malformed as error:
        raise InvalidInput(error.message, on=error.on, hint=error.hint) from error


def witness(context: Context, key: WitnessKey, memory: Path) -> Cosigned:
    """Cosign the registry's newest checkpoint, and keep the cosignature beside the ledger.

    Any member may, who is not disabled. ``memory`` is the directory where the witness remembers. Raises
    Denied, or BadCheckpoint where the ledger does not extend what this witness, or this home, has seen.
    """
    law = context.law()
    law.state.signer(context.keyid)
    with turn(memory, origin_of(law.registry_id), key.public) as mine:
        with reading(context.engine) as connection:
            note, size = ledger.newest_note(connection), ledger.tree_size(connection)
            remembered = remembering.load(context.paths.checkpoint)
            grown = ledger.consistency(connection, remembering.size_of(remembered), size)
            remembering.accept(context.paths.checkpoint, law, note, grown, remembered)
            path = ledger.consistency(connection, mine.size, size)
        done = _cosign(mine, key, note, law.ledger, path, context.now())
    with writing(context.engine) as connection:
        cosignatures.put(connection, row_of(note, done.tree, _own(done)))
    return done


def witness_export(
    directory: Path,
    registry_id: str,
    key: WitnessKey,
    memory: Path,
    now: datetime,
    progress: Progress = SILENT,
) -> Cosigned:
    """Cosign the checkpoint of an exported range, after checking every entry of it; with no registry at all.

    The range begins where this witness has cosigned last; for the first time with the genesis act. Raises
    what ``check_range`` raises.
    """
    from registry.audit.exporting import CHECKPOINT
    from registry.audit.ranges import check_range

    with turn(memory, origin_of(registry_id), key.public) as mine:
        checked = check_range(directory, registry_id, held=mine.note or None, progress=progress)
        if not mine.note and checked.start:
            raise BadCheckpoint(
                "a witness who has cosigned nothing yet begins with the genesis act",
                on=f"the range begins at entry {checked.start}",
                hint="ask for 'registry audit export' without --since",
            )
        note = text_of(directory / CHECKPOINT)
        tree = Checkpoint(origin_of(registry_id), checked.end, bytes.fromhex(checked.root))
        if _tree(note, tree.origin) != tree:
            raise BadCheckpoint("the export changed while it was read", on=str(directory))
        return _signed(mine, key, note, tree, now)


def witness_submission(
    text: str, registry_id: str, ledger_key: LedgerPublicKey, key: WitnessKey, memory: Path, now: datetime
) -> Cosigned:
    """Cosign what a submission of tlog-witness shows; a bare checkpoint is one from nothing, or from itself.

    Raises Conflict where it does not begin where this witness cosigned last, Malformed, or BadCheckpoint.
    """
    origin = origin_of(registry_id)
    sent = Submission.parse(text) if text.startswith("old ") else None
    note = sent.note if sent else text
    with turn(memory, origin, key.public) as mine:
        same = sent is None and mine.size == open_checkpoint(note, origin, ledger_key).size
        old = sent.old if sent else mine.size if same else 0
        if old != mine.size:
            raise Conflict(
                "the submission does not begin where this witness cosigned last",
                on=f"it begins at {old}, the witness is at {mine.size}",
                hint=f"ask for 'registry audit checkpoint --old {mine.size}'",
            )
        return _cosign(mine, key, note, ledger_key, sent.path if sent else (), now)


def _cosign(
    mine: Turn, key: WitnessKey, note: str, by: LedgerPublicKey, path: tuple[bytes, ...], now: datetime
) -> Cosigned:
    """Check that the checkpoint extends the one remembered, and cosign it."""
    tree, old = open_checkpoint(note, mine.origin, by), mine.tree(by)
    if by.raw == key.public.raw:
        raise InvalidInput("a ledger does not witness itself", on=key.public.name, hint="use another key")
    if old is not None:
        remembering.extends(old, tree, path)
    elif path:
        raise BadCheckpoint("a proof that begins at nothing is empty", on=mine.origin)
    return _signed(mine, key, note, tree, now)


def _signed(mine: Turn, key: WitnessKey, note: str, tree: Checkpoint, now: datetime) -> Cosigned:
    time, parsed = int(now.timestamp()), notes.parse(note, tree.origin)
    kept = tuple(one for one in parsed.signatures if one.name == tree.origin)  # the ledger's, by no witness
    cosigned = notes.Note(parsed.text, (*kept, key.sign(parsed.text, time))).to_text()
    before = mine.size
    mine.keep(cosigned)
    return Cosigned(key.public, tree, before, time, cosigned)


def _own(done: Cosigned) -> notes.Signature:
    note = notes.parse(done.note, done.tree.origin)
    return note.of(done.witness.name, done.witness.key_id)[-1]


def row_of(note: str, tree: Checkpoint, signature: notes.Signature) -> cosignatures.Row:
    """A row for a cosignature on the checkpoint in ``note``."""
    parsed = notes.parse(note, tree.origin)
    ledgers = tuple(one for one in parsed.signatures if one.name == tree.origin)
    bare = notes.Note(parsed.text, ledgers).to_text()
    return cosignatures.Row(signature.name, signature.key_id.hex(), tree.size, bare, signature.line)


def ledger_of(vkey: str, registry_id: str) -> LedgerPublicKey:
    """The ledger's key of a vkey that somebody gave. Raises InvalidInput, also for another ledger's."""
    with given():
        name, kind, key = notes.read_vkey(vkey)
        found = LedgerPublicKey(key)
    if found.vkey(origin_of(registry_id)) != vkey:
        raise InvalidInput("the key is not one of this registry's ledger", on=f"{name}, type {kind}")
    return found


def text_of(file: Path) -> str:
    """A note or a submission from a file. Raises NotFound, InvalidInput or Malformed."""
    try:
        return disk.read(file, 2 * notes.MAX_NOTE).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("the file is not UTF-8", on=str(file)) from error


def _tree(note: str, origin: str) -> Checkpoint:
    return parse(notes.parse(note, origin).text, origin)
