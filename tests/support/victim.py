"""The registry that the tamper suite attacks: built once, put back after every attack.

``vision/net`` has three versions. Version 2, behind the alias ``prod``, is the one under attack: a QDQ graph
whose weights fill four segments of ciphertext, a file that version 1 brought, two files of one size.
Version 3 is yanked. ``vision/other`` is another model of the same publisher. Who else is there, and what they
may do, is told in ``support.story``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from registry.blobs.urls import parse_s3
from registry.checkout import verify
from registry.context import Context, utc_now
from registry.records import tables
from registry.release import release
from registry.ritual import Ritual
from support.story import MODEL, OTHER, REF, VERSION, YANKED, people, tell
from support.worlds import Backend, make_home, open_context

__all__ = ["MODEL", "OTHER", "REF", "VERSION", "YANKED", "Row", "Rows", "Victim", "build", "twin"]

Row = Mapping[str, Any]
Rows = dict[str, list[dict[str, Any]]]


@dataclass
class Victim:
    """A registry under attack. ``restore`` puts everything that a test changed back as it was."""

    home: Path
    scratch: Path  # where tests write; emptied after each
    people: Path  # the identity files of the other members
    backend: Backend
    engine: sa.Engine  # the attacker's: no constraint stands in its way
    rows: Rows = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    older: Rows = field(default_factory=dict)  # the database before dora was disabled and the alias moved
    older_note: str = ""

    def __post_init__(self) -> None:
        with open_context(self.home) as opened:
            self._store, self._raw_engine = opened.store, opened.raw_engine
        self._written: set[str] = set()
        self._added: set[str] = set()

    def close(self) -> None:
        """Remove the blobs, and let go of the database."""
        for info in list(self._store.list()):
            self._store.delete(info.id)
        self.release()

    def release(self) -> None:
        """Let go of the database."""
        self.engine.dispose()
        self._raw_engine.dispose()

    @contextmanager
    def open(
        self, who: str = "alice", *, shared: bool = True, now: Callable[[], datetime] = utc_now
    ) -> Iterator[Context]:
        """The registry as a new process would open it; ``shared`` keeps the connections of the last one."""
        file = None if who == "alice" else self.people / f"{who}.pem"
        context = open_context(self.home, identity_file=file, now=now)
        if shared:
            parts = {"store": self._store, "raw_engine": self._raw_engine, "engine": self._raw_engine}
            context.__dict__.update(parts)
        try:
            yield context
        finally:
            if not shared:
                context.close()

    # --- the database ---------------------------------------------------------------------------

    def execute(self, *statements: sa.Executable) -> None:
        """Run statements as the attacker, in one transaction."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)

    def read(self) -> Rows:
        """Every row of every table, as the driver has it."""
        with self.engine.connect() as connection:
            return {table.name: _read(connection, table) for table in tables.metadata.sorted_tables}

    def write(self, wanted: Rows, *names: str) -> None:
        """Make the database hold exactly these rows, in every table or in those named."""
        with self.engine.begin() as connection:
            for table in tables.metadata.sorted_tables:
                if names and table.name not in names:
                    continue
                if _read(connection, table) != wanted[table.name]:
                    connection.execute(sa.delete(table))
                    if wanted[table.name]:
                        connection.execute(sa.insert(table), wanted[table.name])

    def row(self, table: sa.Table, **where: Any) -> dict[str, Any]:
        """The one row of the untouched database with these values."""
        (row,) = [row for row in self.rows[table.name] if where.items() <= row.items()]
        return dict(row)

    # --- the store ------------------------------------------------------------------------------

    def blob(self, path: str, number: int = VERSION, model: str = MODEL) -> str:
        """The id of the blob that holds a file."""
        content = self.row(tables.files, model=model, number=number, path=path)["sha256"]
        return str(self.row(tables.blobs, model=model, content=content)["id"])

    def sealed(self, vault: str, reader: str) -> str:
        """The SHA-256 of a share of the vault's newest epoch."""
        epoch = max(row["epoch"] for row in self.rows["vaults"] if row["vault"] == vault)
        return str(self.row(tables.shares, vault=vault, epoch=epoch, recipient=reader)["sealed"])

    def write_blob(self, blob: str, data: bytes) -> None:
        """Replace a blob underneath the registry."""
        self._written.add(blob)
        self._write_blob(blob, data)

    def add_blob(self, blob: str, data: bytes) -> None:
        """Store a blob that is not one of the untouched registry's."""
        writer = self._store.create(blob, len(data))
        writer.write(0, memoryview(data)) if data else None
        writer.commit()
        self._added.add(blob)

    def write_added(self, blob: str, data: bytes) -> None:
        """Replace one of those underneath the registry."""
        assert blob in self._added
        self._write_blob(blob, data)

    def _write_blob(self, blob: str, data: bytes) -> None:
        if self.backend.store and self.backend.store.startswith("s3://"):
            location = parse_s3(self.backend.store)
            self._store.client.put_object(Bucket=location.bucket, Key=location.key(blob), Body=data)
        else:
            self._store._path(blob).write_bytes(data)

    def _read_blobs(self) -> Iterator[tuple[str, bytes]]:
        for info in self._store.list():
            data = bytearray(info.size)
            reader = self._store.open(info.id)
            reader.read_into(0, memoryview(data))
            reader.close()
            yield info.id, bytes(data)

    # --- as it was ------------------------------------------------------------------------------

    def remember(self) -> None:
        """Take what there is now for the untouched registry."""
        self.rows, self.files, self.blobs = self.read(), _files(self.home), dict(self._read_blobs())

    def restore(self, *tables_written: str) -> bool:
        """Put back the database, the home's files and the blobs; say whether blobs were written."""
        self.write(self.rows, *tables_written)
        for name in _files(self.home).keys() | self.files.keys():
            if name in self.files:
                (self.home / name).write_bytes(self.files[name])
            else:
                (self.home / name).unlink()
        for blob in self._written:
            self._write_blob(blob, self.blobs[blob])
        for blob in self._added:
            self._store.delete(blob)
        touched = bool(self._written or self._added)
        self._written.clear()
        self._added.clear()
        shutil.rmtree(self.scratch)
        self.scratch.mkdir()
        return touched

    def releases(self) -> None:
        """The control to attacks on anything but blobs: the first eight steps hold, and nothing is denied."""
        with self.open() as context:
            release(context, REF, "verify", Ritual())

    def passes(self, ref: str = REF) -> None:
        """The control: all twelve steps hold."""
        with self.open() as context:
            outcomes = verify(context, ref)
        assert [outcome.number for outcome in outcomes] == list(range(1, 13)), outcomes[-1]
        assert all(outcome.ok for outcome in outcomes)


def build(directory: Path, backend: Backend) -> Victim:
    """Found a registry in ``directory`` and fill it."""
    home, files = make_home(directory / "home", backend), directory / "people"
    (directory / "scratch").mkdir()
    people(files)
    with open_context(home) as context:
        engine = attackers_engine(context.raw_engine.url)
        victim = Victim(home, directory / "scratch", files, backend, engine)

        def meanwhile() -> None:
            victim.older = victim.read()
            victim.older_note = str(victim.older["head"][0]["note"])

        tell(context, files, directory / "models", victim.open, meanwhile)
    victim.remember()
    return victim


def twin(directory: Path) -> Rows:
    """The rows of another registry with the same content."""
    home, files = make_home(directory / "twin"), directory / "people"
    people(files)
    with open_context(home) as context:

        def as_member(name: str) -> Context:
            return open_context(home, identity_file=files / f"{name}.pem")

        tell(context, files, directory / "twin-models", as_member, lambda: None)
        with context.raw_engine.connect() as connection:
            return {table.name: _read(connection, table) for table in tables.metadata.sorted_tables}


def attackers_engine(url: sa.URL) -> sa.Engine:
    """Whoever may write the database may switch its constraints off."""
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def unchecked(connection: Any, _record: object) -> None:
        if engine.dialect.name == "postgresql":
            connection.execute("SET session_replication_role = replica")
            connection.commit()
        else:
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")

    return engine


def _read(connection: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    # as the driver has it: a value of another type than the column's must not trip the reader
    raw = [sa.type_coerce(column, sa.types.NullType()).label(column.name) for column in table.columns]
    rows = connection.execute(sa.select(*raw).order_by(*table.primary_key.columns))
    return [{name: _plain(value) for name, value in row._mapping.items()} for row in rows]


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _files(home: Path) -> dict[str, bytes]:
    """The small files of a home: not its database, not its blobs."""
    return {
        path.name: path.read_bytes()
        for path in home.iterdir()
        if path.is_file() and not path.name.startswith(("registry.db", "."))
    }
