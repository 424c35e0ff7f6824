"""What a client needs to judge a version by itself: gathered in one read, believed in no part.

Evidence is the newest checkpoint with its consistency proof, the acts with their inclusion proofs, and
the database's rows. ``checkout`` holds the proofs against the pin and the rows against the acts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from registry import acts, cosigned, ledger
from registry.crypto.quorum import Policy
from registry.crypto.witnessed import Seen
from registry.ledger import Entry, Proof
from registry.records import queries, sealed, tables
from registry.records.law_rows import Row
from registry.refs import Reference

_BESIDE = (
    tables.version_metadata,
    tables.files,
    tables.quantization,
    tables.opsets,
    tables.quantized_tensors,
)
_TELLING = (
    acts.Push.kind,
    acts.Alias.kind,
    acts.Yank.kind,
    acts.Attest.kind,
)  # pulls tell nothing of a version


@dataclass(frozen=True)
class Evidence:
    """Everything about one version. ``asked`` is the reference as given, ``ref`` the exact version."""

    asked: Reference
    ref: Reference
    note: str
    consistency: tuple[bytes, ...]  # from the tree size that the client remembers
    genesis: Proof
    law: tuple[Entry, ...]  # the acts of the law after the last one that the client knows, in order
    last: Proof  # the newest entry: it says which act of the law is the newest
    push: int  # sequence number of the version's push act
    proofs: Mapping[
        int, Proof
    ]  # acts that a row names or that speak of the version; the law's next after each
    rows: tuple[Row, ...]
    later: tuple[bytes, ...]  # acts after the one that set the alias asked for, unverified
    keys: Mapping[str, bytes]  # the sealed keys of the blobs, by SHA-256
    seen: tuple[Seen, ...] = ()  # what the witnesses that the client demands have cosigned

    @property
    def leading(self) -> tuple[int, ...]:
        """The entries that lead from the reference to the version: its push, and what set the alias."""
        return self.push, *(row.values["seq"] for row in self.rows if row.table is tables.aliases)


def gather(
    connection: sa.Connection, asked: Reference, known: int, law: int, witnesses: Policy | None = None
) -> Evidence:
    """Collect the evidence.

    ``known`` is the remembered tree size, 0 for none; ``law`` the entry of the newest act of the law that the
    client knows, -1 for none; ``witnesses`` whose cosignatures the client demands.

    Raises ReferenceNotFound, or BadProof where the ledger has a hole.
    """
    ref = queries.resolve(connection, asked)
    size = ledger.tree_size(connection)
    rows = tuple(_rows(connection, ref, asked))
    push = next(row.values["seq"] for row in rows if row.table is tables.versions)
    named = {row.values["seq"] for row in rows if "seq" in row.values} | set(_speaking(connection, ref))
    named |= set(ledger.next_of_law(connection, named))
    return Evidence(
        asked,
        ref,
        ledger.newest_note(connection),
        ledger.consistency(connection, known, size),
        ledger.prove(connection, 0, size),
        tuple(ledger.of_law(connection, max(law, 0))),
        ledger.prove(connection, size - 1, size),
        push,
        {seq: ledger.prove(connection, seq, size) for seq in sorted(named)},
        rows,
        tuple(_later(connection, ref, rows)),
        sealed.get(connection, [row.values["sealed"] for row in rows if row.table is tables.blobs]),
        cosigned.seen(connection, witnesses, size) if witnesses else (),
    )


def _rows(connection: sa.Connection, ref: Reference, asked: Reference) -> Iterator[Row]:
    model = {"model": ref.model}
    version = {**model, "number": ref.version}
    yield from _select(connection, tables.versions, version)
    for table in (*_BESIDE, tables.attestations, tables.yanks):
        yield from _select(connection, table, version)
    yield from _select(connection, tables.models, model)
    if asked.tag is not None:
        yield from _select(connection, tables.aliases, {**model, "name": asked.tag})
    used = sa.select(tables.files.c.sha256).where(
        tables.files.c.model == ref.model, tables.files.c.number == ref.version
    )
    yield from _fetch(
        connection, tables.blobs, tables.blobs.c.model == ref.model, tables.blobs.c.content.in_(used)
    )


def _select(connection: sa.Connection, table: sa.Table, where: Mapping[str, Any]) -> Iterator[Row]:
    return _fetch(connection, table, *(table.c[name] == value for name, value in where.items()))


def _fetch(connection: sa.Connection, table: sa.Table, *where: sa.ColumnElement[bool]) -> Iterator[Row]:
    for row in connection.execute(sa.select(table).where(*where)):
        yield Row(table, dict(row._mapping))


def _speaking(connection: sa.Connection, ref: Reference) -> Iterable[int]:
    query = sa.select(tables.acts.c.seq).where(
        tables.acts.c.model == ref.model,
        tables.acts.c.number == ref.version,
        tables.acts.c.kind.in_(_TELLING),
    )
    return connection.execute(query).scalars()


def _later(connection: sa.Connection, ref: Reference, rows: Iterable[Row]) -> Iterator[bytes]:
    """The acts that may have moved the alias since: an alias row set back to an older act shows."""
    for row in rows:
        if row.table is tables.aliases:
            query = sa.select(tables.acts.c.envelope).where(
                tables.acts.c.model == ref.model,
                tables.acts.c.kind.in_((acts.Push.kind, acts.Alias.kind)),
                tables.acts.c.seq > row.values["seq"],
            )
            yield from (bytes(envelope) for envelope in connection.execute(query).scalars())
