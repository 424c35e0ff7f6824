"""What an act writes: a pure function from (act, sequence number) to rows.

The door applies these rows when it admits the act, ``fsck`` derives them again from the ledger and
compares, and a checkout holds a version's rows against the act that made them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from registry import acts, strictjson
from registry.crypto import dsse
from registry.errors import Malformed
from registry.onnx.quantization import QuantizationFacts
from registry.records import tables


class Row(NamedTuple):
    """One row: its table, and a value for every column."""

    table: sa.Table
    values: dict[str, Any]


class Attested(NamedTuple):
    """The head of an attestation, read from its envelope; verifying it is the door's business."""

    type: str
    signer: str
    statement: dict[str, Any]


def rows(act: acts.Act, seq: int) -> list[Row]:
    """Every row that admitting ``act`` as entry ``seq`` writes, parents first. Raises Malformed."""
    written = _rows(act, seq)
    for row in written:
        # PostgreSQL stores no NUL: what one database cannot keep, none does.
        if any(isinstance(value, str) and "\0" in value for value in row.values.values()):
            raise Malformed("a text holds a NUL character", on=row.table.name)
    return written


def _rows(act: acts.Act, seq: int) -> list[Row]:
    match act.body:
        case acts.Genesis():
            return [_member(act.body.admin, act.header.actor, "admin", seq)]
        case acts.Push():
            return list(_push(act, act.body, seq))
        case acts.Alias():
            return [_alias(act.body.model, act.body.name, act.body.number, seq)]
        case acts.Yank():
            return [_yank(act, act.body, seq)]
        case acts.Pull():
            return []


def apply(connection: sa.Connection, act: acts.Act, seq: int) -> None:
    """Write the rows. An alias row replaces the one before it; every other row is new."""
    for row in rows(act, seq):
        if row.table is tables.aliases:
            connection.execute(sa.delete(row.table).where(*key_of(row)))
        if not (row.table is tables.namespaces and connection.execute(_exists(row)).first()):
            connection.execute(sa.insert(row.table), row.values)


def key_of(row: Row) -> list[sa.ColumnElement[bool]]:
    """The condition that selects the row by its primary key."""
    return [column == row.values[column.name] for column in row.table.primary_key]


def attested(envelope: bytes) -> Attested:
    """Read an attestation's type, signer and statement. Raises Malformed."""
    parsed = dsse.Envelope.from_bytes(envelope)
    statement = strictjson.parse_object(parsed.payload, limit=dsse.MAX_ENVELOPE, what="an attestation")
    return Attested(strictjson.text(statement, "predicateType"), parsed.signatures[0].keyid, statement)


def _exists(row: Row) -> sa.Select[Any]:
    return sa.select(sa.literal(1)).select_from(row.table).where(*key_of(row))


def _member(keys: acts.Keys, keyid: str, role: str, seq: int) -> Row:
    values = {
        "keyid": keyid,
        "name": keys.name,
        "role": role,
        "signing": keys.signing,
        "suite": keys.suite,
        "sealing": keys.sealing,
        "seq": seq,
    }
    return Row(tables.members, values)


def _push(act: acts.Act, body: acts.Push, seq: int) -> Iterator[Row]:
    version = {"model": body.model, "number": body.number}
    if body.vault:
        yield from _model(body.model, body.vault, seq)
    yield from (_blob(body.model, blob, seq) for blob in body.blobs)
    values = {
        "digest": body.digest,
        "label": body.label,
        "publisher": act.header.actor,
        "time": act.header.time,
        "size": sum(file.size for file in body.files),
        "bundle": body.bundle,
        "seq": seq,
    }
    yield Row(tables.versions, {**version, **values})
    for name, value in body.metadata.items():
        yield Row(tables.version_metadata, {**version, "name": name, "value": value})
    for file in body.files:
        values = {"path": file.path, "size": file.size, "sha256": file.sha256, "blob": file.blob}
        yield Row(tables.files, {**version, **values})
    for name in body.aliases:
        yield _alias(body.model, name, body.number, seq)
    for position, envelope in enumerate(body.attestations):
        yield from _attestation(version, seq, position, envelope)


def _model(model: str, vault: acts.Vault, seq: int) -> Iterator[Row]:
    namespace = model.partition("/")[0]
    yield Row(tables.namespaces, {"name": namespace, "seq": seq})
    yield Row(tables.models, {"model": model, "namespace": namespace, "seq": seq})
    epoch = {"model": model, "epoch": vault.epoch}
    yield Row(tables.vaults, {**epoch, "suite": vault.suite, "public": vault.public, "seq": seq})
    for share in vault.shares:
        sealed = {"suite": share.sealed.suite, "ciphertext": share.sealed.ciphertext}
        yield Row(tables.shares, {**epoch, "recipient": share.recipient, **sealed, "seq": seq})


def _blob(model: str, blob: acts.Blob, seq: int) -> Row:
    values = {
        "id": blob.id,
        "model": model,
        "format": blob.format,
        "size": blob.size,
        "sha256": blob.sha256,
        "content": blob.content,
        "epoch": blob.epoch,
        "suite": blob.key.suite,
        "ciphertext": blob.key.ciphertext,
        "seq": seq,
    }
    return Row(tables.blobs, values)


def _alias(model: str, name: str, number: int, seq: int) -> Row:
    return Row(tables.aliases, {"model": model, "name": name, "number": number, "seq": seq})


def _yank(act: acts.Act, body: acts.Yank, seq: int) -> Row:
    values = {"model": body.model, "number": body.number, "reason": body.reason}
    return Row(tables.yanks, {**values, "actor": act.header.actor, "time": act.header.time, "seq": seq})


def _attestation(version: dict[str, Any], seq: int, position: int, envelope: bytes) -> Iterator[Row]:
    head = attested(envelope)
    values = {
        "seq": seq,
        "position": position,
        "type": head.type,
        "signer": head.signer,
        "envelope": envelope,
    }
    yield Row(tables.attestations, {**version, **values})
    if head.type == acts.QUANTIZATION:
        yield from _quantization(version, head.statement)


def _quantization(version: dict[str, Any], statement: dict[str, Any]) -> Iterator[Row]:
    predicate = strictjson.nested(statement, "predicate")
    strictjson.only(predicate, ("models",))
    for model in strictjson.objects(predicate, "models"):
        file = {**version, "path": strictjson.text(model, "path")}
        facts = QuantizationFacts.from_dict({name: value for name, value in model.items() if name != "path"})
        yield _facts(file, facts)
        for domain, number in facts.opsets:
            yield Row(tables.opsets, {**file, "domain": domain, "version": number})
        for position, tensor in enumerate(facts.tensors):
            named = _columns(tables.quantized_tensors, vars(tensor))
            yield Row(tables.quantized_tensors, {**file, "position": position, **named})


def _facts(file: dict[str, Any], facts: QuantizationFacts) -> Row:
    return Row(tables.quantization, {**file, **_columns(tables.quantization, vars(facts))})


def _columns(table: sa.Table, values: Mapping[str, Any]) -> dict[str, Any]:
    return {column.name: values[column.name] for column in table.c if column.name in values}
