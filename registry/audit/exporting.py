"""A range of the ledger as files that an outsider can check alone.

::

    checkpoint       the newest checkpoint: the ledger's signed note
    since            the checkpoint that the range begins after; not there where it begins at the genesis act
    law.jsonl        the acts of the law before the range, from the genesis act on: envelopes, one a line
    entries.jsonl    every entry of the range, in order: envelopes, one a line, exactly as they were signed
    proof.json       what joins the range to the tree before it (``registry.audit.document.Range``)

A directory appears whole or not at all, and only where its entries hash to the checkpoint's root.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from registry import disk, ledger
from registry.audit import document
from registry.audit.document import MAX_RANGE, RANGE_TYPE, Range
from registry.audit.proving import accepted, cosigned, shown
from registry.audit.scope import scope
from registry.context import Context
from registry.crypto import merkle
from registry.crypto.checkpoint import Checkpoint, open_checkpoint
from registry.crypto.frontier import Frontier, places
from registry.errors import AlreadyExists, BadCheckpoint, BadProof, InvalidInput
from registry.law.law import Law
from registry.progress import Progress
from registry.records.database import reading

CHECKPOINT: Final = "checkpoint"
SINCE: Final = "since"
LAW: Final = "law.jsonl"
ENTRIES: Final = "entries.jsonl"
PROOF: Final = "proof.json"
_MODE: Final = 0o600  # who did what is not for everybody on the machine


@dataclass(frozen=True)
class Exported:
    """What was written: entries ``start`` up to, not including, ``end``."""

    directory: str
    registry_id: str
    start: int
    end: int
    root: str
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return vars(self)


def export(context: Context, since: str | None, directory: Path) -> Exported:
    """Write the entries after the checkpoint ``since``, a signed note, up to the newest; None: all of them.

    Raises NotPermitted for who is no auditor, AlreadyExists, BadCheckpoint where ``since`` is not of this
    ledger's history, BadProof where the ledger is damaged.
    """
    scope(context).require_all("an export of the ledger")
    with reading(context.engine) as connection:
        law = context.lawbook.read(connection)
        checkpoint = accepted(context, connection, law)
        old = _old(connection, law, since, checkpoint)
        tree = _tree(connection, old)
        with _appearing(directory) as place:
            _write(place / LAW, _law(connection, old.size))
            entries = _growing(connection, tree, checkpoint, context.progress)
            written = _write(place / ENTRIES, entries)
            if tree.root() != checkpoint.root:
                raise BadProof("the entries are not those of the checkpoint", hint="run 'registry fsck'")
            if since is not None:
                disk.create(place / SINCE, since.encode(), _MODE)
            disk.create(place / CHECKPOINT, ledger.newest_note(connection).encode(), _MODE)
            disk.create(place / PROOF, _proof(connection, law, old, checkpoint), _MODE)
    start, end = old.size, checkpoint.size
    return Exported(str(directory), law.registry_id, start, end, checkpoint.root.hex(), written)


def _old(connection: sa.Connection, law: Law, since: str | None, new: Checkpoint) -> Checkpoint:
    """The checkpoint that the range begins after, proven to be of this history. Raises BadCheckpoint."""
    if since is None:
        return Checkpoint(new.origin, 0, merkle.EMPTY)
    old = open_checkpoint(since, new.origin, law.ledger)
    if old.size > new.size:
        raise BadCheckpoint("the ledger is shorter than the checkpoint", on=f"{new.size} of {old.size} acts")
    try:
        path = ledger.consistency(connection, old.size, new.size)
        merkle.verify_consistency(old.size, old.root, new.size, new.root, path)
    except BadProof as error:
        raise BadCheckpoint(
            "the ledger does not extend the checkpoint: one of them is of another history",
            on=f"{old.size} acts seen, {new.size} now",
            hint="keep both: each is signed by the ledger's key, and together they prove the fork",
        ) from error
    return old


def _tree(connection: sa.Connection, old: Checkpoint) -> Frontier:
    wanted = places(old.size)
    known = ledger.reader(connection)(wanted)
    tree = Frontier(old.size, [known[place] for place in wanted])
    if tree.root() != old.root:
        raise BadProof("the ledger's tree is not the one that was signed", hint="run 'registry fsck'")
    return tree


def _law(connection: sa.Connection, size: int) -> Iterator[bytes]:
    return (one.envelope for one in ledger.of_law(connection, -1) if one.seq < size)


def _growing(
    connection: sa.Connection, tree: Frontier, checkpoint: Checkpoint, progress: Progress
) -> Iterator[bytes]:
    """The entries of the range, while the tree grows by them."""
    progress.begin("exporting the ledger", 0)
    for one in ledger.entries(connection, tree.size):
        if one.seq != tree.size or tree.size == checkpoint.size:
            raise BadProof("an entry of the ledger is missing, or one too many", on=f"entry {tree.size}")
        tree.append(merkle.leaf_hash(one.envelope))
        progress.advance(len(one.envelope))
        yield one.envelope
    progress.end()


def _proof(connection: sa.Connection, law: Law, old: Checkpoint, new: Checkpoint) -> bytes:
    wanted = places(old.size)
    known = ledger.reader(connection)(wanted)
    before = shown(ledger.prove(connection, old.size - 1, new.size)) if old.size else None
    said = Range(
        before=before,
        consistency=ledger.consistency(connection, old.size, new.size),
        media_type=RANGE_TYPE,
        registry=law.registry_id,
        subtrees=tuple(known[place] for place in wanted),
        witnessed=cosigned(connection, law, new),
    )
    return document.write(said, MAX_RANGE)


def _write(path: Path, lines: Iterable[bytes]) -> int:
    """Write envelopes, one a line, durably; the bytes written."""
    written = 0
    with disk.translated(path), path.open("xb") as file:
        os.fchmod(file.fileno(), _MODE)
        for line in lines:
            if b"\n" in line:
                raise BadProof("an entry of the ledger is not in its one spelling", on=path.name)
            written += file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return written


@contextmanager
def _appearing(directory: Path) -> Iterator[Path]:
    """A directory to write to, which takes its name at the end. An empty one may be there already."""
    with disk.translated(directory):
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise AlreadyExists("there is something of this name", on=str(directory), hint="choose another")
        if not directory.name:
            raise InvalidInput("an export needs a directory of its own", on=str(directory))
        temporary = directory.absolute().with_name(f".{directory.name}.{secrets.token_hex(8)}")
        temporary.mkdir(mode=0o700)
    try:
        yield temporary
        with disk.translated(directory):
            disk.sync_directory(temporary)
            temporary.rename(directory)
            disk.sync_directory(directory.absolute().parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
