"""What an act writes: a pure function from (act, sequence number) to rows.

The door applies these rows when it admits the act, ``fsck`` derives them again from the ledger and
compares, and a checkout holds a version's rows against the act that made them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from registry import acts, strictjson
from registry.crypto import dsse
from registry.errors import Malformed
from registry.onnx.quantization import QuantizationFacts
from registry.records import events, tables
from registry.records.law_rows import Row, blob_row, law_rows

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_REPLACED = frozenset({tables.aliases, tables.grants, tables.shares, tables.blobs})


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
        case acts.Push():
            return list(_push(act, act.body, seq))
        case acts.Alias():
            return [_alias(act.body.model, act.body.name, act.body.number, seq)]
        case acts.Yank():
            return [_yank(act, act.body, seq)]
        case acts.Attest():
            version = {"model": act.body.model, "number": act.body.number}
            return list(_attestation(version, seq, 0, act.body.statement))
        case acts.Pull() | acts.Failure() | acts.Refusal():
            return []
        case _:
            return list(law_rows(act, act.body, seq))


def blob_rows(act: acts.Act, seq: int) -> list[Row]:
    """Those of ``rows`` that tell of blobs."""
    if isinstance(act.body, acts.Push):
        return [blob_row(act.body.model, blob, seq) for blob in act.body.blobs]
    if isinstance(act.body, acts.LawBody):
        return [blob_row(kept.model, kept.blob, seq) for kept in act.body.custody.blobs]
    return []


def removed(act: acts.Act) -> list[Row]:
    """The rows, by primary key, that admitting ``act`` takes away."""
    match act.body:
        case acts.Revoke():
            place = {"target": act.body.target, "grantee": act.body.grantee}
            return [Row(tables.grants, {**place, "action": action}) for action in act.body.actions]
        case acts.TeamRemove():
            return [Row(tables.team_members, {"team": act.body.team, "name": act.body.name})]
    return []


def apply(connection: sa.Connection, act: acts.Act, seq: int, member: str) -> None:
    """Write the rows of an act by ``member``, and its event."""
    remove(connection, removed(act))
    for table, group in groupby(rows(act, seq), key=lambda row: row.table):
        write(connection, table, [row.values for row in group])
    events.record(connection, act, seq, member)


def remove(connection: sa.Connection, gone: Iterable[Row]) -> None:
    """Delete rows by their primary keys."""
    for row in gone:
        connection.execute(sa.delete(row.table).where(*key_of(row)))


def write(connection: sa.Connection, table: sa.Table, values: Sequence[Mapping[str, Any]]) -> None:
    """Write rows. Those of ``_REPLACED`` take the place of those before them; every other is new."""
    connection.execute(_replacing(connection, table) if table in _REPLACED else sa.insert(table), values)


def _replacing(connection: sa.Connection, table: sa.Table) -> sa.Executable:
    """An insert that takes the place of the row with the same primary key."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table)
    keys = table.primary_key.columns.keys()
    new = {name: statement.excluded[name] for name in table.columns.keys() if name not in keys}  # noqa: SIM118
    return statement.on_conflict_do_update(index_elements=keys, set_=new)


def key_of(row: Row) -> list[sa.ColumnElement[bool]]:
    """The condition that selects the row by its primary key."""
    return [column == row.values[column.name] for column in row.table.primary_key]


@lru_cache(maxsize=8)  # a push's are read again and again, by whoever checks something about them
def attested(envelope: bytes) -> Attested:
    """Read an attestation's type, signer and statement, which nobody may change. Raises Malformed."""
    parsed = dsse.Envelope.from_bytes(envelope)
    statement = strictjson.parse_object(parsed.payload, limit=dsse.MAX_ENVELOPE, what="an attestation")
    return Attested(strictjson.text(statement, "predicateType"), parsed.signatures[0].keyid, statement)


def _push(act: acts.Act, body: acts.Push, seq: int) -> Iterator[Row]:
    version = {"model": body.model, "number": body.number}
    yield from (blob_row(body.model, blob, seq) for blob in body.blobs)
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
        values = {"path": file.path, "size": file.size, "sha256": file.sha256}
        yield Row(tables.files, {**version, **values})
    for name in body.aliases:
        yield _alias(body.model, name, body.number, seq)
    for position, envelope in enumerate(body.attestations):
        yield from _attestation(version, seq, position, envelope)


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
    if parent := parent_of(head):
        place = {"seq": seq, "position": position, "type": head.type}
        yield Row(tables.parents, {**place, **version, "parent": parent})


def parent_of(head: Attested) -> str | None:
    """The OMS root digest of the model that a version was made from, where the attestation names one."""
    said = head.statement.get("predicate") if head.type in (acts.LINEAGE, acts.RECIPE) else None
    parent = said.get("parent") if isinstance(said, dict) else None
    named = parent.get("digest") if isinstance(parent, dict) else None
    found = _DIGEST.fullmatch(named) if isinstance(named, str) else None
    return found[1] if found else None


def _quantization(version: dict[str, Any], statement: dict[str, Any]) -> Iterator[Row]:
    for path, facts in quantized(statement):
        file = {**version, "path": path}
        yield _facts(file, facts)
        for domain, number in facts.opsets:
            yield Row(tables.opsets, {**file, "domain": domain, "version": number})
        for position, tensor in enumerate(facts.tensors):
            named = _columns(tables.quantized_tensors, vars(tensor))
            yield Row(tables.quantized_tensors, {**file, "position": position, **named})


def quantized(statement: dict[str, Any]) -> Iterator[tuple[str, QuantizationFacts]]:
    """The facts in a quantization attestation, by ONNX file. Raises Malformed."""
    predicate = strictjson.nested(statement, "predicate")
    strictjson.only(predicate, ("models",))
    for model in strictjson.objects(predicate, "models"):
        facts = {name: value for name, value in model.items() if name != "path"}
        yield strictjson.text(model, "path"), QuantizationFacts.from_dict(facts)


def _facts(file: dict[str, Any], facts: QuantizationFacts) -> Row:
    return Row(tables.quantization, {**file, **_columns(tables.quantization, vars(facts))})


def _columns(table: sa.Table, values: Mapping[str, Any]) -> dict[str, Any]:
    return {column.name: values[column.name] for column in table.c if column.name in values}
