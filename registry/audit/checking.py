"""Checking a proof of one act: with its bytes and the registry id, and with nothing else.

No registry, no database, no network. What the proof shows is the act, exactly as it was signed; that it lies
in the tree of a checkpoint that the ledger's key signed; and the whole chain of the law from the genesis act,
which the registry id pins, to the act: so that whoever signed was a member then and had the right to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from registry import acts
from registry.acts import Act
from registry.audit import document
from registry.audit.document import MAX_PROOF, Document, Entry, Shown
from registry.audit.event import Event
from registry.audit.seenby import witnesses
from registry.audit.standing import by_right, told
from registry.crypto import tlogproof
from registry.crypto.checkpoint import Checkpoint, open_checkpoint, origin_of
from registry.crypto.dsse import Envelope
from registry.crypto.witnessed import Demand
from registry.decisions import check_signed
from registry.errors import BadAuthority, Untrusted, WrongRegistry
from registry.judge import authorised
from registry.law.law import Law, from_genesis
from registry.ledger import Entry as Leaf
from registry.ledger import Proof

_LATE = "the act was admitted under a law that had changed before"


@dataclass(frozen=True)
class Checked:
    """What a proof has shown."""

    registry_id: str
    event: Event
    right: str  # why the signer could do it
    law: int  # acts of the law that lead to the act
    size: int  # entries that the checkpoint covers
    root: str
    in_time: str  # what shows that the law had not changed when the act came in
    witnesses: tuple[str, ...]  # those demanded that have seen the act; empty where none was demanded

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**vars(self), "event": self.event.to_dict(), "witnesses": list(self.witnesses)}


def check_proof(data: bytes, registry_id: str, demand: Demand | None = None) -> Checked:
    """Check a proof. ``demand`` says which witnesses must have seen the act.

    Raises Malformed, WrongRegistry, BadCheckpoint, BadProof, BadAuthority or BadSignature.
    """
    shown = document.read(data, Document, MAX_PROOF)
    check_registry(shown.registry, registry_id)
    found = tlogproof.parse(shown.proof)
    law = begun(shown.law or (shown.entry,), registry_id)
    checkpoint = open_checkpoint(found.checkpoint, origin_of(registry_id), law.ledger)
    Proof(Leaf(found.index, shown.entry.raw), found.path).check(checkpoint)
    _head(shown, found.index, checkpoint)
    act = _act(law, shown, found.index)
    in_time = _in_time(law, shown.after, found.index, checkpoint)
    seen = witnesses(
        demand, found.checkpoint, checkpoint.origin, law.ledger, shown.witnessed, found.index + 1
    )
    event, right = told(law, act, found.index), by_right(law, act)
    root = checkpoint.root.hex()
    return Checked(registry_id, event, right, max(len(shown.law), 1), checkpoint.size, root, in_time, seen)


def check_registry(said: str, registry_id: str) -> None:
    """Raise WrongRegistry unless the document is of the registry that is pinned."""
    if said != registry_id:
        raise WrongRegistry(
            "this is about another registry than the one pinned",
            on=f"found {said[:16]}, pinned {registry_id[:16]}",
            hint="ask the registry's people for its id, by another way than this file came",
        )


def begun(law: Sequence[Entry], registry_id: str) -> Law:
    """The law that these entries are, from the genesis act on, each checked against all before it."""
    found = from_genesis(law[0].raw, registry_id)
    for place, entry in enumerate(law[1:], 1):
        with of_law(place):
            found.follow(entry.raw, -1)
    return found


@contextmanager
def of_law(place: int) -> Iterator[None]:
    """An error of the block names an act whose entry nobody has proven: the ``place``-th of the law."""
    try:
        yield
    except Untrusted as error:
        error.on = f"act {place} of the law" + (f", {error.on}" if error.on else "")
        raise


def _head(shown: Document, seq: int, checkpoint: Checkpoint) -> None:
    """The last act of the law that is shown lies in this tree, before the act."""
    if (shown.head is None) != (not shown.law):
        raise BadAuthority("the proof does not show where the law lies", on=f"{len(shown.law)} acts of it")
    if shown.head is not None:
        Proof(Leaf(shown.head.index, shown.law[-1].raw), shown.head.path).check(checkpoint)
        if shown.head.index >= seq:
            raise BadAuthority("the act lies before the law under which it was signed", on=f"entry {seq}")


def _act(law: Law, shown: Document, seq: int) -> Act:
    """The act, by right, under the law that the proof shows; one of the law extends it."""
    if not shown.law and seq:
        raise BadAuthority("the genesis act is not the first entry", on=f"entry {seq}")
    if not shown.law:
        return law.admitted(Envelope.from_bytes(shown.entry.raw))  # ``begun`` has verified it
    act = law.admitted(Envelope.from_bytes(shown.entry.raw))
    if act.header.law != law.head:
        raise BadAuthority("the act was signed under another law than the one shown", on=f"entry {seq}")
    if act.is_law:
        return law.follow(shown.entry.raw, seq)
    authorised(law, shown.entry.raw)
    if isinstance(act.body, acts.Push):
        check_signed(law.key_of(act), act, act.body)
    return act


def _in_time(law: Law, after: Shown | None, seq: int, checkpoint: Checkpoint) -> str:
    """What shows that the law still stood: what came next in it, or a later entry under the same.

    Otherwise who has lost a right could sign under the old law, and a door that helps them admit it.
    """
    if after is None:
        if seq != checkpoint.size - 1:
            raise BadAuthority("nothing shows that the law had not changed before", on=f"entry {seq}")
        return "it was the newest entry of all"
    leaf = Leaf(after.index, after.entry.raw)
    Proof(leaf, after.path).check(checkpoint)
    if after.index <= seq:
        raise BadAuthority(_LATE, on=f"entry {seq}, and the law changed with entry {after.index}")
    if law.admitted(Envelope.from_bytes(leaf.envelope)).is_law:
        law.follow(leaf.envelope, after.index)
        return f"the law changed only afterwards, with entry {after.index}"
    if authorised(law, leaf.envelope).header.law != law.head:
        raise BadAuthority(_LATE, on=f"entry {seq}, and entry {after.index} names another")
    return f"entry {after.index} was signed under the same law"
