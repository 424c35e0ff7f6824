"""A proof of one act that an outsider can check alone: written only once it has passed that check."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from registry import acts, ledger, seen
from registry.acts import Act
from registry.audit import document
from registry.audit.checking import Checked, check_proof
from registry.audit.document import MAX_PROOF, PROOF_TYPE, Cosigned, Document, Place, Shown
from registry.audit.scope import Scope, scope
from registry.audit.standing import told
from registry.context import Context
from registry.cosigned import seen as seen_by
from registry.crypto import dsse, merkle, tlogproof
from registry.crypto.checkpoint import Checkpoint, open_checkpoint
from registry.errors import BadCheckpoint, InvalidInput, NotPermitted
from registry.law.law import Law
from registry.ledger import Entry, Proof
from registry.records import tables
from registry.records.database import reading

_HINT = "an auditor or an admin can prove it"


@dataclass(frozen=True)
class Proven:
    """A proof, and what whoever checks it is shown."""

    data: bytes
    checked: Checked


def prove(context: Context, seq: int) -> Proven:
    """Prove entry ``seq`` under the newest checkpoint.

    Raises InvalidInput where there is no such entry, NotPermitted where it does not concern the member, or
    Untrusted where the ledger does not prove it.
    """
    who = scope(context)
    with reading(context.engine) as connection:
        law = context.lawbook.read(connection)
        checkpoint = accepted(context, connection, law)
        if not 0 <= seq < checkpoint.size:
            raise InvalidInput("the ledger has no such entry", on=f"entry {seq} of {checkpoint.size}")
        proof = ledger.prove(connection, seq, checkpoint.size)
        act = _decoded(proof, checkpoint)
        _require(who, law, act, seq)
        shown = _document(connection, who, law, proof, checkpoint)
    data = document.write(shown, MAX_PROOF)
    return Proven(data, check_proof(data, law.registry_id))


def accepted(context: Context, connection: sa.Connection, law: Law) -> Checkpoint:
    """The newest checkpoint, which extends the one that this home remembers. Raises BadCheckpoint."""
    remembered = seen.load(context.paths.checkpoint)
    path = ledger.consistency(connection, seen.size_of(remembered), ledger.tree_size(connection))
    return seen.accept(context.paths.checkpoint, law, ledger.newest_note(connection), path, remembered)


def shown(proof: Proof) -> Shown:
    """An entry with its place, for a document."""
    return Shown(document.entry(proof.entry.envelope), proof.entry.seq, proof.path)


def cosigned(connection: sa.Connection, law: Law, checkpoint: Checkpoint) -> tuple[Cosigned, ...]:
    """The newest checkpoint that each witness has cosigned. Raises BadProof where one is of another history.

    They lie beside the ledger, where anybody may have written: what its key has not signed is left out.
    """
    found = []
    for one in seen_by(connection, None, checkpoint.size):
        try:
            old = open_checkpoint(one.note, checkpoint.origin, law.ledger)
        except BadCheckpoint:
            continue
        merkle.verify_consistency(old.size, old.root, checkpoint.size, checkpoint.root, one.path)
        found.append(Cosigned(one.note, one.path))
    return tuple(found)


def _decoded(proof: Proof, checkpoint: Checkpoint) -> Act:
    """What is in the entry: as far as it takes to say whom it concerns."""
    proof.check(checkpoint)
    return acts.decode(dsse.Envelope.from_bytes(proof.entry.envelope).payload)


def _require(who: Scope, law: Law, act: Act, seq: int) -> None:
    event = told(law, act, seq)
    if not who.sees(event.on, event.actor):
        raise NotPermitted("the entry is about nothing of yours", on=f"entry {seq}", hint=_HINT)


def _document(
    connection: sa.Connection, who: Scope, law: Law, proof: Proof, checkpoint: Checkpoint
) -> Document:
    seq, size = proof.entry.seq, checkpoint.size
    before = [entry for entry in ledger.of_law(connection, -1) if entry.seq < seq]
    text = tlogproof.LogProof(seq, proof.path, ledger.newest_note(connection))
    return Document(
        after=_after(connection, who, seq, size),
        entry=document.entry(proof.entry.envelope),
        head=_place(connection, before[-1], size) if before else None,
        law=tuple(document.entry(entry.envelope) for entry in before),
        media_type=PROOF_TYPE,
        proof=tlogproof.render(text),
        registry=law.registry_id,
        witnessed=cosigned(connection, law, checkpoint),
    )


def _place(connection: sa.Connection, entry: Entry, size: int) -> Place:
    return Place(entry.seq, ledger.prove(connection, entry.seq, size).path)


def _after(connection: sa.Connection, who: Scope, seq: int, size: int) -> Shown | None:
    """What shows that the law still stood: the next act of it, which everybody may see, or else the newest
    entry that the member may see."""
    found = next(ledger.next_of_law(connection, [seq]), None)
    if found is None and seq < size - 1:
        found = _newest(connection, who, seq, size)
    return shown(ledger.prove(connection, found, size)) if found is not None else None


def _newest(connection: sa.Connection, who: Scope, seq: int, size: int) -> int:
    condition = who.condition(tables.events)
    if condition is None:
        return size - 1
    query = sa.select(sa.func.max(tables.events.c.seq)).where(tables.events.c.seq > seq, condition)
    found: int | None = connection.execute(query).scalar_one()
    if found is None:
        raise NotPermitted(
            "nothing that you may see shows that the act came in time", on=f"entry {seq}", hint=_HINT
        )
    return found
