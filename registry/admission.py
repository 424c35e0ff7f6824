"""Writing into the ledger: an act with its rows, and what the door itself has to say about refusals."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from registry import acts, ledger, refusals
from registry.acts import Act, timestamp
from registry.crypto import dsse
from registry.crypto.checkpoint import LedgerKey
from registry.errors import BadProof, Conflict, Malformed, RegistryError, Untrusted
from registry.law.law import Law
from registry.records import projection
from registry.refusals import Attempt

_DOOR = acts.Client(program="the door", host="")


def admit(
    connection: sa.Connection,
    key: LedgerKey,
    registry_id: str,
    act: Act,
    envelope: dsse.Envelope,
    member: str,
) -> int:
    """Append an act that ``member`` may do, with its rows; return its entry. Raises BadProof or Conflict."""
    try:
        seq = ledger.append(connection, act, envelope.to_bytes(), key, registry_id)
    except sa.exc.IntegrityError as error:
        raise BadProof("the ledger has rows beyond its head", hint="'registry fsck' names them") from error
    try:
        projection.apply(connection, act, seq, member)
    except sa.exc.IntegrityError as error:
        raise Conflict("what the act writes is there already", on=act.model or act.target) from error
    return seq


def refuse(
    connection: sa.Connection,
    key: LedgerKey,
    law: Law,
    tried: Attempt,
    error: RegistryError,
    now: datetime,
) -> None:
    """Put a refusal on record, in full or in a count."""
    record(connection, key, law, refusals.tell(connection, tried, error, now), now)


def record(
    connection: sa.Connection, key: LedgerKey, law: Law, told: Iterable[acts.Refusal], now: datetime
) -> None:
    """Write refusals into the ledger, signed by the ledger's key."""
    for body in told:
        nonce = os.urandom(16).hex()
        header = acts.Header(law.registry_id, key.keyid, timestamp(now), nonce, law.head, _DOOR)
        payload = acts.encode(header, body)
        admit(connection, key, law.registry_id, acts.decode(payload), dsse.sign(payload, key), body.member)


def attempt(law: Law, envelope: dsse.Envelope) -> Attempt:
    """What a refused envelope tried, and who: known where the signature is theirs, by any key they ever had.

    So who was disabled, and comes back, is named.
    """
    if len(envelope.payload) > dsse.MAX_PAYLOAD:  # too large to be read
        return refusals.attempt(None, "")
    try:
        act = acts.decode(envelope.payload)
    except Malformed:
        return refusals.attempt(None, "")
    identity = law.state.holder(act.header.actor)
    try:
        if identity is not None:
            dsse.verify_only(envelope, identity.signing)
    except Untrusted:
        identity = None
    return refusals.attempt(act, identity.name if identity else "")
