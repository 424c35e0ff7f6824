"""A founding is cut short at every one of its effects: the next one finishes it, or begins anew."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from registry.context import Context
from registry.errors import AlreadyExists, HomeNotFound
from registry.push import push
from registry.records.database import open_engine
from support import worlds
from support.aftermath import OWN, Accident, World, accidents, sound
from support.faultline import ALL, SERVERS, How
from support.forks import Nursery

# Failing, these do not make a founding fail: cleaning up behind what is done, giving a connection back.
TOLERATED = {"disk unlink", "database ROLLBACK", "database PING"}


class Ground:
    """Gives out places for a new home, each with an empty database: its own file, or a server's, emptied."""

    def __init__(self, root: Path, backend: worlds.Backend) -> None:
        self.root, self.backend = root, backend
        self.embedded = backend.database is None
        self.kinds = ALL if self.embedded else SERVERS  # files are the same beside a server
        self.source = worlds.make_model(root / "source").parent
        self._numbers = count(1)

    def world(self) -> World:
        number = next(self._numbers)
        return World(self.root / f"home{number}", self.source, "a/m", self.root / f"out{number}")

    def arguments(self, world: World) -> tuple[object, ...]:
        return world.home, self.backend.database, self.backend.store

    def leave(self, world: World) -> None:
        if self.backend.database is not None:
            engine = open_engine(self.backend.database)
            with engine.begin() as connection:
                connection.execute(sa.text("DROP SCHEMA public CASCADE"))
                connection.execute(sa.text("CREATE SCHEMA public"))
            engine.dispose()

    def works(self, world: World, *, at_once: bool) -> None:
        """There is a whole registry, or none (never with ``at_once``) and init makes one; it can be used."""
        try:
            with worlds.open_context(world.home) as context:
                known = context.config.registry_id
        except HomeNotFound:
            assert not at_once
            worlds.make_home(world.home, self.backend)
        else:
            with pytest.raises(AlreadyExists):
                worlds.make_home(world.home, self.backend)
            with worlds.open_context(world.home) as context:
                assert context.config.registry_id == known
        with worlds.open_context(world.home) as context:
            self._is_usable(context)

    def _is_usable(self, context: Context) -> None:
        assert sound(context).acts == 1
        push(context, self.source, "a/m")
        assert {place.name for place in context.paths.home.iterdir()} - OWN == set()


@pytest.fixture
def ground(memory: Path, backend: worlds.Backend) -> Ground:
    return Ground(memory, backend)


def _checked(accident: Accident) -> bool:
    """That the founding failed in a way that people can act on; or it came through."""
    if accident.done.error is None:
        assert accident.done.hit in TOLERATED, accident.name
        return False
    assert accident.done.exit_code == 7, f"{accident.name}: {accident.done.text}"
    return True


@pytest.mark.parametrize("how", ["kill-before", "kill-after"])
def test_an_init_killed_at_any_effect(ground: Ground, nursery: Nursery, how: How) -> None:
    for accident in accidents(ground, nursery, how, ground.kinds, "init", ground.arguments):
        assert accident.ended.killed, accident.name
        ground.works(accident.world, at_once=False)


@pytest.mark.parametrize("how", ["error", "stays"])
def test_an_init_that_meets_an_error_at_any_effect(ground: Ground, nursery: Nursery, how: How) -> None:
    for accident in accidents(ground, nursery, how, ground.kinds, "init", ground.arguments):
        ground.works(accident.world, at_once=not _checked(accident))


def test_an_init_that_cannot_read_at_any_point(ground: Ground, nursery: Nursery) -> None:
    """Every twelfth of the effects when what only reads counts, too."""
    kinds = ground.kinds
    for accident in accidents(ground, nursery, "error", kinds, "init", ground.arguments, reads=True, step=12):
        ground.works(accident.world, at_once=not _checked(accident))


def test_an_init_whose_answer_is_lost(ground: Ground, nursery: Nursery) -> None:
    """The commit did happen; only the word of it did not arrive."""
    for accident in accidents(ground, nursery, "lost", SERVERS, "init", ground.arguments, step=6):
        ground.works(accident.world, at_once=not _checked(accident))


def test_an_init_that_is_killed_twice(ground: Ground, nursery: Nursery) -> None:
    """The first died with its genesis act in the database, or before that: so does the one that resumes."""
    for accident in accidents(ground, nursery, "kill-after", ground.kinds, "init", ground.arguments, step=12):
        assert accident.ended.killed
        again = nursery.run("faulted", accident.plan, "init", *ground.arguments(accident.world))
        assert again.killed or again.result.exit_code in (0, 6), again.result.text
        ground.works(accident.world, at_once=False)
