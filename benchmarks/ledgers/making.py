"""A generated ledger as a registry's home: everything that ``registry`` needs to open it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import msgspec

from benchmarks.ledgers import keys, versions, writing
from benchmarks.ledgers.company import ADMIN, AUDITOR, ENGINEER
from benchmarks.ledgers.copying import copy
from benchmarks.ledgers.jobs import Job
from benchmarks.ledgers.signing import signed
from benchmarks.ledgers.telling import Story
from registry import acts, disk
from registry.crypto import possession
from registry.home import Config, Paths, dump, load
from registry.identities import public_of
from registry.records import schema
from registry.records.database import open_engine

DATABASE = "registry.db"
END = datetime(2026, 11, 20, tzinfo=UTC)
Say = Callable[[str], object]


def make(
    home: Path,
    count: int,
    seed: int = 1,
    *,
    end: datetime = END,
    database: str | None = None,
    processes: int | None = None,
    say: Say = lambda _: None,
) -> str:
    """Make ``home``, which must not exist, with a ledger of ``count`` acts; return the registry id.

    ``database`` is a URL of an empty PostgreSQL database, by default the home's own SQLite. ``end`` is a
    midnight, up to which the acts go. The same arguments give the same ledger, byte for byte.
    """
    story, done = Story(count, seed, end), _timed(say)
    paths = Paths(home.absolute())
    home.mkdir(mode=0o700, parents=True)
    (home / "blobs").mkdir()
    _written(home / DATABASE, story, processes, done)
    if database:
        _copied(home / DATABASE, database)
        (home / DATABASE).unlink()
        done("all of it is in the other database")
    _files(paths, Config(1, ADMIN, story.registry_id, database), story.seed)
    done("done")
    return story.registry_id


def _written(file: Path, story: Story, processes: int | None, done: Say) -> None:
    engine = open_engine(f"sqlite:///{file.absolute()}")
    writing.quickly(engine)
    workers = len(os.sched_getaffinity(0)) if processes is None else processes
    try:
        schema.upgrade(engine)
        batches = signed(_all(story), story.seed, story.registry_id, workers)
        made = writing.write(engine, batches, story.registry_id, keys.ledger(story.seed))
        done(f"{made} acts are signed and written")
        writing.seal(engine, _sealed(story))
        writing.project(engine)
        done("the tables are derived")
    finally:
        engine.dispose()


def twin(home: Path, other: Path, database: str) -> None:
    """Make ``other`` a home of the ledger that ``home`` has in SQLite, in an empty PostgreSQL database."""
    (other / "blobs").mkdir(parents=True)
    for file in (*home.glob("*.p[eu]*"), Paths(home).config):
        shutil.copy(file, other)
    _copied(home / DATABASE, database)
    disk.replace(Paths(other).config, dump(msgspec.structs.replace(load(home), database=database)), 0o600)


def _copied(file: Path, database: str) -> None:
    source, target = open_engine(f"sqlite:///{file.absolute()}"), open_engine(database)
    try:
        schema.upgrade(target)
        copy(source, target)
        writing.settle(target)
    finally:
        source.dispose()
        target.dispose()


def _timed(say: Say) -> Say:
    began = time.monotonic()
    return lambda what: say(f"{time.monotonic() - began:6.1f} s  {what}")


def _all(story: Story) -> Iterator[Job]:
    payload = story.lawmaker.genesis.payload
    header = acts.decode(payload).header
    return chain([Job(0, ADMIN, 0, header.time, "", header.client, payload)], story.jobs())


def _sealed(story: Story) -> Iterator[tuple[str, bytes]]:
    yield from story.lawmaker.shares()
    for model in story.company.models:
        for blob in model.blobs.values():
            yield blob.key.sha256, versions.sealed(story.seed, model.name, blob.content, blob.epoch)


def _files(paths: Paths, config: Config, seed: str) -> None:
    """The identities of admin, auditor and engineer, the ledger's key, and last the configuration."""
    for name, file in (
        (ADMIN, paths.identity),
        (AUDITOR, paths.home / "auditor.pem"),
        (ENGINEER, paths.home / "engineer.pem"),
    ):
        identity = keys.identity(seed, name)
        disk.create(file, identity.to_pem(None), 0o600)
        disk.create(public_of(file), possession.prove(identity) + b"\n", 0o644)
    disk.create(paths.ledger_key, keys.ledger(seed).to_pem(), 0o600)
    disk.create(paths.config, dump(config), 0o600)


def aloud(text: str) -> None:
    """For people who wait."""
    print(text, file=sys.stderr, flush=True)
