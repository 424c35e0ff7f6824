"""fsck, gc and the rebuilding of the tables: whether everything is there, as the ledger says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import sqlalchemy as sa

from registry import seen
from registry.audit.verify import engine
from registry.audit.verify.finding import Finding
from registry.audit.verify.verifying import remembers
from registry.blobs import BlobInfo
from registry.context import Context
from registry.errors import BlobMissing, Untrusted
from registry.records import leases, queries, schema, tables
from registry.records.database import reading, writing
from registry.replay import project
from registry.transfer import digest_ciphertext

_BATCH = 100  # orphans removed while the database is held


@dataclass(frozen=True)
class Checked:
    """What fsck found. ``orphans`` are blobs that no act names: harmless, and gc's to remove."""

    findings: tuple[Finding, ...]
    orphans: tuple[str, ...]
    under_way: tuple[str, ...]  # blobs of pushes that may still be running
    acts: int
    blobs: int


@dataclass(frozen=True)
class Collected:
    """What gc removed, and what it left because a push may still be under way."""

    removed: tuple[str, ...]
    kept: tuple[str, ...]
    freed: int  # bytes


def fsck(context: Context) -> Checked:
    """Replay the ledger, compare every table with the replay, and read every blob. No key is needed."""
    # Pushes go on meanwhile. What the database is held against comes first: it has that by then, and more.
    note = seen.load(context.paths.checkpoint)
    stored = [info.id for info in context.store.list()]
    with reading(context.engine) as connection:
        findings = list(_ledger(context, connection))
        findings += remembers(context, connection, note)
        recorded = {name: (size, digest) for name, size, digest in queries.blob_ids(connection)}
        active = leases.active(connection, context.now())
        acts = connection.execute(sa.select(sa.func.count()).select_from(tables.acts)).scalar_one()
    findings += _blobs(context, recorded)
    orphans = [name for name in stored if name not in recorded]
    under_way = tuple(name for name in orphans if _push_of(name) in active)
    return Checked(tuple(findings), tuple(set(orphans) - set(under_way)), under_way, acts, len(recorded))


def _ledger(context: Context, connection: sa.Connection) -> Iterator[Finding]:
    """The ledger and the tables, by as many processes as are of use."""
    url = context.engine.url.render_as_string(hide_password=False)
    return engine.findings(connection, context.config.registry_id, url=url, progress=context.progress)


def _blobs(context: Context, recorded: dict[str, tuple[int, str]]) -> Iterator[Finding]:
    context.progress.begin("reading blobs", sum(size for size, _ in recorded.values()))
    for name, (size, digest) in recorded.items():
        try:
            with closing(context.store.open(name)) as reader:
                if reader.size != size:
                    yield Finding("blob-size", name, f"{reader.size} bytes in the store, {size} recorded")
                elif digest_ciphertext(reader, context.progress) != digest:
                    yield Finding("blob-changed", name, "the ciphertext has another SHA-256 than recorded")
        except (BlobMissing, Untrusted) as error:
            yield Finding(error.code, name, error.message)
    context.progress.end()


def gc(context: Context) -> Collected:
    """Remove the blobs and unfinished uploads that no act names and no push under way may still need."""
    # The list comes before the records: a blob that a push publishes meanwhile is in the records by then.
    listed = list(context.store.list())
    with reading(context.engine) as connection:
        orphans = _unrecorded(connection, listed)
    removed, kept = list[BlobInfo](), list[BlobInfo]()
    for begin in range(0, len(orphans), _BATCH):
        _collect(context, orphans[begin : begin + _BATCH], removed, kept)
    # A push has its lease before its first upload: whatever the sweep finds, its lease is there by then.
    swept = tuple(context.store.sweep(lambda name: _push_of(name) in _under_way(context)))
    names = tuple(info.id for info in removed)
    return Collected(names + swept, tuple(info.id for info in kept), sum(info.size for info in removed))


def _collect(
    context: Context, orphans: list[BlobInfo], removed: list[BlobInfo], kept: list[BlobInfo]
) -> None:
    """Remove a few orphans while no push can take a lease.

    A push that resumes takes its lease before it looks which of its blobs are there: either the lease is
    seen here, or the push finds them gone.
    """
    with writing(context.engine) as connection:
        leases.drop_dead(connection, context.now())
        active = leases.active(connection, context.now())
        for info in _unrecorded(connection, orphans):
            if _push_of(info.id) in active:
                kept.append(info)
            else:
                context.store.delete(info.id)
                removed.append(info)


def _unrecorded(connection: sa.Connection, found: list[BlobInfo]) -> list[BlobInfo]:
    recorded = {name for name, _, _ in queries.blob_ids(connection)}
    return [info for info in found if info.id not in recorded]


def _under_way(context: Context) -> frozenset[str]:
    with reading(context.engine) as connection:
        return leases.active(connection, context.now())


def _push_of(blob: str) -> str:
    return blob.partition("-")[0]


def upgrade(context: Context) -> tuple[str | None, str]:
    """Bring the database to this program's schema and derive its tables again; return (from, to)."""
    before = schema.current(context.raw_engine)
    if before is not None and before not in schema.KNOWN:
        schema.check(context.raw_engine)
    if before != schema.HEAD:
        # One transaction: no database is ever at the newest schema with its new tables empty.
        schema.upgrade(context.raw_engine, after=_derive)
    return before, schema.HEAD


def rebuild(engine: sa.Engine) -> None:
    """Empty the projection and derive it from the ledger, in one transaction."""
    with writing(engine) as connection:
        _derive(connection)


def _derive(connection: sa.Connection) -> None:
    connection.execute(sa.select(tables.head.c.size).with_for_update())  # no act comes in meanwhile
    for table in reversed(tables.PROJECTION):
        connection.execute(sa.delete(table))
    project(connection, connection)


def require_clean(checked: Checked) -> None:
    """Raise Untrusted where fsck found anything wrong; orphans are not wrong."""
    if checked.findings:
        first = checked.findings[0]
        raise Untrusted(
            f"fsck found {len(checked.findings)} problem(s), the first: {first.detail}",
            on=first.on,
            hint="restore the database and the store from a backup, then run 'registry fsck' again",
        )
