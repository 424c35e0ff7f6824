"""Small worlds for tests: a home with a registry, an identity, and a context, on any backend.

``backend`` is anything with a ``database`` and a ``store`` attribute, both URLs (None: the home's own);
no backend means SQLite and a directory in the home.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from registry import acts, founding
from registry.context import Context, utc_now
from registry.crypto import dsse
from registry.crypto.identity import Identity
from registry.progress import SILENT, Progress
from registry.records import tables
from registry.records.database import reading


class Backend(Protocol):
    """Where a home keeps its database and its blobs."""

    @property
    def database(self) -> str | None: ...

    @property
    def store(self) -> str | None: ...


def make_home(
    path: Path, backend: Backend | None = None, name: str = "alice", *, passphrase: bytes | None = None
) -> Path:
    """Found a registry in ``path``, whose admin is ``name``, and return ``path``."""
    founding.init(
        path,
        datetime.now(UTC),
        name=name,
        database=backend.database if backend else None,
        store=backend.store if backend else None,
        passphrase=passphrase,
    )
    return path


def open_context(
    home: Path,
    *,
    identity_file: Path | None = None,
    passphrase: bytes | None = None,
    now: Callable[[], datetime] = utc_now,
    progress: Progress = SILENT,
) -> Context:
    """Open a home; use it in a ``with`` block, or close it."""
    return Context(home, identity_file=identity_file, passphrase=passphrase, now=now, progress=progress)


def make_identity(path: Path, name: str, passphrase: bytes | None = None) -> Identity:
    """Write a new identity file; nobody has enrolled it anywhere."""
    identity = Identity.generate(name)
    path.write_bytes(identity.to_pem(passphrase))
    path.chmod(0o600)
    return identity


def make_model(directory: Path, kind: str = "mlp", name: str = "model.onnx", **options: Any) -> Path:
    """Save one of the generated float models (``support.graphs.FLOATS``) in ``directory``."""
    from support import graphs

    directory.mkdir(parents=True, exist_ok=True)
    return graphs.save(graphs.FLOATS[kind](), directory / name, **options)


def dump(context: Context) -> dict[str, list[dict[str, Any]]]:
    """Every row that counts, ordered by primary key: equal dumps, equal registries.

    Leases and tallies are left out: the one says who is at work, the other how often somebody was refused.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    with reading(context.raw_engine) as connection:
        for table in (*tables.LEDGER, tables.sealed, *tables.PROJECTION):
            rows = connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            found[table.name] = [
                {
                    name: bytes(value) if isinstance(value, memoryview) else value
                    for name, value in row.items()
                }
                for row in (dict(row._mapping) for row in rows)
            ]
    return found


def acted(context: Context) -> list[tuple[acts.Act, dsse.Envelope]]:
    """Every act of the ledger in order, with its envelope."""
    envelopes = [dsse.Envelope.from_bytes(row["envelope"]) for row in dump(context)["acts"]]
    return [(acts.decode(envelope.payload), envelope) for envelope in envelopes]


def only_refused(context: Context, before: dict[str, list[dict[str, Any]]]) -> list[acts.Refusal]:
    """What was refused since ``before``: nothing else has happened, and the ledger's key says so."""
    after = dump(context)
    ledger = {table.name for table in (*tables.LEDGER, tables.events, tables.sayings, tables.activity)}
    for name in after.keys() - ledger:
        assert after[name] == before[name], name
    known = len(before["acts"])
    assert after["acts"][:known] == before["acts"]
    told = []
    for act, envelope in acted(context)[known:]:
        assert isinstance(act.body, acts.Refusal), act.kind
        dsse.verify(envelope, context.law().ledger)
        told.append(act.body)
    return told


def blobs_of(context: Context) -> dict[str, int]:
    """Every blob in the store: id and bytes of ciphertext."""
    return {info.id: info.size for info in context.store.list()}
