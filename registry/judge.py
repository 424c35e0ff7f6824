"""Steps 1 to 7 of the ritual: from evidence and a pin to a version that may be asked for.

Nothing here reads a database, a store or a clock, and nothing in the evidence is believed before the
step that proves it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from registry import acts, bundle
from registry.acts import Act
from registry.crypto import dsse
from registry.crypto.checkpoint import Checkpoint
from registry.crypto.keys import VerifyingKey
from registry.crypto.witnessed import Demand
from registry.decisions import check_attester, check_statement
from registry.errors import BadAuthority, BadProof, BadReference, Denied
from registry.evidence import Evidence
from registry.law import rights
from registry.law.law import Law
from registry.lawbook import Lawbook, check_whole
from registry.manifest import Manifest
from registry.policy import gates
from registry.records import projection, tables
from registry.records.law_rows import blob_of
from registry.records.projection import Attested
from registry.refs import Reference
from registry.ritual import Ritual
from registry.rows import hold_rows

Accept = Callable[[Law], Checkpoint]
Asking = Callable[[Law, Act, list[Act]], str]  # asks the policies about a push and its attestations


@dataclass(frozen=True)
class Judged:
    """A version whose evidence holds: it may be asked for, and is not yet released."""

    ref: Reference
    push: Act
    body: acts.Push  # of the push
    entry: int  # of the push
    time: str
    publisher: str
    manifest: Manifest
    attestations: tuple[Attested, ...]  # the publisher's own, with the push
    blobs: Mapping[str, acts.Blob]  # by content: every blob the version uses, as the acts record it now
    keys: Mapping[str, bytes]  # their sealed keys, by SHA-256
    attests: Mapping[int, Act]  # further attestations, by ledger entry
    law: Law
    head: str  # where the law ended then: it goes on


def judge(
    evidence: Evidence,
    lawbook: Lawbook,
    accept: Accept,
    asking: Asking,
    ritual: Ritual,
    demand: Demand | None = None,
) -> Judged:
    """Walk steps 1 to 7. ``accept`` is the memory of earlier checkpoints, ``demand`` says which witnesses
    must have seen the version. Raises Untrusted or Denied."""
    with ritual.step(1) as said:
        law = lawbook.begin(evidence.genesis.entry.envelope)
        said.append(f"registry {law.registry_id[:16]}")
    with ritual.step(2) as said:
        seen = demand and demand.held(evidence.note, law.registry_id, law.ledger, evidence.seen)
        checkpoint = accept(law)
        said.append(f"{checkpoint.size} acts, root {checkpoint.root.hex()[:16]}")
        if seen:
            said.append(f"{seen.size} of them seen by {', '.join(seen.names)}")
    with ritual.step(3) as said:
        proofs = evidence.proofs.values()
        for proof in (evidence.genesis, evidence.last, *proofs):
            proof.check(checkpoint)
        newest(evidence, checkpoint)
        if seen:
            seen.reach(*evidence.leading)
        said.append(f"{1 + len(proofs)} acts, the push is entry {evidence.push}")
    with ritual.step(4) as said:
        for entry in evidence.law:
            law.follow(entry.envelope, entry.seq)
        check_whole(law, evidence.last.entry)
        proven = {seq: authorised(law, proof.entry.envelope) for seq, proof in evidence.proofs.items()}
        _in_time(law, proven)
        push, body = _push(proven, evidence)
        if seen:
            seen.reach(law.entry(law.position(push)))
        publisher = law.signer(push).name
        said.append(f"pushed by {_standing(law, push)}; {law.state.position} act(s) of the law")
    with ritual.step(5) as said:
        hold_rows(evidence, proven)
        _reference(evidence, body, proven)
        said.append(f"{body.model}:{body.number} sha256:{body.digest[:16]}")
    with ritual.step(6) as said:
        manifest = _signature(body, law.key_of(push))
        said.append(f"{len(manifest.files)} files signed by {publisher}")
    with ritual.step(7) as said:
        attested = _gates(evidence, proven, body, law.key_of(push))
        others = {seq: act for seq, act in proven.items() if isinstance(act.body, acts.Attest)}
        said.append(f"not yanked; {len(attested) + len(others)} attestation(s)")
        said.append(asking(law, push, list(others.values())))
    return Judged(
        evidence.ref,
        push,
        body,
        evidence.push,
        push.header.time,
        publisher,
        manifest,
        attested,
        _blobs(evidence, body),
        evidence.keys,
        others,
        law,
        law.head,
    )


def newest(evidence: Evidence, checkpoint: Checkpoint) -> None:
    """The entry that speaks for the law is the last one that the checkpoint covers."""
    if evidence.last.entry.seq != checkpoint.size - 1:
        raise BadProof("the entry shown as the newest is not", on=f"entry {evidence.last.entry.seq}")


def authorised(law: Law, envelope: bytes) -> Act:
    """An act of the ledger, by somebody who had the right to it when they signed. Raises BadAuthority."""
    act = law.admitted(dsse.Envelope.from_bytes(envelope))
    entitled(law, act)
    return act


def entitled(law: Law, act: Act) -> None:
    """Raise BadAuthority unless whoever signed the act, which is verified, had the right to it then."""
    if act.is_law and not law.holds(act):
        raise BadAuthority("an act in the ledger is not of the law", on=f"{act.kind} {act.digest[:16]}")
    try:
        _by_right(law, act)
    except Denied as error:
        raise BadAuthority(f"there was no right to it then: {error.message}", on=error.on) from error
    if isinstance(act.body, acts.Attest):
        check_statement(act.body, law.key_of(act))


def _by_right(law: Law, act: Act) -> None:
    time, at, model = act.header.time, law.position(act), str(act.model)
    for right in _rights(act.body):
        rights.require(law.state, law.signer(act).name, right, model, time, at)
    if isinstance(act.body, acts.Attest):
        check_attester(law, law.signer(act).name, model, time, at)


def _rights(body: acts.Body) -> tuple[str, ...]:
    match body:
        case acts.Push():
            return ("push", "promote") if body.aliases else ("push",)
        case acts.Alias() | acts.Yank():
            return ("promote",)
        case acts.Pull() | acts.Failure():
            return ("pull",)
    return ()


def _in_time(law: Law, proven: Mapping[int, Act]) -> None:
    """Every act came into the ledger before the law under which it was signed had changed.

    Otherwise who has lost a right could sign under the old law, and a door that helps them admit it.
    """
    seqs = {act.digest: seq for seq, act in proven.items()}
    for seq, act in proven.items():
        changed = None if act.is_law else law.next_after(act)
        if changed is not None and seqs.get(changed, -1) <= seq:
            raise BadAuthority(
                "the act was admitted under a law that had changed before", on=f"entry {seq}: {act.kind}"
            )


def _standing(law: Law, push: Act) -> str:
    """Who signed, and what has become of them since: what they signed then stays valid."""
    name = law.signer(push).name
    keys = law.state.member(name).keys
    identity = keys.at()
    if identity is None:
        return f"{name}, disabled since (entry {law.entry(keys.since())}), who might push then"
    replaced = identity.signing.keyid != push.header.actor
    return f"{name}, with a key replaced since" if replaced else name


def _push(proven: Mapping[int, Act], evidence: Evidence) -> tuple[Act, acts.Push]:
    act = proven[evidence.push]
    if not isinstance(act.body, acts.Push):
        raise BadReference(
            "the version's entry in the ledger is not a push", on=f"{evidence.ref}: {act.kind}"
        )
    return act, act.body


def _reference(evidence: Evidence, body: acts.Push, proven: Mapping[int, Act]) -> None:
    asked, ref = evidence.asked, evidence.ref
    if (body.model, body.number) != (asked.model, ref.version) or asked.version not in (None, body.number):
        raise BadReference(
            "the push act is of another version", on=f"{body.model}:{body.number}, asked {asked}"
        )
    if asked.digest not in (None, body.digest):
        raise BadReference(
            "the version has another digest than the one asked for", on=f"sha256:{body.digest}"
        )
    if asked.tag is not None and asked.tag != body.label:
        _alias(evidence, asked.tag, body.number)


def _alias(evidence: Evidence, name: str, number: int) -> None:
    rows = [row.values for row in evidence.rows if row.table is tables.aliases]
    if [row["number"] for row in rows] != [number]:
        raise BadReference("the alias does not lead to this version", on=f"{evidence.asked}")
    for envelope in evidence.later:
        body = acts.decode(dsse.Envelope.from_bytes(envelope).payload).body
        moved = body.name if isinstance(body, acts.Alias) else None
        if moved == name or (isinstance(body, acts.Push) and name in body.aliases):
            raise BadReference("the alias was moved since, and the database hides it", on=f"{evidence.asked}")


def _signature(body: acts.Push, publisher: VerifyingKey) -> Manifest:
    manifest = bundle.verify(body.bundle, publisher)
    manifest.compare({file.path: file.sha256 for file in body.files})
    if manifest.digest != body.digest:
        raise BadReference("the bundle speaks of another digest than the act", on=manifest.digest)
    return manifest


def _gates(
    evidence: Evidence, proven: Mapping[int, Act], body: acts.Push, publisher: VerifyingKey
) -> tuple[Attested, ...]:
    on = str(evidence.ref)
    for act in proven.values():
        if isinstance(act.body, acts.Yank) and (act.model, act.number) == (body.model, body.number):
            gates.releasable({"reason": act.body.reason}, on)
    heads = []
    for envelope in body.attestations:
        dsse.verify_only(dsse.Envelope.from_bytes(envelope), publisher)
        heads.append(projection.attested(envelope))
    gates.attested([(head.type, head.statement) for head in heads], body.model, body.digest)
    return tuple(heads)


def _blobs(evidence: Evidence, body: acts.Push) -> dict[str, acts.Blob]:
    """The blobs of the version, from rows that acts wrote: a push, or the newest rotation."""
    rows = {row.values["content"]: row.values for row in evidence.rows if row.table is tables.blobs}
    return {file.sha256: blob_of(rows[file.sha256]) for file in body.files}
