"""The chain of authority: from the one pinned digest to every key that may be believed.

The genesis act names the first admin's keys and the ledger's key; its digest is the registry id, so
whoever pins the id needs no table to know them. What a member may do follows from acts that hang on
that chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from registry import acts
from registry.acts import Act
from registry.crypto import dsse
from registry.crypto.checkpoint import LedgerPublicKey
from registry.crypto.identity import PublicIdentity
from registry.crypto.keys import VerifyingKey
from registry.crypto.sealing import SealingPublicKey
from registry.errors import BadAuthority, Malformed, NotPermitted, WrongRegistry


@dataclass(frozen=True)
class Member:
    """An enrolled identity: ``since`` is the sequence number of the act that enrolled it."""

    identity: PublicIdentity
    role: str
    since: int


@dataclass(frozen=True)
class Chain:
    """The members and the ledger key that one pinned registry id vouches for."""

    registry_id: str
    ledger: LedgerPublicKey
    members: Mapping[str, Member]

    def member(self, keyid: str) -> Member:
        """The member whose signing key has this id. Raises BadAuthority."""
        if keyid not in self.members:
            raise BadAuthority(
                "the signer is not a member of this registry",
                on=f"key {keyid[:16]}",
            )
        return self.members[keyid]

    def enrolled(self, keyid: str) -> Member:
        """The member who acts under this key. Raises NotPermitted: an honest stranger, not a forger."""
        if keyid not in self.members:
            raise NotPermitted(
                "this identity is not a member of the registry",
                on=f"key {keyid[:16]}",
                hint="ask an admin to enroll it, or use another with --identity",
            )
        return self.members[keyid]

    def authenticate(self, envelope: dsse.Envelope) -> Act:
        """The act in ``envelope``, signed by the enrolled member it names, for this registry.

        Raises Malformed, WrongRegistry, BadAuthority or BadSignature.
        """
        act = acts.decode(envelope.payload)
        if act.header.registry != (self.registry_id if act.kind != acts.Genesis.kind else ""):
            raise WrongRegistry("the act was signed for another registry", on=act.header.registry[:16])
        dsse.verify(envelope, self.member(act.header.actor).identity.signing)
        return act

    def require(self, keyid: str, action: str, model: str) -> None:
        """Raise NotPermitted unless the member may do ``action`` on ``model``."""
        member = self.enrolled(keyid)
        if member.role != "admin":
            raise NotPermitted(
                f"{member.identity.name} may not {action} here", on=model, hint="ask an admin for a grant"
            )


def from_genesis(envelope: bytes, registry_id: str) -> Chain:
    """The chain that ``registry_id`` pins. Raises WrongRegistry, Malformed or BadSignature."""
    parsed = dsse.Envelope.from_bytes(envelope)
    act = acts.decode(parsed.payload)
    if act.digest != registry_id:
        raise WrongRegistry(
            "the ledger begins with another genesis than the one pinned",
            on=f"found {act.digest[:16]}, pinned {registry_id[:16]}",
            hint="the database is not this registry's, or it was replaced: restore it from a backup",
        )
    if not isinstance(act.body, acts.Genesis):
        raise Malformed("the first act is not a genesis act", on=act.kind)
    admin = Member(identity_of(act.body.admin), "admin", 0)
    chain = Chain(
        registry_id, LedgerPublicKey(act.body.ledger), MappingProxyType({admin.identity.signing.keyid: admin})
    )
    chain.authenticate(parsed)
    return chain


def identity_of(keys: acts.Keys) -> PublicIdentity:
    """The public identity that an act's ``Keys`` describe. Raises Malformed."""
    sealing = SealingPublicKey.from_bytes(keys.suite, keys.sealing)
    return PublicIdentity(keys.name, VerifyingKey.from_spki(keys.signing), sealing)


def keys_of(identity: PublicIdentity) -> acts.Keys:
    """The ``Keys`` of an act that enrolls ``identity``."""
    sealing = identity.sealing
    return acts.Keys(
        name=identity.name, signing=identity.signing.spki, suite=sealing.suite, sealing=sealing.to_bytes()
    )
