"""The law as a whole: extended act by act, each checked against all before it.

Raises are of two kinds. An act that wants to be the next one is refused as its signer's fault (Denied,
Conflict, InvalidInput). One that is in the ledger already, and should not be, is BadAuthority.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from registry import acts
from registry.acts import Act
from registry.crypto import dsse, possession
from registry.crypto.checkpoint import LedgerPublicKey
from registry.crypto.keys import VerifyingKey
from registry.crypto.sealing import SealingPublicKey
from registry.errors import (
    BadAuthority,
    BadCheckpoint,
    BadSignature,
    Conflict,
    Denied,
    Disabled,
    InvalidInput,
    Malformed,
    NotFound,
    Outdated,
    WrongRegistry,
)
from registry.law import custody, effects, rules
from registry.law.custody import Need
from registry.law.state import Member, State

_PARTS = "change fewer things at once: rotate model by model, push fewer files"


class Law:
    """The members, rights and keys that one pinned registry id vouches for, and the ledger's key."""

    def __init__(self, registry_id: str, genesis: acts.Genesis) -> None:
        self.registry_id = registry_id
        self.ledger = LedgerPublicKey(genesis.ledger)
        self.release = SealingPublicKey.from_bytes(genesis.release.suite, genesis.release.public)
        self.state = State()
        self.head = ""  # digest of the newest act
        self._positions: dict[str, int] = {}
        self.recent: dict[
            int, tuple[bytes, Act]
        ] = {}  # acts proven under this law: envelope and act, by entry
        self._digests = [""]  # by position
        self._seqs = [-1]  # by position: the ledger entry, for people

    @property
    def seq(self) -> int:
        """The ledger entry of the newest act of the law."""
        return self._seqs[-1]

    def entry(self, position: int) -> int:
        """The ledger entry of the act at a position."""
        return self._seqs[position]

    def marks(self) -> Iterator[tuple[str, int]]:
        """Digest and ledger entry of each of its acts, in order."""
        return zip(self._digests[1:], self._seqs[1:], strict=True)

    def resume(self, state: State, marks: Iterable[tuple[str, int]]) -> None:
        """Take up a law that was replayed before: its state, and where its acts are."""
        self.state, self._positions, self._digests, self._seqs = state, {}, [""], [-1]
        for digest, seq in marks:
            self._digests.append(digest)
            self._seqs.append(seq)
            self._positions[digest] = len(self._positions) + 1
        self.head = self._digests[-1]

    def next_after(self, act: Act) -> str | None:
        """The digest of the act by which the law under which ``act`` was signed came to an end."""
        position = self.position(act)
        return self._digests[position + 1] if position < self.state.position else None

    def holds(self, act: Act) -> bool:
        """Whether the act is one of the law."""
        return act.digest in self._positions

    def position(self, act: Act) -> int:
        """How far the law had come when ``act`` was signed. Raises BadAuthority."""
        if act.header.law not in self._positions:
            raise BadAuthority("the act was signed under another law", on=f"{act.kind} {act.digest[:16]}")
        return self._positions[act.header.law]

    def signer(self, act: Act) -> Member:
        """Who signed an act of the ledger, if they were a member then. Raises BadAuthority."""
        try:
            return self.state.signer(act.header.actor, self.position(act))
        except Denied as error:
            raise BadAuthority(f"the signer was not a member then: {error.message}", on=error.on) from error

    def key_of(self, act: Act) -> VerifyingKey:
        """The key that a member's act in the ledger is signed with. Raises BadAuthority."""
        identity = self.signer(act).identity(self.position(act))
        assert identity is not None  # signer() has asked
        return identity.signing

    def verifying(self, name: str) -> VerifyingKey:
        """The signing key of an active member, public half. Raises Disabled."""
        identity = self.state.member(name).identity()
        if identity is None:
            raise Disabled("the member is disabled", on=name)
        return identity.signing

    def submitted(self, envelope: dsse.Envelope) -> tuple[Act, Member]:
        """An act on its way in: signed by a member under the newest law, for this registry.

        Raises Malformed, WrongRegistry, NotPermitted, Disabled, BadSignature, or Outdated where the law has
        changed since.
        """
        act = self._read(envelope)
        member = self.state.signer(act.header.actor)
        dsse.verify_only(envelope, self.verifying(member.name))
        if isinstance(act.body, acts.Refusal):
            raise Malformed("only the door records refusals", on=member.name)
        if act.header.law != self.head:
            raise Outdated("the registry's law has changed since the act was signed", on=act.kind)
        return act, member

    def admitted(self, envelope: dsse.Envelope) -> Act:
        """An act of the ledger: signed by who was a member when it was signed, or by the ledger's key.

        Raises Malformed, WrongRegistry, BadAuthority or BadSignature.
        """
        act = self._read(envelope)
        if isinstance(act.body, acts.Genesis):
            if act.digest != self.registry_id:
                raise BadAuthority("the ledger holds a second genesis act", on=act.digest[:16])
        elif isinstance(act.body, acts.Refusal):
            self.position(act)
            if act.header.actor != self.ledger.keyid:
                raise BadAuthority("a refusal is not by the ledger's key", on=act.digest[:16])
            self._by_ledger(envelope)
        else:
            dsse.verify_only(envelope, self.key_of(act))
        return act

    def _by_ledger(self, envelope: dsse.Envelope) -> None:
        try:
            dsse.verify_only(envelope, self.ledger)
        except BadCheckpoint as error:  # what the key signs otherwise
            raise BadSignature("the refusal's signature does not verify", on="the ledger's key") from error

    def _read(self, envelope: dsse.Envelope) -> Act:
        # What is admitted has to be readable afterwards, as an envelope in base64.
        if len(envelope.payload) > dsse.MAX_PAYLOAD:
            raise Malformed("the act is too large", on=f"{len(envelope.payload)} bytes", hint=_PARTS)
        act = acts.decode(envelope.payload)
        genesis = isinstance(act.body, acts.Genesis)
        if act.header.registry != ("" if genesis else self.registry_id):
            raise WrongRegistry("the act was signed for another registry", on=act.header.registry[:16])
        return act

    def need(self, act: Act, actor: str) -> Need:
        """The keys that ``act`` must hand over, were it the next act. Raises as ``extend``."""
        rules.check(self.state, act, actor, act.header.time)
        try:
            return self._apply(act, actor)
        finally:
            self.state.forget()

    def check(self, act: Act, actor: str) -> None:
        """Raise unless ``act``, whose signature is verified, may be the next one of the law."""
        assert isinstance(act.body, acts.LawBody)
        if actor:
            rules.check(self.state, act, actor, act.header.time)
        try:
            custody.check(self.state, self._apply(act, actor), act.body.custody)
        finally:
            self.state.forget()

    def extend(self, act: Act, actor: str, seq: int) -> None:
        """Let ``act`` be the next one, as entry ``seq``. Raises as ``check``, and changes nothing then."""
        assert isinstance(act.body, acts.LawBody)
        self.check(act, actor)
        effects.apply(self.state, act.body)
        self.state.keep(act.body.custody)
        self.head = act.digest
        self._positions[act.digest] = self.state.position
        self._digests.append(act.digest)
        self._seqs.append(seq)

    def _apply(self, act: Act, actor: str) -> Need:
        assert isinstance(act.body, acts.LawBody)
        effects.apply(self.state, act.body)
        needed = custody.need(self.state, act, actor)
        custody.check_maker(self.state, needed, actor, act.header.time)
        return needed

    def follow(self, envelope: bytes, seq: int) -> Act:
        """Extend by the next act of the law as the ledger has it. Raises Untrusted."""
        act = self.admitted(dsse.Envelope.from_bytes(envelope))
        if not act.is_law or act.header.law != self.head:
            raise BadAuthority("an act of the law is missing before this one", on=f"entry {seq}: {act.kind}")
        try:
            self.extend(act, self.signer(act).name, seq)
        except (Denied, Conflict, InvalidInput, NotFound) as error:
            raise BadAuthority(
                f"the ledger holds an act that must not be: {error.message}", on=f"entry {seq}: {error.on}"
            ) from error
        return act


def from_genesis(envelope: bytes, registry_id: str) -> Law:
    """The law that begins at the genesis act, which ``registry_id`` pins.

    Raises WrongRegistry, Malformed or BadSignature.
    """
    parsed = dsse.Envelope.from_bytes(envelope)
    act = acts.decode(parsed.payload)
    if act.digest != registry_id:
        raise WrongRegistry(
            "the ledger begins with another genesis than the one pinned",
            on=f"found {act.digest[:16]}, pinned {registry_id[:16]}",
            hint="the database is not this registry's, or it was replaced: restore it from a backup",
        )
    if not isinstance(act.body, acts.Genesis) or act.header.registry or act.header.law:
        raise Malformed("the first act is not a genesis act", on=act.kind)
    admin = possession.verify(act.body.admin)
    if (admin.name, admin.signing.keyid) != (act.body.name, act.header.actor):
        raise Malformed("the genesis act is not its admin's", on=act.body.name)
    dsse.verify(parsed, admin.signing)
    law = Law(registry_id, act.body)
    law.extend(act, "", 0)
    return law
