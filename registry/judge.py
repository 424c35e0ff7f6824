"""Steps 1 to 7 of the ritual: from evidence and a pin to a version that may be asked for.

Nothing here reads a database, a store or a clock, and nothing in the evidence is believed before the
step that proves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from registry import acts, bundle, policy
from registry.acts import Act
from registry.chain import Chain, Member, from_genesis
from registry.crypto import dsse
from registry.crypto.checkpoint import Checkpoint
from registry.errors import BadReference, Malformed
from registry.evidence import Evidence
from registry.manifest import Manifest
from registry.records import projection, tables
from registry.records.projection import Attested, Row
from registry.refs import Reference
from registry.ritual import Ritual

_RIGHTS = {acts.Push: "push", acts.Alias: "promote", acts.Yank: "promote"}
_WHOLE = (
    tables.versions,
    tables.version_metadata,
    tables.files,
    tables.quantization,
    tables.opsets,
    tables.quantized_tensors,
    tables.attestations,
)
_SHARED = (tables.models, tables.vaults, tables.shares)  # written by the push that created the model

Accept = Callable[[Chain], Checkpoint]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Judged:
    """A version whose evidence holds: it may be asked for, and is not yet released."""

    ref: Reference
    body: acts.Push
    time: str
    publisher: Member
    manifest: Manifest
    attestations: tuple[Attested, ...]
    blobs: Mapping[str, acts.Blob]  # every blob the version uses, as the acts record it
    vault: tuple[int, str]  # epoch and suite of the model's vault


def judge(evidence: Evidence, registry_id: str, accept: Accept, ritual: Ritual) -> Judged:
    """Walk steps 1 to 7. ``accept`` is the memory of earlier checkpoints. Raises Untrusted or Denied."""
    with ritual.step(1) as said:
        chain = from_genesis(evidence.genesis.entry.envelope, registry_id)
        said.append(f"registry {registry_id[:16]}")
    with ritual.step(2) as said:
        checkpoint = accept(chain)
        said.append(f"{checkpoint.size} acts, root {checkpoint.root.hex()[:16]}")
    with ritual.step(3) as said:
        for proof in (evidence.genesis, *evidence.proofs.values()):
            proof.check(checkpoint)
        said.append(f"{1 + len(evidence.proofs)} acts, the push is entry {evidence.push}")
    with ritual.step(4) as said:
        proven = {seq: _authorised(chain, proof.entry.envelope) for seq, proof in evidence.proofs.items()}
        push, body = _push(proven, evidence)
        publisher = chain.member(push.header.actor)
        said.append(f"pushed by {publisher.identity.name}")
    with ritual.step(5) as said:
        _rows(evidence, proven)
        _reference(evidence, body, proven)
        said.append(f"{body.model}:{body.number} sha256:{body.digest[:16]}")
    with ritual.step(6) as said:
        manifest = _signature(body, publisher)
        said.append(f"{len(manifest.files)} files signed by {publisher.identity.name}")
    with ritual.step(7) as said:
        attested = _policy(evidence, proven, body, publisher)
        said.append(f"not yanked; {len(attested)} attestation(s)")
    blobs, vault = _keys(proven, body)
    return Judged(evidence.ref, body, push.header.time, publisher, manifest, attested, blobs, vault)


def _authorised(chain: Chain, envelope: bytes) -> Act:
    act = chain.authenticate(dsse.Envelope.from_bytes(envelope))
    right = _RIGHTS.get(type(act.body))
    if right is not None:
        chain.require(act.header.actor, right, str(act.model))
    return act


def _push(proven: Mapping[int, Act], evidence: Evidence) -> tuple[Act, acts.Push]:
    act = proven[evidence.push]
    if not isinstance(act.body, acts.Push):
        raise BadReference(
            "the version's entry in the ledger is not a push", on=f"{evidence.ref}: {act.kind}"
        )
    return act, act.body


def _rows(evidence: Evidence, proven: Mapping[int, Act]) -> None:
    """The database's rows are exactly what the acts write: no cell edited, no row added or lost."""
    written = {seq: _indexed(projection.rows(act, seq)) for seq, act in proven.items()}
    for row in evidence.rows:
        seq = row.values.get("seq", evidence.push)
        expected = written.get(seq, {}).get(_key(row))
        if expected != row.values:
            _refuse(row, expected)
    _complete(evidence, written)


def _complete(evidence: Evidence, written: Mapping[int, Mapping[Key, dict[str, Any]]]) -> None:
    """No row was lost: what the push wrote, what the model's first push wrote of the model, the publisher."""
    found = {_key(row) for row in evidence.rows}
    for seq, rows in written.items():
        needed = {table.name for table in (_SHARED if seq != evidence.push else (*_SHARED, *_WHOLE))}
        for key, values in rows.items():
            if key[0] in needed and key not in found:
                raise BadReference(
                    "the database has lost a row of this version", on=f"{key[0]} {_where(values)}"
                )
    used = {(tables.blobs.name, row.values["blob"]) for row in evidence.rows if row.table is tables.files}
    if used - found or not any(row.table is tables.members for row in evidence.rows):
        raise BadReference(
            "the database has lost a blob or the publisher of this version", on=f"{evidence.ref}"
        )


def _refuse(row: Row, expected: Mapping[str, Any] | None) -> None:
    changed = [name for name in row.values if expected is not None and expected.get(name) != row.values[name]]
    what = f"{row.table.name}.{', '.join(changed)}" if changed else f"a row of {row.table.name}"
    raise BadReference(
        "the database does not say what the signed act says", on=f"{what} {_where(row.values)}"
    )


def _where(values: Mapping[str, Any]) -> str:
    return " ".join(str(values[name]) for name in ("model", "number", "path", "name", "id") if name in values)


def _indexed(rows: Iterable[Row]) -> dict[Key, dict[str, Any]]:
    return {_key(row): row.values for row in rows}


def _key(row: Row) -> Key:
    return (row.table.name, *(row.values[column.name] for column in row.table.primary_key))


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
    for blob in {file.blob for file in body.files}:
        if not any(blob == brought.id for act in proven.values() for brought in _brought(act)):
            raise BadReference("no act has brought a blob that the version uses", on=blob)


def _alias(evidence: Evidence, name: str, number: int) -> None:
    rows = [row.values for row in evidence.rows if row.table is tables.aliases]
    if [row["number"] for row in rows] != [number]:
        raise BadReference("the alias does not lead to this version", on=f"{evidence.asked}")
    for envelope in evidence.later:
        body = acts.decode(dsse.Envelope.from_bytes(envelope).payload).body
        moved = body.name if isinstance(body, acts.Alias) else None
        if moved == name or (isinstance(body, acts.Push) and name in body.aliases):
            raise BadReference("the alias was moved since, and the database hides it", on=f"{evidence.asked}")


def _brought(act: Act) -> tuple[acts.Blob, ...]:
    return act.body.blobs if isinstance(act.body, acts.Push) else ()


def _signature(body: acts.Push, publisher: Member) -> Manifest:
    manifest = bundle.verify(body.bundle, publisher.identity.signing)
    manifest.compare({file.path: file.sha256 for file in body.files})
    if manifest.digest != body.digest:
        raise BadReference("the bundle speaks of another digest than the act", on=manifest.digest)
    return manifest


def _policy(
    evidence: Evidence, proven: Mapping[int, Act], body: acts.Push, publisher: Member
) -> tuple[Attested, ...]:
    on = str(evidence.ref)
    for act in proven.values():
        if isinstance(act.body, acts.Yank) and (act.model, act.number) == (body.model, body.number):
            policy.releasable({"reason": act.body.reason}, on)
    heads = []
    for envelope in body.attestations:
        dsse.verify(dsse.Envelope.from_bytes(envelope), publisher.identity.signing)
        heads.append(projection.attested(envelope))
    policy.attested([(head.type, head.statement) for head in heads], body.model, body.digest)
    return tuple(heads)


def _keys(proven: Mapping[int, Act], body: acts.Push) -> tuple[dict[str, acts.Blob], tuple[int, str]]:
    brought = {blob.id: blob for act in proven.values() for blob in _brought(act)}
    vaults = [act.body.vault for act in proven.values() if isinstance(act.body, acts.Push) and act.body.vault]
    if len(vaults) != 1 or vaults[0] is None:
        raise Malformed("the model's vault is not in the evidence", on=body.model)
    used = {file.blob: brought[file.blob] for file in body.files}
    return used, (vaults[0].epoch, vaults[0].suite)
