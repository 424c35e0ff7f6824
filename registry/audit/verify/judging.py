"""One entry judged: signed by who might sign it, under the law of its place."""

from __future__ import annotations

from registry import acts
from registry.acts import Act
from registry.audit.verify.lawful import Lawful
from registry.audit.verify.pulls import Pull
from registry.audit.verify.reading import Entry
from registry.audit.verify.standing import RIGHTS, Signer, Standing
from registry.crypto import dsse
from registry.decisions import check_signed
from registry.errors import BadAuthority, BadSignature, Untrusted
from registry.judge import authorised, entitled

_BESIDE = "an act in the ledger is not of the law"


class Judge:
    """Judges entries in any order, the quickest in their own.

    What is signed as it should be goes the quick way; everything else is judged again by the law itself,
    which says what is wrong with it.
    """

    def __init__(self, lawful: Lawful) -> None:
        self._lawful, self._law = lawful, lawful.law
        self._ledger = lawful.law.ledger.keyid
        self._standing = Standing(lawful.law)
        self._move(0)

    def name(self, act: Act) -> str:
        """Who acted, as the events have it: "" where nobody can say."""
        if isinstance(act.body, acts.Refusal):
            return act.body.member
        return self._law.state.keyids.get(act.header.actor, "")

    def pulled(self, pull: Pull, seq: int) -> str | None:
        """Who pulled, where the entry is rightly where it is; None where that takes a closer look."""
        if not self._since < seq <= self._next:
            self._move(seq)
        envelope, said = pull[0], pull[1].predicate
        signer = self._standing.signer(said.actor, self._position)
        (signature,) = envelope.signatures
        if (
            signer is None
            or signature.keyid != said.actor
            or said.law != self._head
            or said.registry != self._law.registry_id
            or not said.time < self._standing.ends(signer.name, "pull", said.body.model, self._position)
        ):
            return None
        try:
            signer.key.verify(signature.sig, dsse.pae(dsse.PAYLOAD_TYPE, envelope.payload))
        except BadSignature:
            return None
        return signer.name

    def known(self, pull: Pull) -> str | None:
        """Who pulled, where nobody asks for their right; None where it was nobody who is known."""
        said = pull[1].predicate
        ours = said.registry == self._law.registry_id and self._lawful.names(said.law)
        return self._law.state.keyids.get(said.actor) if ours else None

    def check(self, entry: Entry, envelope: bytes, seq: int) -> None:
        """Raise unless the entry is rightly where it is: Untrusted, or another RegistryError."""
        if not self._since < seq <= self._next:
            self._move(seq)
        if not self._quickly(entry):
            self._slowly(entry.act, envelope, seq)

    def _move(self, seq: int) -> None:
        self._position = self._lawful.position(seq)
        self._since, self._next = self._lawful.around(self._position)
        self._head = self._lawful.head(self._position)

    def _quickly(self, entry: Entry) -> bool:
        """Whether the entry is in order; it may be in order and not be told so."""
        act, header = entry.act, entry.act.header
        if act.is_law or header.law != self._head or header.registry != self._law.registry_id:
            return False
        refusal = isinstance(act.body, acts.Refusal)
        signer = None if refusal else self._standing.signer(header.actor, self._position)
        key: dsse.Verifier | None = self._law.ledger if refusal else signer and signer.key
        if key is None or entry.keyid != header.actor or (refusal and header.actor != self._ledger):
            return False
        try:
            key.verify(entry.signature, dsse.pae(dsse.PAYLOAD_TYPE, entry.payload))
        except Untrusted:
            return False
        return signer is None or self._right(act, signer)

    def _right(self, act: Act, signer: Signer) -> bool:
        if type(act.body) in RIGHTS:
            return self._standing.may(act, signer.name, self._position)
        entitled(self._law, act)
        if isinstance(act.body, acts.Push):
            check_signed(signer.key, act, act.body)
        return True

    def _slowly(self, act: Act, envelope: bytes, seq: int) -> None:
        if seq == 0 and act.digest == self._law.registry_id:
            return  # the law begins with it
        if seq in self._lawful.errors:
            raise self._lawful.errors[seq]
        if act.is_law:
            if not self._lawful.has(seq):
                raise BadAuthority(_BESIDE, on=f"{act.kind} {act.digest[:16]}")
            return  # the law has been followed through it
        authorised(self._law, envelope)
        if act.header.law != self._head:
            raise BadAuthority("the act was admitted under another law than the newest", on=act.kind)
        if isinstance(act.body, acts.Push):
            check_signed(self._law.key_of(act), act, act.body)
