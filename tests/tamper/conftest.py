"""One registry for each backend, attacked by every test and put back after it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from registry import acts
from registry.crypto.identity import SigningKey
from registry.records import tables
from services.postgres import Postgres
from services.s3 import S3
from support.attacks import crafted, push_body
from support.victim import Victim, build


@pytest.fixture(scope="session")
def victims(s3: S3, postgres_server: Postgres) -> Iterator[dict[str, Victim]]:
    """The registries that this run has built, by backend. They end before the servers they are on: hence
    the parameters, which start nothing."""
    built: dict[str, Victim] = {}
    yield built
    for victim in built.values():
        victim.close()


@pytest.fixture(params=["sqlite+directory", "postgresql+s3"])
def victim(
    request: pytest.FixtureRequest, victims: dict[str, Victim], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Victim]:
    """The registry; when the test is over it is put back, and passes: what was refused was the attack."""
    team = request.param == "postgresql+s3"
    server = request.getfixturevalue("s3_server") if team else None  # with credentials for this test
    if request.param not in victims:
        backend = SimpleNamespace(database=None, store=None)
        if team:
            request.getfixturevalue("postgres_url")  # or leaves the test out, and says why
            backend.database = _database(request.getfixturevalue("postgres_server"))
            backend.store = server.url(f"tamper-{secrets.token_hex(8)}")
        victims[request.param] = build(tmp_path_factory.mktemp("victim"), backend)
    built = victims[request.param]
    try:
        yield built
    finally:
        blobs_written = built.restore()
    built.passes() if blobs_written else built.releases()
    recorded = (*tables.LEDGER, tables.events, tables.sayings, tables.activity)
    built.restore(*(table.name for table in recorded))  # the control itself was


def _database(server: Postgres) -> str:
    """A database of the run's own server: it goes when the server goes."""
    name = f"tamper_{secrets.token_hex(8)}"
    engine = sa.create_engine(server.url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    return sa.make_url(server.url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def body(victim: Victim) -> acts.Push:
    """The push of the version under attack, as version 4: right in all it says."""
    return crafted(push_body(victim), 4)


@pytest.fixture
def key(victim: Victim) -> SigningKey:
    """The publisher's own key."""
    with victim.open() as context:
        return context.identity.signing
