"""Opening the database: one engine, two kinds of transaction, foreign errors translated here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from registry.errors import DatabaseUnavailable, DiskTrouble, InvalidInput
from registry.records.tables import head

LOCK_WAIT = 30  # seconds a writer waits for the writers before it
_WRITE = "hallmark_write"
_SCRUB = "hallmark_scrub"
_SCRUB_WAIT = 1000  # milliseconds for the readers of older states
_URLS = "use sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME"


def open_engine(url: str) -> sa.Engine:
    """An engine for ``sqlite:///PATH`` or ``postgresql+psycopg://...``. Raises InvalidInput."""
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        engine = sa.create_engine(parsed, connect_args={"timeout": LOCK_WAIT})
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return sa.create_engine(
            parsed,
            isolation_level="REPEATABLE READ",
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10},
        )
    except ImportError as error:
        raise InvalidInput(
            "PostgreSQL needs the psycopg driver", hint="pip install 'hallmark-registry[postgres]'"
        ) from error


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise InvalidInput("the database URL does not parse", hint=_URLS) from error
    if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
        raise InvalidInput("this kind of database is not supported", on=parsed.drivername, hint=_URLS)
    return parsed


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    # what is not UTF-8 was written by somebody else: it reads as another text, which no act says
    connection.text_factory = lambda text: str(text, "utf-8", "replace")
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a commit is a publication: it must survive a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # a revoked key must not linger in free pages
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get(_WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that sees one state of the database throughout."""
    with translated(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that no other writer overlaps; it commits when the block ends without an error.

    PostgreSQL writers queue on the ledger head's row under READ COMMITTED, so that what they read
    after they have it is what the writer before them committed.
    """
    with translated(engine), engine.connect() as connection:
        postgres = connection.dialect.name == "postgresql"
        connection = connection.execution_options(
            **{_WRITE: True}, **({"isolation_level": "READ COMMITTED"} if postgres else {})
        )
        with connection.begin():
            if postgres:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_WAIT}s'")
                connection.execute(sa.select(head.c.size).with_for_update())
            yield connection
        if connection.info.pop(_SCRUB, False):
            _truncate_log(connection)


def scrub(connection: sa.Connection) -> None:
    """What this transaction deletes is to leave SQLite's write-ahead log, too, once it is committed."""
    connection.info[_SCRUB] = connection.dialect.name == "sqlite"


def _truncate_log(connection: sa.Connection) -> None:
    """The log keeps older pages until it is cut, and lies beside the database while a process has it open."""
    driver: Any = connection.connection.driver_connection
    with suppress(sqlite3.Error):  # the transaction stands; the next one that deletes keys cuts the log
        driver.execute(f"PRAGMA busy_timeout={_SCRUB_WAIT}")
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        driver.execute(f"PRAGMA busy_timeout={LOCK_WAIT * 1000}")


@contextmanager
def translated(engine: sa.Engine) -> Iterator[None]:
    """Turn the driver's errors into ours. The URL in a message never carries its password."""
    where = engine.url.render_as_string(hide_password=True)
    try:
        yield
    except exc.DBAPIError as error:
        text = str(error.orig).strip().splitlines()[0] if error.orig else type(error).__name__
        if _is_disk(error.orig):
            raise DiskTrouble(
                f"the database could not write: {text}",
                on=where,
                hint="free some space and run the command again",
            ) from error
        raise DatabaseUnavailable(f"the database failed: {text}", on=where, hint=_hint(text)) from error


def _is_disk(error: BaseException | None) -> bool:
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", "")
        return name.startswith(("SQLITE_FULL", "SQLITE_IOERR"))
    return error is not None and getattr(error, "sqlstate", None) in ("53100", "58030")


def _hint(text: str) -> str:
    if "locked" in text or "lock timeout" in text:
        return "another writer holds the database; try again"
    if "not a database" in text or "malformed" in text:
        return "the file is damaged; restore a backup"
    return "check that the database is running and reachable"
