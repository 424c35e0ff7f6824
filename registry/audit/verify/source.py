"""Rows of the database as the driver gives them: nothing but tuples, for there are millions.

What is read here is compared with what it has to be, value by value and type by type, so that nothing needs
the checks that columns make elsewhere.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

import sqlalchemy as sa

from registry.errors import DatabaseUnavailable

_AT_ONCE: Final = 128  # rows that a server sends together
_HINT: Final = "check that the database is running and reachable, and its file not damaged"
_numbers = count(1)
Values = tuple[Any, ...]


class Source:
    """What a transaction sees. Statements are written with ``?`` for each parameter."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._driver: Any = connection.connection.driver_connection
        self._server = connection.dialect.name == "postgresql"
        self._errors: type[Exception] = connection.dialect.loaded_dbapi.Error

    @property
    def bytewise(self) -> str:
        """Put after a text column to sort it by its bytes."""
        return ' COLLATE "C"' if self._server else ""

    def rows(self, statement: str, *parameters: object) -> list[Values]:
        """All rows at once: for few."""
        return list(self.stream(statement, *parameters))

    def stream(self, statement: str, *parameters: object) -> Iterator[Values]:
        """Rows one after the other: never more than a few hundred are held."""
        for some in self.batches(statement, *parameters):
            yield from some

    def batches(self, statement: str, *parameters: object) -> Iterator[list[Values]]:
        """Rows, as many together as are held."""
        with self._translated():
            if self._server:
                yield from self._sent(statement, parameters)
            else:
                yield from self._read(statement, parameters)

    def _sent(self, statement: str, parameters: Values) -> Iterator[list[Values]]:
        """From a server: by a cursor of its own, else it would send everything at once."""
        with self._driver.cursor(f"verify_{next(_numbers)}", binary=True) as cursor:
            cursor.execute(statement.replace("?", "%s"), parameters)
            while some := cursor.fetchmany(_AT_ONCE):
                yield some

    def _read(self, statement: str, parameters: Values) -> Iterator[list[Values]]:
        """From SQLite, the fastest way, which ends at a text that is not UTF-8.

        What is left is then read as the connection is set up to.
        """
        done = 0
        for quick in (True, False):
            cursor = self._driver.execute(statement, parameters)
            try:
                if done:
                    cursor.fetchmany(done)
                while some := self._some(cursor, quick):
                    done += len(some)
                    yield some
                return
            except sqlite3.OperationalError as error:
                if not quick or "decode" not in str(error):
                    raise
            finally:
                cursor.close()

    def _some(self, cursor: sqlite3.Cursor, quick: bool) -> list[Values]:
        factory = self._driver.text_factory
        try:
            self._driver.text_factory = str if quick else factory
            return cursor.fetchmany(_AT_ONCE)
        finally:
            self._driver.text_factory = factory

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """As ``records.database`` does for what goes through SQLAlchemy."""
        try:
            yield
        except self._errors as error:
            text = (str(error).strip() or type(error).__name__).splitlines()[0]
            where = self.connection.engine.url.render_as_string(hide_password=True)
            raise DatabaseUnavailable(f"the database failed: {text}", on=where, hint=_HINT) from error
