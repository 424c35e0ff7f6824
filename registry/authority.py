"""The door: the one function that changes a registry.

``submit`` verifies an act's signature, decides, applies the effect and appends to the ledger in ONE
database transaction. The embedded registry calls it in process; a server offers the same function.
What it refuses, it records, signed by the ledger's key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

import sqlalchemy as sa

from registry import acts, admission, decisions, handover, ledger
from registry.acts import timestamp
from registry.crypto import dsse
from registry.crypto.checkpoint import LedgerKey, open_checkpoint, origin_of
from registry.decisions import Submission
from registry.errors import (
    AlreadyExists,
    BadCheckpoint,
    Conflict,
    Denied,
    RegistryError,
    Untrusted,
)
from registry.law.law import Law, from_genesis
from registry.law.paths import path
from registry.law.rights import require
from registry.law.state import Member
from registry.lawbook import Lawbook
from registry.ledger import Proof
from registry.records import leases, queries, sealed, tables
from registry.records.database import writing
from registry.refusals import Attempt, due
from registry.ways import Link, way

SKEW = timedelta(minutes=15)  # between an act's time and the door's
_NOTHING: Mapping[str, bytes] = MappingProxyType({})


@dataclass(frozen=True)
class Authority:
    """What the door needs: the database, the ledger's key and the registry's id."""

    engine: sa.Engine
    key: LedgerKey
    registry_id: str
    lawbook: Lawbook = field(compare=False)


@dataclass(frozen=True)
class Permit:
    """What a publisher must know to sign a push: the next number, what is stored already."""

    number: int
    exists: bool  # the model has been created
    stored: dict[str, str]  # plaintext SHA-256 to blob id
    sizes: frozenset[int]  # of the sizes asked about, those that some file of the model has


@dataclass(frozen=True)
class Receipt:
    """That an act is in the ledger: its entry with an inclusion proof, and the checkpoint it leads to."""

    proof: Proof
    note: str
    consistency: tuple[bytes, ...]  # from the checkpoint that the client knew
    shares: tuple[Link, ...] = ()  # for a pull: from the puller's own share to the model's vault


def found(engine: sa.Engine, key: LedgerKey, envelope: dsse.Envelope, keys: Mapping[str, bytes]) -> Authority:
    """Admit the genesis act into an empty database. Raises Conflict where there is a ledger already."""
    act = acts.decode(envelope.payload)
    from_genesis(envelope.to_bytes(), act.digest)
    assert isinstance(act.body, acts.Genesis)  # or there would be no law
    authority = Authority(engine, key, act.digest, Lawbook(act.digest))
    with writing(engine) as connection:
        try:
            ledger.start(connection)  # of two foundings at once, one makes the head
        except sa.exc.IntegrityError as error:
            raise AlreadyExists(
                "the database holds a registry already",
                hint="choose another database, or use the home that made it",
            ) from error
        sealed.put(connection, [one.sha256 for one in acts.sealed_in(act.body)], keys)
        admission.admit(connection, key, act.digest, act, envelope, act.body.name)
    return authority


def permit(
    authority: Authority,
    actor: str,
    model: str,
    push: str,
    now: datetime,
    *,
    contents: Collection[str] = (),
    sizes: Collection[int] = (),
) -> Permit:
    """Say whether ``actor`` may push to ``model``, and take or renew the push's lease.

    Raises NotPermitted, Disabled or Untrusted before a byte is read.
    """
    with writing(authority.engine) as connection:
        law = authority.lawbook.read(connection)
        try:
            require(law.state, law.state.signer(actor).name, "push", model, timestamp(now))
        except Denied as error:
            _refuse(connection, authority, law, Attempt("", "push", model), error, now)
            refused = error
        else:
            leases.take(connection, push, model, now)
            return Permit(
                queries.newest_number(connection, model) + 1,
                model in law.state.vaults,
                queries.stored(connection, model, contents),
                queries.known_sizes(connection, model, sizes),
            )
    raise refused


def shares(authority: Authority, actor: str, vault: str, now: datetime) -> tuple[Link, ...]:
    """The way to a vault's key: for who may grant there, and for whoever holds a share of it themselves.

    Raises NotPermitted or Disabled. (A model's files come with the pull act alone.)
    """
    time = timestamp(now)
    with writing(authority.engine) as connection:
        law = authority.lawbook.read(connection)
        try:
            return _shares(connection, authority, law, law.state.signer(actor), vault, time)
        except Denied as error:
            _refuse(connection, authority, law, Attempt("", "shares", vault), error, now)
            refused = error
    raise refused


def _shares(
    connection: sa.Connection, authority: Authority, law: Law, member: Member, vault: str, time: str
) -> tuple[Link, ...]:
    if member.role != "admin" and len(path(law.state, member.name, vault, time)) != 1:
        require(law.state, member.name, "grant", vault, time)
    return way(connection, law, authority.key, member.name, vault, time)


def renew(authority: Authority, push: str, model: str, now: datetime) -> None:
    """Keep a push's lease alive."""
    with writing(authority.engine) as connection:
        leases.take(connection, push, model, now)


def end_lease(authority: Authority, push: str) -> None:
    """End a push's lease without an act."""
    with writing(authority.engine) as connection:
        leases.end(connection, push)


def submit(
    authority: Authority,
    envelope: dsse.Envelope,
    now: datetime,
    *,
    known: int = 0,
    push: str | None = None,
    keys: Mapping[str, bytes] = _NOTHING,
) -> Receipt:
    """Admit an act, or raise and change nothing but the record of refusals.

    ``known`` is the tree size the client remembers, ``keys`` the sealed keys that the act names, by SHA-256.
    Raises Malformed, WrongRegistry, BadAuthority, BadSignature, Denied, Conflict or Unavailable.
    """
    head = ""
    try:
        with writing(authority.engine) as connection:
            law = authority.lawbook.read(connection)
            head = law.head
            _sound(connection, authority, law, known)
            try:
                submission = _decided(connection, law, envelope, now)
            except (Denied, Untrusted) as error:
                admission.refuse(connection, authority.key, law, admission.attempt(law, envelope), error, now)
                refused = error
            else:
                admission.record(connection, authority.key, law, due(connection, now), now)
                seq = _write(connection, authority, law, submission, envelope, keys)
                if push is not None:
                    leases.end(connection, push)
                return _receipt(connection, authority, law, submission, seq, known)
    except BaseException:
        authority.lawbook.settle(head)
        raise
    raise refused


def _refuse(
    connection: sa.Connection,
    authority: Authority,
    law: Law,
    tried: Attempt,
    error: RegistryError,
    now: datetime,
) -> None:
    """Record a refusal on a tree that has been checked: the ledger's key signs no other."""
    _sound(connection, authority, law, 0)
    admission.refuse(connection, authority.key, law, tried, error, now)


def _sound(connection: sa.Connection, authority: Authority, law: Law, known: int) -> None:
    """The next checkpoint extends the newest one, which is no older than the one the client knows."""
    if authority.key.public.raw != law.ledger.raw:
        raise BadCheckpoint(
            "the ledger's key is not the one the genesis act names", hint="restore ledger.pem"
        )
    newest = open_checkpoint(ledger.newest_note(connection), origin_of(law.registry_id), law.ledger)
    ledger.stand(connection, newest)
    if newest.size < known:
        raise BadCheckpoint(
            "the ledger is shorter than it was",
            on=f"{newest.size} acts now, {known} seen before",
            hint="the database was rolled back or replaced: restore the newest backup",
        )


def _decided(connection: sa.Connection, law: Law, envelope: dsse.Envelope, now: datetime) -> Submission:
    act, member = law.submitted(envelope)
    if not timestamp(now - SKEW) <= act.header.time <= timestamp(now + SKEW):
        raise Denied(
            "the act's time is too far from the registry's", on=act.header.time, hint="check the clock"
        )
    if connection.execute(sa.select(tables.acts.c.seq).where(tables.acts.c.digest == act.digest)).first():
        raise Conflict("the act is in the ledger already", on=act.digest[:16])
    submission = Submission(act, member.name, now)
    decisions.decide(connection, law, submission)
    return submission


def _write(
    connection: sa.Connection,
    authority: Authority,
    law: Law,
    submission: Submission,
    envelope: dsse.Envelope,
    keys: Mapping[str, bytes],
) -> int:
    act = submission.act
    gone = []
    if isinstance(act.body, acts.LawBody):
        gone = list(handover.superseded(connection, law, act.body.custody))
        law.extend(act, submission.member, ledger.tree_size(connection))
    sealed.put(connection, [one.sha256 for one in acts.sealed_in(act.body)], keys)
    sealed.drop(connection, gone)  # last: an act that names again what it supersedes is refused by ``put``
    return admission.admit(connection, authority.key, authority.registry_id, act, envelope, submission.member)


def _receipt(
    connection: sa.Connection, authority: Authority, law: Law, submission: Submission, seq: int, known: int
) -> Receipt:
    size, body = seq + 1, submission.act.body
    shares: tuple[Link, ...] = ()
    if isinstance(body, acts.Pull):
        time = timestamp(submission.now)
        shares = way(connection, law, authority.key, submission.member, body.model, time)
    path = ledger.consistency(connection, known, size)
    return Receipt(ledger.prove(connection, seq, size), ledger.newest_note(connection), path, shares)
