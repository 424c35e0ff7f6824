"""What the door asks of each kind of act before it lets it in. Each check raises; none returns a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from registry import acts, bundle, handover, petitions
from registry.acts import Act, timestamp
from registry.crypto import dsse, streaming
from registry.crypto.keys import VerifyingKey
from registry.errors import (
    AlreadyExists,
    BadAttestation,
    BadReference,
    Conflict,
    InvalidInput,
    Malformed,
    NotPermitted,
    Untrusted,
    VersionTaken,
)
from registry.law import rights, rules
from registry.law.law import Law
from registry.lawbook import recalled
from registry.policy import gates
from registry.policy.engine import Policies
from registry.policy.words import Request, Version
from registry.records import projection, queries, tables
from registry.refs import Reference, check_tag, parse

_AGAIN = "the publisher signs again with what is there now"
_TAG = "labels never move; choose another name"


@dataclass(frozen=True)
class Submission:
    """An act whose signature is verified, the member who signed it, and the door's clock."""

    act: Act
    member: str
    now: datetime


def decide(connection: sa.Connection, law: Law, asked: Submission) -> None:
    """Raise unless the act may enter the ledger as its next entry: by right, by policy, and in itself."""
    match asked.act.body:
        case acts.Push():
            _require(law, asked, "push", asked.act.body.model)
            if asked.act.body.aliases:
                _require(law, asked, "promote", asked.act.body.model)
            _push(connection, law, asked.act, asked.act.body)
            _gate_push(law, asked, asked.act.body)
        case acts.Alias():
            _require(law, asked, "promote", asked.act.body.model)
            _alias(connection, asked.act.body)
            _gate(connection, law, asked, "promote", alias=asked.act.body.name)
        case acts.Yank():
            _require(law, asked, "promote", asked.act.body.model)
            _yank(connection, asked.act.body)
            _gate(connection, law, asked, "promote")
        case acts.Pull():
            _require(law, asked, "pull", asked.act.body.model)
            gates.releasable(
                queries.yank_of(connection, _existing(connection, asked.act.body)), asked.act.body.model
            )
            _gate(connection, law, asked, "pull", purpose=asked.act.body.purpose)
        case acts.Failure():
            # No policy is asked: it reads nothing, and what was read once may be complained of.
            _require(law, asked, "pull", asked.act.body.model)
            _existing(connection, asked.act.body)
        case acts.Attest():
            for time in _times(asked):
                check_attester(law, asked.member, asked.act.body.model, time)
            _attest(connection, law, asked, asked.act.body)
            _gate(connection, law, asked, "attest")
        case acts.Refusal():
            raise Malformed("only the door records refusals")
        case _:
            _law(connection, law, asked, asked.act.body)


def _require(law: Law, asked: Submission, action: str, model: str) -> None:
    for time in _times(asked):
        rights.require(law.state, asked.member, action, model, time)


def _times(asked: Submission) -> tuple[str, str]:
    """No right is backdated; and whoever replays the ledger knows the act's own time alone."""
    return timestamp(asked.now), asked.act.header.time


def _law(connection: sa.Connection, law: Law, asked: Submission, body: acts.LawBody) -> None:
    rules.check(law.state, asked.act, asked.member, timestamp(asked.now))  # no right is backdated
    law.check(asked.act, asked.member)
    handover.check(connection, law, body.custody)
    if isinstance(body, acts.Policy) and body.text:
        Policies.parse(body.text)
    if isinstance(body, acts.Grant):
        petitions.require(
            law, petitions.grant(law, asked.member, body, asked.now, petitions.client(asked.act))
        )


def _gate_push(law: Law, asked: Submission, body: acts.Push) -> None:
    if petitions.current(law) is not None:
        version, client = petitions.version(law, asked.act, ()), petitions.client(asked.act)
        for request in petitions.push(law, asked.member, version, asked.now, client, body.aliases):
            petitions.require(law, request)


def _gate(
    connection: sa.Connection,
    law: Law,
    asked: Submission,
    action: str,
    *,
    purpose: str | None = None,
    alias: str | None = None,
) -> None:
    """Ask the policies about a version that is there. Without policies nothing is read."""
    if petitions.current(law) is None:
        return
    version = version_of(connection, law, str(asked.act.model), asked.act.number or 0)
    client, by = petitions.client(asked.act), petitions.who(law, asked.member)
    petitions.require(law, Request(by, action, version, asked.now, client, purpose=purpose, alias=alias))


def version_of(connection: sa.Connection, law: Law, model: str, number: int) -> Version:
    """A version as policies know it, from the ledger. Raises BadReference where the tables mislead."""
    row = queries.version(connection, parse(f"{model}:{number}"))
    seqs = queries.attest_seqs(connection, model, number)
    acted = recalled(connection, law, [row["seq"], *seqs])
    for seq, act in acted.items():
        kind = acts.Push if seq == row["seq"] else acts.Attest
        if (act.model, act.number) != (model, number) or not isinstance(act.body, kind):
            raise BadReference("the database names an act of another version", on=f"{model}:{number}")
    return petitions.version(law, acted.pop(row["seq"]), acted.values())


def check_attester(law: Law, name: str, model: str, time: str, at: int | None = None) -> None:
    """Whoever has any right on a model may speak of it; an auditor, of every model. Raises NotPermitted."""
    if law.state.members[name].role == "auditor" and law.state.active(name, at):
        return
    if not any(rights.why(law.state, name, action, model, time, at) for action in acts.ACTIONS):
        raise NotPermitted(f"{name} has no right on the model", on=model, hint="ask an admin for a grant")


def _attest(connection: sa.Connection, law: Law, asked: Submission, body: acts.Attest) -> None:
    _existing(connection, body)
    check_statement(body, law.verifying(asked.member))


def check_statement(body: acts.Attest, key: VerifyingKey) -> None:
    """The statement is the actor's own, and about this version. Raises BadSignature or BadAttestation."""
    dsse.verify_only(dsse.Envelope.from_bytes(body.statement), key)
    head = projection.attested(body.statement)
    if head.statement.get("_type") != acts.STATEMENT_TYPE:
        raise BadAttestation("the statement is not an in-toto Statement v1", on=head.type[:100])
    if len(head.type.split()) != 1 or not head.type.isprintable():
        raise BadAttestation("a predicate type is a URI, without spaces", on=head.type[:100])
    if head.type == acts.QUANTIZATION:
        raise BadAttestation("the quantization facts come with the push, and with nothing else", on=head.type)
    gates.about(head.type, head.statement, body.model, body.digest)


def _push(connection: sa.Connection, law: Law, act: Act, body: acts.Push) -> None:
    if body.model not in law.state.vaults:
        raise Conflict("the model has not been created", on=body.model)
    newest = queries.newest_number(connection, body.model)
    if body.number != newest + 1:
        raise VersionTaken(f"the next version is {newest + 1}", on=f"{body.model}:{body.number}", hint=_AGAIN)
    if any(blob.epoch != law.state.vaults[body.model].epoch for blob in body.blobs):
        raise VersionTaken("the model's vault has moved to another epoch", on=body.model, hint=_AGAIN)
    _tags(connection, body)
    _blobs(connection, law, body)
    check_signed(law.key_of(act), act, body)


def _tags(connection: sa.Connection, body: acts.Push) -> None:
    labels, aliased = queries.tags_taken(connection, body.model)
    if body.label is not None:
        check_tag(body.label, "label")
        if body.label in labels | aliased:
            raise AlreadyExists(
                "the model has this label already", on=f"{body.model}:{body.label}", hint=_TAG
            )
    for name in body.aliases:
        _free(name, labels | {body.label or ""}, body.model)


def _free(name: str, labels: set[str], model: str) -> None:
    check_tag(name, "alias")
    if name in labels:
        raise AlreadyExists("a version has this name as its label", on=f"{model}:{name}", hint=_TAG)


def _blobs(connection: sa.Connection, law: Law, body: acts.Push) -> None:
    brought = {blob.content: blob for blob in body.blobs}
    if len(brought) != len(body.blobs) or len({blob.id for blob in body.blobs}) != len(body.blobs):
        raise InvalidInput("a push names a blob twice", on=body.model)
    rows = {
        row["content"]: row
        for row in queries.blob_rows(connection, body.model, {f.sha256 for f in body.files})
    }
    if brought.keys() & rows.keys():
        raise VersionTaken("another push stored the same file first", on=body.model, hint=_AGAIN)
    sizes = {content: row["size"] for content, row in rows.items()}
    sizes |= {content: blob.size for content, blob in brought.items()}
    for file in body.files:
        if file.sha256 not in sizes:
            raise InvalidInput("a file has no blob that holds it", on=file.path)
        if sizes[file.sha256] != streaming.ciphertext_size(file.size):
            raise InvalidInput("a blob's size does not fit its file's", on=file.path)
    if brought.keys() - {file.sha256 for file in body.files}:
        raise InvalidInput("a push brings a blob that no file uses", on=body.model)
    # What a push reuses is what an act brought.
    handover.genuine(connection, law, list(rows.values()))


def check_signed(publisher: VerifyingKey, act: Act, body: acts.Push) -> None:
    """The bundle and the attestations are the publisher's and speak of these very files.

    Raises BadSignature, BadDigest, BadAttestation or Malformed.
    """
    manifest = bundle.verify(body.bundle, publisher)
    manifest.compare({file.path: file.sha256 for file in body.files})
    if manifest.digest != body.digest:
        raise Untrusted("the bundle and the push disagree on the digest", on=body.model)
    for envelope in body.attestations:
        dsse.verify_only(dsse.Envelope.from_bytes(envelope), publisher)
    heads = [projection.attested(envelope) for envelope in body.attestations]
    gates.attested([(head.type, head.statement) for head in heads], body.model, body.digest)
    attested = {row.values["path"] for row in projection.rows(act, 0) if row.table is tables.quantization}
    if attested != {file.path for file in body.files if file.path.endswith(".onnx")}:
        raise BadAttestation("the quantization facts are of other files than the pushed ones", on=body.model)


def _alias(connection: sa.Connection, body: acts.Alias) -> None:
    gates.releasable(queries.yank_of(connection, _existing(connection, body)), body.model)
    labels, _ = queries.tags_taken(connection, body.model)
    _free(body.name, labels, body.model)


def _yank(connection: sa.Connection, body: acts.Yank) -> None:
    if queries.yank_of(connection, _existing(connection, body)):
        raise AlreadyExists("the version is yanked already", on=f"{body.model}:{body.number}")


def _existing(connection: sa.Connection, body: acts.OfVersion) -> Reference:
    ref = parse(f"{body.model}:{body.number}")
    if queries.version(connection, ref)["digest"] != body.digest:
        raise Conflict("the version has another digest than the act says", on=str(ref))
    return ref
