"""The drivers of both databases with a fault line under them: real connections and cursors, subclassed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from support.faultline import Line

_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "COMMIT", "BEGIN"})


def install(line: Line) -> None:
    """Have every engine connect through a driver whose calls go through ``line``."""

    @sa.event.listens_for(Engine, "do_connect")
    def connect(dialect: Any, record: object, args: Any, kwargs: dict[str, Any]) -> Any:
        sqlite = dialect.name == "sqlite"
        connect, error = (_sqlite(line), _sqlite_error) if sqlite else (_psycopg(line), _psycopg_error)
        return line.through("database", "CONNECT", False, lambda: connect(*args, **kwargs), error)


def _verb(statement: Any) -> str:
    return str(statement).lstrip(" ;").partition(" ")[0].upper() or "PING"


def _sqlite_error(number: int) -> sqlite3.OperationalError:
    full = number % 2
    error = sqlite3.OperationalError("database or disk is full" if full else "disk I/O error")
    error.sqlite_errorname = "SQLITE_FULL" if full else "SQLITE_IOERR_WRITE"
    return error


def _sqlite(line: Line) -> Callable[..., Any]:
    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *args: Any) -> Any:
            call = super().execute
            verb = _verb(sql)
            return line.through("database", verb, verb in _WRITES, lambda: call(sql, *args), _sqlite_error)

        def executemany(self, sql: str, *args: Any) -> Any:
            call = super().executemany
            return line.through("database", _verb(sql), True, lambda: call(sql, *args), _sqlite_error)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def commit(self) -> None:
            line.through("database", "COMMIT", True, super().commit, _sqlite_error)

        def rollback(self) -> None:
            line.through("database", "ROLLBACK", False, super().rollback, _sqlite_error)

    def connect(*args: Any, **kwargs: Any) -> Any:
        return sqlite3.connect(*args, factory=Connection, **kwargs)

    return connect


def _psycopg_error(number: int) -> Exception:
    import psycopg

    if number % 2:
        return psycopg.errors.DiskFull("could not extend file: No space left on device")
    return psycopg.OperationalError("server closed the connection unexpectedly")


def _psycopg(line: Line) -> Callable[..., Any]:
    import psycopg

    def through(connection: Any, name: str, writes: bool, call: Callable[[], Any]) -> Any:
        def error(number: int) -> Exception:
            made = _psycopg_error(number)
            if not isinstance(made, psycopg.errors.DiskFull):
                connection.close()  # the server has gone: nothing on this connection works any more
            return made

        return line.through("database", name, writes, call, error)

    def watched(base: type) -> type:
        class Cursor(base):  # type: ignore[misc]
            def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
                call, verb = super().execute, _verb(query)
                return through(self.connection, verb, verb in _WRITES, lambda: call(query, *args, **kwargs))

            def executemany(self, query: Any, *args: Any, **kwargs: Any) -> Any:
                call = super().executemany
                return through(self.connection, _verb(query), True, lambda: call(query, *args, **kwargs))

        return Cursor

    class Connection(psycopg.Connection[Any]):
        def commit(self) -> None:
            through(self, "COMMIT", True, super().commit)

        def rollback(self) -> None:
            through(self, "ROLLBACK", False, super().rollback)

    def connect(*args: Any, **kwargs: Any) -> Any:
        connection = Connection.connect(*args, **{**kwargs, "cursor_factory": watched(psycopg.Cursor)})
        connection.server_cursor_factory = watched(psycopg.ServerCursor)
        return connection

    return connect
