"""Entries of the ledger that are new since the last time, each proven before anybody believes it.

Whoever follows keeps the right edge of the tree that they have verified (``Frontier``). New entries are
hashed onto it, and the result has to be a prefix of the newest checkpoint's tree: so every byte of them is
what the ledger's key signed, and nothing was left out, put in or changed behind them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import sqlalchemy as sa

from registry import ledger
from registry.acts import Act
from registry.crypto import dsse, merkle
from registry.crypto.checkpoint import Checkpoint, open_checkpoint, origin_of
from registry.crypto.frontier import Frontier, places
from registry.errors import BadAuthority, BadCheckpoint, BadProof, Untrusted
from registry.judge import authorised
from registry.law.law import Law
from registry.ledger import Entry

BATCH: Final = 256  # entries


@dataclass(frozen=True)
class Judgement:
    """An entry that is in the tree, with its act; or with what is wrong with it."""

    entry: Entry
    act: Act | None
    error: Untrusted | None = None


def newest(connection: sa.Connection, law: Law) -> Checkpoint:
    """The ledger's checkpoint. Raises BadCheckpoint where the ledger's key has not signed it."""
    return open_checkpoint(ledger.newest_note(connection), origin_of(law.registry_id), law.ledger)


def begin(connection: sa.Connection, checkpoint: Checkpoint, at: int) -> Frontier:
    """The right edge of the tree of the first ``at`` entries, within the checkpoint's. Raises Untrusted."""
    wanted = places(at)
    found = ledger.reader(connection)(wanted) if wanted else {}
    frontier = Frontier(at, [found[place] for place in wanted])
    extends(connection, frontier, checkpoint)
    return frontier


def extends(connection: sa.Connection, frontier: Frontier, checkpoint: Checkpoint) -> None:
    """Raise BadCheckpoint unless the checkpoint's tree begins with the verified one."""
    if checkpoint.size < frontier.size:
        raise BadCheckpoint(
            "the ledger is shorter than it was",
            on=f"{checkpoint.size} acts now, {frontier.size} seen before",
            hint="the database was rolled back or replaced: compare it with a backup",
        )
    try:
        _prefix(connection, frontier, checkpoint)
    except BadProof as error:
        raise BadCheckpoint(
            "the ledger's history was rewritten: it does not extend what was seen before",
            on=f"{frontier.size} acts seen, {checkpoint.size} now",
            hint="keep the database as it is, and compare it with a backup",
        ) from error


def _prefix(connection: sa.Connection, frontier: Frontier, checkpoint: Checkpoint) -> None:
    path = ledger.consistency(connection, frontier.size, checkpoint.size)
    merkle.verify_consistency(frontier.size, frontier.root(), checkpoint.size, checkpoint.root, list(path))


def take(connection: sa.Connection, frontier: Frontier, checkpoint: Checkpoint) -> list[Entry]:
    """At most ``BATCH`` entries behind the frontier, proven by the checkpoint.

    Raises BadProof, which names the first entry that is missing or changed.
    """
    count = min(BATCH, checkpoint.size - frontier.size)
    grown, batch = copy.deepcopy(frontier), []
    for entry in islice(ledger.entries(connection, frontier.size), count):
        if entry.seq != grown.size:
            break
        grown.append(merkle.leaf_hash(entry.envelope))
        batch.append(entry)
    if len(batch) < count:
        raise BadProof("an act is missing from the ledger", on=f"entry {grown.size}")
    try:
        _prefix(connection, grown, checkpoint)
    except BadProof:
        for entry in batch:
            ledger.prove(connection, entry.seq, checkpoint.size).check(checkpoint)
        raise
    return batch


def judged(law: Law, batch: list[Entry]) -> Iterator[Judgement]:
    """Whether each act is by somebody who had the right to it, under the law as it was at that place."""
    for entry in batch:
        try:
            act = _admitted(law, entry)
        except Untrusted as error:
            yield Judgement(entry, None, error)
        else:
            yield Judgement(entry, act)


def _admitted(law: Law, entry: Entry) -> Act:
    """The act of an entry. Raises Untrusted."""
    if entry.seq == 0:
        act = law.admitted(dsse.Envelope.from_bytes(entry.envelope))  # from_genesis has checked the rest
    else:
        act = authorised(law, entry.envelope)
    _in_place(law, act, entry.seq)
    return act


def at(law: Law, act: Act) -> int:
    """The position of the law at which an act counts: what is of the law counts for itself."""
    return (law.position(act) if act.header.law else 0) + act.is_law


def _in_place(law: Law, act: Act, seq: int) -> None:
    """Raise BadAuthority for an act that came in after its law had changed, and for one that is repeated."""
    position = at(law, act)
    after = law.entry(position + 1) if position < law.state.position else seq + 1
    if not (law.entry(position) == seq if act.is_law else law.entry(position) < seq < after):
        raise BadAuthority("the act is not where the law puts it", on=f"entry {seq}: {act.kind}")
