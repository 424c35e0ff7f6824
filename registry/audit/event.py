"""An event as people see it: who did what, to what, when, from where, and whether it was allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from registry import acts
from registry.acts import Act
from registry.crypto import dsse
from registry.errors import Malformed
from registry.records import events
from registry.records import tables as t

_CHUNK = 500  # entries in one query
_LONG = 400  # characters of a detail that are shown


@dataclass(frozen=True)
class Event:
    """One entry of the ledger. What ``program`` and ``host`` say nobody proves."""

    seq: int
    time: str  # RFC 3339, UTC
    actor: str  # the member's name, "" where no signature proves one
    key: str  # key id of the signature
    action: str
    on: str  # a model, a namespace/, a member, a team or a vault
    version: int | None
    outcome: str  # "allowed", "refused", or "failed": a checkout after its pull was allowed
    code: str  # of the refusal or failure
    detail: str
    purpose: str
    program: str
    host: str
    digest: str  # of the act, SHA-256

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def event(act: Act, seq: int, member: str) -> Event:
    """The event that an act is; ``member`` acted."""
    row, header = events.event(act, seq, member, seq), act.header
    return Event(
        seq,
        header.time,
        member,
        header.actor,
        row["action"],
        row["place"],
        row["number"] or None,
        row["outcome"],
        row["code"],
        detail(act.body),
        getattr(act.body, "purpose", ""),
        header.client.program,
        header.client.host,
        act.digest,
    )


def detail(body: acts.Body) -> str:
    """What an act says beyond its kind and its place, in a few words."""
    said = "".join(_detail(body))
    return said if len(said) <= _LONG else said[:_LONG] + "..."


def _detail(body: acts.Body) -> Iterator[str]:
    match body:
        case acts.Push():
            yield f"{len(body.files)} file(s)"
            yield f", label {body.label}" if body.label else ""
            yield f", as {', '.join(body.aliases)}" if body.aliases else ""
            yield f", allowed {', '.join(body.allowed)}" if body.allowed else ""
            yield "".join(f", {name}={value}" for name, value in body.metadata.items())
        case acts.Grant():
            yield f"{', '.join(body.actions)} to {body.grantee}"
            yield f" until {body.until}" if body.until else ""
        case acts.Revoke():
            yield f"{', '.join(body.actions)} from {body.grantee}"
        case acts.Enroll():
            yield f"as {body.role}"
        case acts.TeamAdd() | acts.TeamRemove() | acts.Alias():
            yield body.name
        case acts.Disable() | acts.Yank():
            yield body.reason
        case acts.Pull():
            yield f"for {body.purpose}"
        case acts.Failure():
            yield f"checkout for {body.purpose} failed at step {body.step}"
        case acts.Refusal() if body.code:
            yield body.message
        case acts.Refusal():
            yield f"{body.count} more refused, since {body.since}"


def read(connection: sa.Connection, seqs: Sequence[int]) -> list[Event]:
    """The events of these entries, in the order asked for. What the database says, unverified."""
    found: dict[int, Event] = {}
    for at in range(0, len(seqs), _CHUNK):
        query = (
            sa.select(t.events.c.seq, t.events.c.member, t.acts.c.envelope)
            .join(t.acts, t.acts.c.seq == t.events.c.seq)
            .where(t.events.c.seq.in_(seqs[at : at + _CHUNK]))
        )
        for seq, member, envelope in connection.execute(query):
            found[seq] = _read(bytes(envelope), seq, member)
    return [found[seq] for seq in seqs if seq in found]


def _read(envelope: bytes, seq: int, member: str) -> Event:
    try:
        return event(acts.glance(dsse.Envelope.from_bytes(envelope).payload), seq, member)
    except Malformed as error:
        said = f"the entry does not read: {error.message}; run 'registry audit verify'"
        return Event(seq, "", member, "", "", "", None, "", error.code, said, "", "", "", "")
