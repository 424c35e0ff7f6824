"""The door: the one function that changes a registry.

``submit`` verifies an act's signature, decides, applies the effect and appends to the ledger in ONE
database transaction. The embedded registry calls it in process; a server offers the same function.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from registry import acts, decisions, ledger
from registry.acts import Act, timestamp
from registry.chain import Chain, from_genesis
from registry.crypto import dsse
from registry.crypto.checkpoint import LedgerKey, open_checkpoint, origin_of
from registry.errors import AlreadyExists, BadCheckpoint, BadProof, Conflict, Denied
from registry.ledger import Proof
from registry.records import leases, projection, queries, tables
from registry.records.database import writing

SKEW = timedelta(minutes=15)  # between an act's time and the door's


@dataclass(frozen=True)
class Authority:
    """What the door needs: the database, the ledger's key and the registry's id."""

    engine: sa.Engine
    key: LedgerKey
    registry_id: str


@dataclass(frozen=True)
class Permit:
    """What a publisher must know to sign a push: the next number, the vault, what is stored already."""

    number: int
    vault: tuple[int, str, bytes] | None  # epoch, suite, public half; None where the model is new
    stored: dict[str, str]  # plaintext SHA-256 to blob id
    sizes: frozenset[int]  # of the sizes asked about, those that some file of the model has


@dataclass(frozen=True)
class Receipt:
    """That an act is in the ledger: its entry with an inclusion proof, and the checkpoint it leads to."""

    proof: Proof
    note: str
    consistency: tuple[bytes, ...]  # from the checkpoint that the client knew
    share: acts.Sealed | None = None  # for a pull: the vault's private half, sealed to the puller


def found(engine: sa.Engine, key: LedgerKey, envelope: dsse.Envelope) -> Authority:
    """Admit the genesis act into an empty database. Raises Conflict where there is a ledger already."""
    act = acts.decode(envelope.payload)
    from_genesis(envelope.to_bytes(), act.digest)
    with writing(engine) as connection:
        if connection.execute(sa.select(tables.head.c.size)).first() is not None:
            raise AlreadyExists(
                "the database holds a registry already",
                hint="choose another database, or use the home that made it",
            )
        ledger.start(connection)
        _admit(connection, Authority(engine, key, act.digest), act, envelope)
    return Authority(engine, key, act.digest)


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

    Raises NotPermitted or BadAuthority before a byte is read.
    """
    with writing(authority.engine) as connection:
        _chain(connection, authority).require(actor, "push", model)
        leases.take(connection, push, model, now)
        vault = queries.current_vault(connection, model)
        return Permit(
            queries.newest_number(connection, model) + 1,
            (vault["epoch"], vault["suite"], bytes(vault["public"])) if vault else None,
            queries.stored(connection, model, contents),
            queries.known_sizes(connection, model, sizes),
        )


def renew(authority: Authority, push: str, model: str, now: datetime) -> None:
    """Keep a push's lease alive."""
    with writing(authority.engine) as connection:
        leases.take(connection, push, model, now)


def end_lease(authority: Authority, push: str) -> None:
    """End a push's lease without an act."""
    with writing(authority.engine) as connection:
        leases.end(connection, push)


def submit(
    authority: Authority, envelope: dsse.Envelope, now: datetime, *, known: int = 0, push: str | None = None
) -> Receipt:
    """Admit an act, or raise and change nothing. ``known`` is the tree size the client remembers.

    Raises Malformed, WrongRegistry, BadAuthority, BadSignature, Denied, Conflict or Unavailable.
    """
    with writing(authority.engine) as connection:
        chain = _chain(connection, authority)
        if authority.key.public.raw != chain.ledger.raw:
            raise BadCheckpoint(
                "the ledger's key is not the one the genesis act names", hint="restore ledger.pem"
            )
        _sound(connection, chain, known)
        act = chain.authenticate(envelope)
        _fresh(connection, act, now)
        decisions.decide(connection, chain, act)
        seq = _admit(connection, authority, act, envelope)
        if push is not None:
            leases.end(connection, push)
        share = _share(connection, act) if isinstance(act.body, acts.Pull) else None
        return _receipt(connection, seq, known, share)


def _chain(connection: sa.Connection, authority: Authority) -> Chain:
    return from_genesis(ledger.entry(connection, 0).envelope, authority.registry_id)


def _sound(connection: sa.Connection, chain: Chain, known: int) -> None:
    """The next checkpoint extends the newest one, which is no older than the one the client knows."""
    newest = open_checkpoint(ledger.newest_note(connection), origin_of(chain.registry_id), chain.ledger)
    ledger.stand(connection, newest)
    if newest.size < known:
        raise BadCheckpoint(
            "the ledger is shorter than it was",
            on=f"{newest.size} acts now, {known} seen before",
            hint="the database was rolled back or replaced: restore the newest backup",
        )


def _fresh(connection: sa.Connection, act: Act, now: datetime) -> None:
    if not timestamp(now - SKEW) <= act.header.time <= timestamp(now + SKEW):
        raise Denied(
            "the act's time is too far from the registry's", on=act.header.time, hint="check the clock"
        )
    if connection.execute(sa.select(tables.acts.c.seq).where(tables.acts.c.digest == act.digest)).first():
        raise Conflict("the act is in the ledger already", on=act.digest[:16])


def _admit(connection: sa.Connection, authority: Authority, act: Act, envelope: dsse.Envelope) -> int:
    try:
        seq = ledger.append(connection, act, envelope.to_bytes(), authority.key, authority.registry_id)
    except sa.exc.IntegrityError as error:
        raise BadProof("the ledger has rows beyond its head", hint="'registry fsck' names them") from error
    try:
        projection.apply(connection, act, seq)
    except sa.exc.IntegrityError as error:
        raise Conflict("what the act writes is there already", on=act.model) from error
    return seq


def _share(connection: sa.Connection, act: Act) -> acts.Sealed:
    vault = queries.current_vault(connection, str(act.model)) or {}
    shares = tables.shares
    query = sa.select(shares.c.suite, shares.c.ciphertext).where(
        shares.c.model == act.model,
        shares.c.epoch == vault.get("epoch"),
        shares.c.recipient == act.header.actor,
    )
    row = connection.execute(query).first()
    if row is None:
        raise Denied(
            "the model's key was never sealed to this identity",
            on=act.model,
            hint="ask for a grant on the model",
        )
    return acts.Sealed(suite=row.suite, ciphertext=bytes(row.ciphertext))


def _receipt(connection: sa.Connection, seq: int, known: int, share: acts.Sealed | None) -> Receipt:
    size = seq + 1
    path = ledger.consistency(connection, known, size)
    return Receipt(ledger.prove(connection, seq, size), ledger.newest_note(connection), path, share)
