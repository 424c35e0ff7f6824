"""``registry db upgrade`` is cut short at every one of its effects: the database is old or new."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from registry import fsck
from registry.push import push
from registry.records import schema
from registry.records.database import open_engine
from support import worlds
from support.aftermath import Accident, World, accidents, sound, verifies
from support.faultline import ALL, SERVERS, How
from support.forks import Nursery

# Failing, these do not make an upgrade fail: giving a connection back, finding out whether it still works.
TOLERATED = {"database ROLLBACK", "database PING"}


class Outdated:
    """Gives out registries with one version in them, whose database is one migration behind."""

    def __init__(self, root: Path, backend: worlds.Backend) -> None:
        self.root = root
        self.embedded = backend.database is None
        self.kinds = ALL if self.embedded else SERVERS
        self.home = worlds.make_home(root / "home", backend)
        self.source = worlds.make_model(root / "source").parent
        self._number = 0
        with worlds.open_context(self.home) as context:
            push(context, self.source, "a/m")
            self._database = context.paths.database_url(context.config)
        self._downgrade()

    def _downgrade(self) -> None:
        engine = open_engine(self._database)
        schema.downgrade(engine, schema.KNOWN[-2])
        engine.dispose()

    def world(self) -> World:
        self._number += 1
        home = self.home
        if self.embedded:
            home = Path(shutil.copytree(self.home, self.root / f"home{self._number}"))
        return World(home, self.source, "a/m", self.root / "out")

    def leave(self, world: World) -> None:
        if self.embedded:
            shutil.rmtree(world.home)
        else:
            self._downgrade()

    def works(self, accident: Accident) -> None:
        """The same command again brings the database up, with every table filled."""
        with worlds.open_context(accident.world.home) as context:
            assert schema.current(context.raw_engine) in schema.KNOWN[-2:], accident.name
            fsck.upgrade(context)
            sound(context)
            verifies(context, "a/m")


@pytest.fixture
def outdated(memory: Path, backend: worlds.Backend) -> Outdated:
    return Outdated(memory, backend)


def _arguments(world: World) -> tuple[object, ...]:
    return (world.home,)


@pytest.mark.parametrize("how", ["kill-before", "kill-after"])
def test_an_upgrade_killed_at_any_effect(outdated: Outdated, nursery: Nursery, how: How) -> None:
    for accident in accidents(outdated, nursery, how, outdated.kinds, "upgrade", _arguments):
        assert accident.ended.killed, accident.name
        outdated.works(accident)


@pytest.mark.parametrize("how", ["error", "lost"])
def test_an_upgrade_that_meets_an_error_at_any_effect(outdated: Outdated, nursery: Nursery, how: How) -> None:
    reads = how == "error"
    for accident in accidents(outdated, nursery, how, SERVERS, "upgrade", _arguments, reads=reads, step=2):
        if accident.done.error is None:
            assert accident.done.hit in TOLERATED, accident.name
        else:
            assert accident.done.exit_code == 7, f"{accident.name}: {accident.done.text}"
        outdated.works(accident)
