"""The ledgers that are measured: of every size, on SQLite and on PostgreSQL, made anew or found."""

from __future__ import annotations

import importlib
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.ledgers import making, moments
from registry.context import Context
from registry.records.database import open_engine

SQLITE, POSTGRES = "SQLite", "PostgreSQL"
END = making.END
BEGIN = END - timedelta(days=moments.DAYS)
_TESTS = Path(__file__).resolve().parent.parent.parent / "tests"


@dataclass(frozen=True)
class Ground:
    """A ledger in a database. ``home`` is where its configuration and its identities lie."""

    acts: int
    database: str
    home: Path

    def open(self, identity: str = "auditor") -> Context:
        """The registry, for one of its people, on the day after the ledger ends."""
        return Context(self.home, identity_file=self.home / f"{identity}.pem", now=_now)


def _now() -> datetime:
    return END


@contextmanager
def grounds(directory: Path, sizes: list[int], say: making.Say) -> Iterator[list[Ground]]:
    """Every size on both databases; without a PostgreSQL here on SQLite alone. Homes that are there stay."""
    with server() as url, ExitStack() as stack:
        made = []
        for acts in sizes:
            home = directory / f"ledger-{acts}"
            if not home.exists():
                making.make(home, acts, say=say)
            made.append(Ground(acts, SQLITE, home))
            if url:
                name = f"audit_{acts}_{secrets.token_hex(4)}"
                other = directory / name
                stack.callback(shutil.rmtree, other, ignore_errors=True)
                making.twin(home, other, stack.enter_context(_created(url, name)))
                say(f"{acts} acts are in PostgreSQL")
                made.append(Ground(acts, POSTGRES, other))
        yield made


@contextmanager
def server() -> Iterator[str]:
    """The URL of the tests' PostgreSQL; empty where there is none."""
    sys.path.append(str(_TESTS))
    services: Any = importlib.import_module("services.postgres")
    running = services.Postgres()
    try:
        try:
            url: str = running.url
        except services.PostgresMissing:
            url = ""
        yield url
    finally:
        running.close()
        sys.path.remove(str(_TESTS))


@contextmanager
def _created(url: str, name: str) -> Iterator[str]:
    """The URL of a database that is dropped afterwards."""
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
            yield sa.make_url(url).set(database=name).render_as_string(hide_password=False)
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        engine.dispose()
