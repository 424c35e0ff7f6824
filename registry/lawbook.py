"""The law as a database has it: read act by act, proven whole, and kept for the next time.

Every act in the ledger names the newest act of the law before it. So the last entry, proven by the
checkpoint, says whether the database has shown the whole law: an act of it that is withheld, or was put
beside it, is missed.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import sqlalchemy as sa

from registry import acts, ledger
from registry.acts import Act
from registry.crypto import dsse
from registry.crypto.checkpoint import Checkpoint, open_checkpoint, origin_of
from registry.errors import BadProof, Untrusted
from registry.law.law import Law, from_genesis
from registry.law_memory import LEAST, LawMemory
from registry.ledger import Entry

_RECENT: Final = 256  # acts that are remembered at most


class Lawbook:
    """Remembers the law that it has read; reading again costs what is new. One thread at a time."""

    def __init__(self, registry_id: str, memory: LawMemory | None = None) -> None:
        self._registry_id = registry_id
        self._memory = memory
        self._law: Law | None = None
        self._frozen = False  # whether the collector leaves the law alone

    def read(self, connection: sa.Connection) -> Law:
        """The law of the newest checkpoint. Raises Untrusted: a broken act, or a withheld one."""
        law, self._law = self._law or self._remembered(connection), None  # what is wrong is not kept
        if law is not None:
            try:
                return self._proven(_read(connection, law))
            except Untrusted:
                pass  # another process has put back an older database: begin at the genesis act
        entry = ledger.entry(connection, 0)
        return self._proven(_read(connection, from_genesis(entry.envelope, self._registry_id)))

    def known(self, connection: sa.Connection) -> int:
        """The entry of the newest act of the law that is known, -1 for none."""
        self._law = self._law or self._remembered(connection)
        return self._law.seq if self._law else -1

    def _remembered(self, connection: sa.Connection) -> Law | None:
        """What this member's own programs have proven before, where the ledger goes on from there."""
        if self._memory is None:
            return None
        law = self._memory.recall(self._registry_id, lambda: ledger.entry(connection, 0).envelope)
        with suppress(Untrusted):
            if law is not None:
                payload = dsse.Envelope.from_bytes(ledger.entry(connection, law.seq).envelope).payload
                return law if hashlib.sha256(payload).hexdigest() == law.head else None
        return None

    def begin(self, genesis: bytes) -> Law:
        """The known law, or the one that this genesis act begins; ``keep`` it when it has been proven whole.

        Raises WrongRegistry, Malformed or BadSignature.
        """
        begun = from_genesis(genesis, self._registry_id)
        law, self._law = self._law or begun, None  # what turns out to be wrong is not kept
        return law

    def keep(self, law: Law) -> None:
        """The law was proven whole."""
        self._proven(law)

    def _proven(self, law: Law) -> Law:
        self._law = law
        if self._memory is not None:
            self._memory.keep(law)
        if law.state.position >= LEAST and not self._frozen:
            # A long law stays as long as the process; walking it again took a third of some questions' time.
            gc.collect()
            gc.freeze()
            self._frozen = True
        return law

    def settle(self, head: str) -> None:
        """Nothing was committed: keep the law only where it still ends at ``head``."""
        if self._law is not None and self._law.head != head:
            self._law = None


def _read(connection: sa.Connection, law: Law) -> Law:
    for entry in ledger.of_law(connection, law.seq):
        law.follow(entry.envelope, entry.seq)
    checkpoint = open_checkpoint(ledger.newest_note(connection), origin_of(law.registry_id), law.ledger)
    check_whole(law, last_entry(connection, checkpoint))
    return law


def last_entry(connection: sa.Connection, checkpoint: Checkpoint) -> Entry:
    """The newest entry, proven by the checkpoint. Raises BadProof."""
    proof = ledger.prove(connection, checkpoint.size - 1, checkpoint.size)
    proof.check(checkpoint)
    return proof.entry


def proven(connection: sa.Connection, law: Law, seqs: Iterable[int]) -> dict[int, Act]:
    """Acts of the ledger, each proven by the newest checkpoint and signed by a member of then.

    What tables point to may lie beside the ledger. Raises BadProof, BadAuthority or BadSignature.
    """
    checkpoint = open_checkpoint(ledger.newest_note(connection), origin_of(law.registry_id), law.ledger)
    found = {}
    for seq in seqs:
        proof = ledger.prove(connection, seq, checkpoint.size)
        proof.check(checkpoint)
        found[seq] = law.admitted(dsse.Envelope.from_bytes(proof.entry.envelope))
    return found


def recalled(connection: sa.Connection, law: Law, seqs: Iterable[int]) -> dict[int, Act]:
    """As ``proven``, for acts asked for again and again.

    What an earlier checkpoint proved a later one proves too, as long as the law goes on from there; bytes
    that have changed since are proven anew.
    """
    found, unknown = {}, []
    for seq in seqs:
        envelope, act = law.recent.get(seq, (b"", None))
        if act is None or ledger.entry(connection, seq).envelope != envelope:
            unknown.append(seq)
        else:
            found[seq] = act
    for seq, act in proven(connection, law, unknown).items() if unknown else ():
        if len(law.recent) >= _RECENT:
            law.recent.clear()
        law.recent[seq] = ledger.entry(connection, seq).envelope, act
        found[seq] = act
    return found


def check_whole(law: Law, last: Entry) -> None:
    """Raise BadProof unless ``law`` ends where the ledger's proven last entry says."""
    payload = dsse.Envelope.from_bytes(last.envelope).payload
    if hashlib.sha256(payload).hexdigest() == law.head:
        return
    act = acts.decode(payload)
    head = act.digest if act.is_law else act.header.law
    if (head or law.registry_id) != law.head:
        raise BadProof(
            "the database withholds an act of the law, or shows one that is not of the ledger",
            on=f"the law ends at entry {law.seq}, the ledger's newest act speaks of another",
            hint="run 'registry fsck'",
        )
