"""A door with a history behind it: two models, three versions, names, a yank."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry import acts
from registry.records import schema
from registry.records.database import open_engine
from support import courtroom
from support.courtroom import Court, Database
from support.publisher import MODEL, Publisher

Door = Callable[[str], Publisher]


def populate(alice: Publisher) -> None:
    """vision/net: 1 (label 1.0, alias prod), 2 (alias beta), 3 (yanked); audio/vad: 1.

    Members bob, who may pull vision/net, carol in team ml, which may pull audio/, and dora without a right.
    """
    for name in ("bob", "carol", "dora"):
        alice.enroll(name)
    alice.team("ml", "carol")
    alice.admit(
        alice.push({"model.onnx": b"graph 1", "weights.bin": b"weights"}, label="1.0", aliases=("prod",))
    )
    alice.admit(alice.push({"model.onnx": b"graph 2", "weights.bin": b"weights"}, aliases=("beta",)))
    alice.admit(alice.push({"model.onnx": b"graph 3"}))
    alice.admit(alice.push({"model.onnx": b"voices"}, model="audio/vad"))
    alice.grant("bob", ("pull",), MODEL)
    alice.grant("ml", ("pull",), "audio/")
    alice.admit(alice.about(acts.Yank, 3, MODEL, reason="wrong labels"))


@pytest.fixture
def open_door() -> Iterator[Door]:
    """Opens a populated door before a database URL; closed again after the test."""
    engines = []

    def opened(url: str) -> Publisher:
        engine = open_engine(url)
        engines.append(engine)
        schema.upgrade(engine)
        alice = Publisher(engine)
        populate(alice)
        return alice

    yield opened
    for engine in engines:
        engine.dispose()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Publisher]:
    """A populated door on SQLite: the file to copy, and who stands before it."""
    path = tmp_path_factory.mktemp("door") / "template.db"
    engine = open_engine(f"sqlite:///{path}")
    schema.upgrade(engine)
    alice = Publisher(engine)
    populate(alice)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path, alice


@pytest.fixture
def alice(template: tuple[Path, Publisher], tmp_path: Path) -> Iterator[Publisher]:
    """A populated door on SQLite, this test's own."""
    path, populated = template
    shutil.copy(path, tmp_path / "door.db")
    engine = open_engine(f"sqlite:///{tmp_path / 'door.db'}")
    yield populated.moved(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    """A registry with people of every standing, built once for a file of tests."""
    with courtroom.build(tmp_path_factory.mktemp("court") / "home") as court:
        yield court


@pytest.fixture
def court(built: Court, tmp_path: Path) -> Iterator[Court]:
    """This test's own copy of it, on SQLite."""
    with courtroom.copied(built, tmp_path / "court") as court:
        yield court


@pytest.fixture(params=["sqlite", "postgresql"])
def anywhere(built: Court, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Court]:
    """The same on each database."""
    if request.param == "sqlite":
        made = courtroom.copied(built, tmp_path / "court")
    else:
        made = courtroom.build(tmp_path / "home", Database(request.getfixturevalue("postgres_url")))
    with made as court:
        yield court
