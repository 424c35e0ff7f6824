"""What the tamper suite asks of every attack, and the attacks that need a forger's tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import pytest
import rfc8785
import sqlalchemy as sa

from registry import acts, ledger
from registry.audit.verify import engine
from registry.audit.verify.finding import Finding
from registry.checkout import checkout, verify
from registry.context import Context, utc_now
from registry.crypto import dsse
from registry.crypto.checkpoint import LedgerKey
from registry.crypto.identity import Identity, SigningKey
from registry.errors import Denied, Disabled, NotPermitted, ReferenceNotFound, Untrusted
from registry.fsck import fsck
from registry.pull import pull
from registry.records import projection, tables
from registry.records.database import reading, writing
from registry.release import release
from registry.ritual import STEPS, Ritual
from support.story import TERM
from support.victim import MODEL, REF, VERSION, Victim

NEW = f"{MODEL}:4"  # the version that a crafted push is


@dataclass(frozen=True)
class Refusal:
    """Where an attack ends: the step of the ritual and the error's code."""

    step: int
    code: str

    def __str__(self) -> str:
        return f"step {self.step}, {self.code}"


def refused(victim: Victim, step: int, code: str, ref: str = REF, *, shared: bool = True) -> None:
    """``verify``, ``checkout`` (what ``run`` does) and ``pull`` refuse with exit code 5 at this step."""
    name = f"{step} ({STEPS[step - 1].name})"
    with victim.open(shared=shared) as context:
        outcomes = verify(context, ref)
    assert (outcomes[-1].number, outcomes[-1].ok) == (step, False), outcomes[-1]
    # evidence that cannot even be gathered fails its step before the first one is walked
    assert [outcome.number for outcome in outcomes] in (list(range(1, step + 1)), [step])
    assert all(outcome.ok for outcome in outcomes[:-1])
    for deed in (_run, _pull):
        with victim.open(shared=shared) as context, pytest.raises(Untrusted) as caught:
            deed(victim, context, ref)
        error = caught.value
        assert (error.step, error.code, error.exit_code) == (name, code, 5), error
    assert not (victim.scratch / "pulled").exists()


def absent(victim: Victim, ref: str = REF) -> None:
    """All three end with exit code 3: there is no such thing any more."""
    for deed in (_run, _pull, _verify):
        with victim.open() as context, pytest.raises(ReferenceNotFound):
            deed(victim, context, ref)


def denied(victim: Victim, step: int, code: str, ref: str = REF) -> None:
    """All three end with exit code 4 at this step: refused, though nothing is called forged."""
    name = f"{step} ({STEPS[step - 1].name})"
    for deed in (_run, _pull):
        with victim.open() as context, pytest.raises(Denied) as caught:
            deed(victim, context, ref)
        assert (caught.value.step, caught.value.code) == (name, code)
    with victim.open() as context:
        last = verify(context, ref)[-1]
    assert (last.number, last.ok) == (step, False)


def reads_as_before(victim: Victim) -> None:
    """Who may read the version may, and who may not may not: as an admin, by a team, for a day."""
    for who in ("alice", "bob", "carol"):
        with victim.open(who) as context:
            release(context, REF, "verify", Ritual())
    shut_out(victim, "frank", NotPermitted)
    shut_out(victim, "dora", Disabled)


def shut_out(victim: Victim, who: str, error: type[Denied], ref: str = REF) -> None:
    """The door gives this member no key; it says so in the ledger."""
    before = len(victim.read()["acts"])
    with victim.open(who) as context, pytest.raises(error) as caught:
        release(context, ref, "verify", Ritual())
    assert (caught.value.step, caught.value.exit_code) == ("8 (release)", 4)
    assert [row["kind"] for row in victim.read()["acts"][before:]] == ["refusal"]


def late(victim: Victim, who: str, *, may: bool) -> None:
    """Whether a member still reads once carol's grant is over."""

    def tomorrow() -> datetime:
        return utc_now() + TERM

    with victim.open(who, now=tomorrow) as context:
        if may:
            release(context, REF, "verify", Ritual())
        else:
            with pytest.raises(NotPermitted):
                release(context, REF, "verify", Ritual())


def _run(_victim: Victim, context: Context, ref: str) -> None:
    checkout(context, ref, purpose="run")


def _pull(victim: Victim, context: Context, ref: str) -> None:
    pull(context, ref, victim.scratch / "pulled")


def _verify(_victim: Victim, context: Context, ref: str) -> None:
    verify(context, ref)


def findings(victim: Victim, *, blobs: bool = True) -> tuple[Finding, ...]:
    """What ``fsck`` finds; without ``blobs``, in its look at the database alone, for the sake of time."""
    with victim.open() as context:
        if blobs:
            return fsck(context).findings
        with reading(context.engine) as connection:
            return tuple(engine.findings(connection, context.config.registry_id))


def found(victim: Victim, on: str, *, blobs: bool = False) -> set[str]:
    """The codes of the findings that name ``on``; there is one at least."""
    every = findings(victim, blobs=blobs)
    codes = {finding.code for finding in every if on in finding.on}
    assert codes, every
    return codes


# --- values -------------------------------------------------------------------------------------


def flipped(data: bytes, at: int | None = None) -> bytes:
    """``data`` with one bit changed: in the middle, or at ``at``."""
    at = len(data) // 2 if at is None else at % len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def turned(text: str, at: int = -1) -> str:
    """``text`` with one character changed to another of its kind, so that it still looks right."""
    if not text:
        return "a"
    at %= len(text)
    old = text[at]
    new = str((int(old) + 1) % 10) if old.isdigit() else ("a" if old != "a" else "b")
    return text[:at] + new + text[at + 1 :]


# --- the ledger ---------------------------------------------------------------------------------


def envelopes(victim: Victim) -> list[bytes]:
    """The ledger's entries, in order."""
    return [row["envelope"] for row in victim.rows["acts"]]


def entry_of(victim: Victim, kind: str, number: int, model: str = MODEL) -> int:
    """The sequence number of an act."""
    return int(victim.row(tables.acts, kind=kind, number=number, model=model)["seq"])


def push_body(victim: Victim, number: int = VERSION, model: str = MODEL) -> acts.Push:
    """The body of a push act."""
    envelope = envelopes(victim)[entry_of(victim, "push", number, model)]
    body = acts.decode(dsse.Envelope.from_bytes(envelope).payload).body
    assert isinstance(body, acts.Push)
    return body


def signed(context: Context, body: acts.Body, signer: Identity | None = None, **header: str) -> bytes:
    """The envelope of an act, by the context's identity or by ``signer``, under the newest law."""
    who = signer or context.identity
    said = {"actor": who.signing.verifying.keyid, **header}
    made = msgspec.structs.replace(context.header(context.law().head), **said)
    return dsse.sign(acts.encode(made, body), who.signing).to_bytes()


def admit(victim: Victim, make: Callable[[Context], bytes]) -> int:
    """Append an act behind the door's back, with the genuine ledger key; return its entry's number."""
    with victim.open() as context:
        envelope = make(context)
        act = acts.decode(dsse.Envelope.from_bytes(envelope).payload)
        with writing(context.engine) as connection:
            authority = context.authority
            seq = ledger.append(connection, act, envelope, authority.key, authority.registry_id)
            projection.apply(connection, act, seq, _member(connection, act))
    return seq


def _member(connection: sa.Connection, act: acts.Act) -> str:
    """Who acts; the law itself may not hold any more."""
    if isinstance(act.body, acts.Refusal):
        return act.body.member
    name = sa.select(tables.keys.c.name).where(tables.keys.c.keyid == act.header.actor)
    return connection.execute(name).scalar() or ""


def forked(victim: Victim, history: Sequence[bytes], key: LedgerKey | None = None) -> None:
    """Write another history under the same projection, with the genuine ledger key or with ``key``."""
    with victim.open() as context:
        signing, registry_id = key or context.authority.key, context.config.registry_id
        with writing(context.engine) as connection:
            for table in (tables.acts, tables.nodes):
                connection.execute(sa.delete(table))
            connection.execute(sa.update(tables.head).values(size=0, note=""))
            for envelope in history:
                act = acts.decode(dsse.Envelope.from_bytes(envelope).payload)
                ledger.append(connection, act, envelope, signing, registry_id)


def crafted(body: acts.Push, number: int, **changes: Any) -> acts.Push:
    """``body`` as another version that brings no blob: a push that is right but for ``changes``."""
    plain: dict[str, Any] = {"number": number, "label": None, "aliases": (), "blobs": ()}
    return msgspec.structs.replace(body, **{**plain, **changes})


def admit_push(victim: Victim, body: acts.Push) -> int:
    """Append a push, signed by the home's own identity, behind the door's back."""
    return admit(victim, lambda context: signed(context, body))


def refused_by_the_door(victim: Victim, body: acts.Push) -> None:
    """The door itself would not have let it in."""
    with victim.open() as context, pytest.raises(Untrusted):
        context.act(body)


def digests(body: acts.Push) -> dict[str, str]:
    """The files of a push: path to hexadecimal SHA-256."""
    return {file.path: file.sha256 for file in body.files}


def attested(body: acts.Push, key: SigningKey, change: Callable[[Any], object]) -> acts.Push:
    """``body`` with other words in its quantization attestation, genuinely signed."""
    statement = json.loads(dsse.Envelope.from_bytes(body.attestations[0]).payload)
    change(statement)
    return msgspec.structs.replace(body, attestations=(dsse.sign(rfc8785.dumps(statement), key).to_bytes(),))
