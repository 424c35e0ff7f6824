"""Servers and stores for every test. Nothing starts before a test asks for it, and what a run leaves out is
told at its end, with the reason."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.leftout import COUNTS, leave_out, require
from services.postgres import Postgres, PostgresMissing
from services.s3 import PLAIN, S3, TLS, Server
from support import warm

warm.install()

_USED = pytest.StashKey[set[str]]()


@dataclass(frozen=True)
class Backend:
    """Where a home keeps its database and its blobs; None is the home's own default."""

    name: str
    database: str | None
    store: str | None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The run's PostgreSQL; starts when its ``url`` is first read."""
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def s3(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """The run's S3 server; starts when its ``server`` is first read."""
    base = tmp_path_factory.getbasetemp()
    # parallel workers have a directory each, inside one of the run
    run = base.parent if hasattr(request.config, "workerinput") else base
    server = S3(run)
    yield server
    server.close()


@pytest.fixture
def s3_server(s3: S3, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The S3 server, with its credentials in the environment of this test."""
    server = s3.server
    request.config.stash[_USED].add(server.name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        if server.environment.get("AWS_ACCESS_KEY_ID"):
            monkeypatch.delenv(name, raising=False)
    return server


@pytest.fixture
def s3_prefix(s3_server: Server) -> Iterator[str]:
    """A fresh prefix in the tests' bucket, emptied afterwards."""
    prefix = f"tests-{secrets.token_hex(8)}"
    yield prefix
    _empty(s3_server, f"{prefix}/")


@pytest.fixture
def s3_url(s3_server: Server, s3_prefix: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty store on the S3 server, over plain http where it has that."""
    return s3_server.url(s3_prefix)


@pytest.fixture
def s3_plain_url(s3_server: Server, s3_prefix: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty store over plain http."""
    require(request, s3_server, PLAIN)
    return s3_server.url(s3_prefix)


@pytest.fixture
def s3_tls_url(s3_server: Server, s3_prefix: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty store over TLS."""
    require(request, s3_server, TLS)
    return s3_server.url(s3_prefix, tls=True)


@pytest.fixture(params=["directory", "s3"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, of every kind in turn."""
    if request.param == "directory":
        return str(tmp_path / "blobs")
    return str(request.getfixturevalue("s3_url"))


@pytest.fixture
def postgres_url(postgres_server: Postgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """The ``postgresql+psycopg://`` URL of a fresh database, dropped afterwards."""
    try:
        url = postgres_server.url
    except PostgresMissing as error:
        leave_out(request, str(error))
    request.config.stash[_USED].add("PostgreSQL")
    name = f"tests_{secrets.token_hex(8)}"
    _administrate(url, f"CREATE DATABASE {name}")
    yield _database_url(url, name)
    _administrate(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of every kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'registry.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sqlite+directory", "postgresql+s3"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Both pairs in which a registry is promised to work: one's own home, and a team's servers."""
    if request.param == "sqlite+directory":
        return Backend(request.param, None, None)
    database, store = request.getfixturevalue("postgres_url"), request.getfixturevalue("s3_url")
    return Backend(request.param, database, store)


def _administrate(url: str, statement: str) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def _database_url(url: str, name: str) -> str:
    import sqlalchemy as sa

    return sa.make_url(url).set(database=name).render_as_string(hide_password=False)


def _empty(server: Server, prefix: str) -> None:
    client = server.client()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=server.bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            client.delete_object(Bucket=server.bucket, Key=item["Key"])
    uploads = client.list_multipart_uploads(Bucket=server.bucket, Prefix=prefix).get("Uploads", [])
    for upload in uploads:
        client.abort_multipart_upload(Bucket=server.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    client.close()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[COUNTS] = {}
    used: set[str] = set()
    config.stash[_USED] = used


def pytest_report_header() -> str:
    return f"servers, started when first needed: {Postgres.plan()}; {S3.plan()}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:  # a parallel worker tells its controller
        used = session.config.stash[_USED]
        output["left_out"] = session.config.stash[COUNTS]
        output["used"] = sorted(used)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    told: dict[str, Any] = getattr(node, "workeroutput", {})
    counts = node.config.stash[COUNTS]
    for reason, count in told.get("left_out", {}).items():
        counts[reason] = counts.get(reason, 0) + count
    node.config.stash[_USED].update(told.get("used", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    used, left_out = config.stash[_USED], config.stash[COUNTS]
    if used:
        terminalreporter.write_line(f"real servers used: {', '.join(sorted(used))}")
    if left_out:
        terminalreporter.section(f"left out: {sum(left_out.values())} tests")
        for reason, count in sorted(left_out.items()):
            terminalreporter.write_line(f"{count} tests: {reason}")
