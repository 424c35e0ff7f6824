"""A pull is cut short at every one of its effects: what it leaves, and what the next one finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from registry.pull import pull
from registry.push import push
from support.aftermath import Accident, Stage, World, accidents, sound
from support.faultline import ALL, SERVERS, How
from support.forks import Nursery
from support.graphs import files_of
from support.worlds import open_context

REF = "a/published"
# Failing, these do not make a pull fail: cleaning up behind what is done, making what is there already.
TOLERATED = {"disk unlink", "disk mkdir", "database ROLLBACK", "database PING"}


@pytest.fixture
def published(stage: Stage, nursery: Nursery) -> Stage:
    with open_context(stage.home) as context:
        push(context, stage.source, REF)
    # What a pull says is written down the first time: where worlds share a ledger, that time is over.
    assert nursery.run("pull", stage.home, REF, stage.root / "once").result is not None
    return stage


def _arguments(world: World) -> tuple[object, ...]:
    return world.home, REF, world.out


def _deeper(world: World) -> tuple[object, ...]:
    return world.home, REF, world.out / "made" / "on the way"


def _whole(stage: Stage, directory: Path) -> bool:
    found = files_of(directory)
    return found.pop("model.sig", None) is not None and found == files_of(stage.source)


def _left(stage: Stage, target: Path) -> list[str]:
    """What is at the target or where its staging directory would be."""
    return sorted(path.name for path in stage.root.glob(f"*{target.name}*"))


def _again(stage: Stage, world: World, directory: Path) -> None:
    """The next pull to the same place succeeds, and removes what the one before left."""
    with stage.open(world) as context:
        pull(context, REF, directory, force=directory.exists())
        assert _whole(stage, directory)
        assert _left(stage, world.out) == [world.out.name]
        assert sound(context).orphans == ()


@pytest.mark.parametrize("how", ["kill-before", "kill-after"])
def test_a_pull_killed_at_any_effect(published: Stage, nursery: Nursery, how: How) -> None:
    for accident in accidents(published, nursery, how, ALL, "pull", _arguments):
        assert accident.ended.killed, accident.name
        out = accident.world.out
        assert _left(published, out) in ([], [out.name], [f".{out.name}.hallmark-partial"]), accident.name
        assert not out.exists() or _whole(published, out), accident.name
        _again(published, accident.world, out)


def _fails(
    published: Stage, accident: Accident, directory: Path, may_stay: Callable[[Accident], bool]
) -> None:
    done = accident.done
    if done.error is None:
        assert done.hit in TOLERATED, accident.name
        assert _whole(published, directory), accident.name
    else:
        assert done.exit_code == 7, f"{accident.name}: {done.text}"
        left = _left(published, accident.world.out)
        assert left == [] or (may_stay(accident) and _whole(published, directory)), f"{accident.name}: {left}"


@pytest.mark.parametrize("how", ["error", "stays"])
def test_a_pull_that_meets_an_error_leaves_nothing(published: Stage, nursery: Nursery, how: How) -> None:
    def cannot_be_taken_back(accident: Accident) -> bool:
        return how == "stays" and accident.number == len(accident.met)  # the fsync after the rename

    for accident in accidents(published, nursery, how, ALL, "pull", _arguments):
        _fails(published, accident, accident.world.out, cannot_be_taken_back)
        _again(published, accident.world, accident.world.out)


def test_a_pull_that_cannot_read_at_any_point(published: Stage, nursery: Nursery) -> None:
    """Every twelfth of the effects when what only reads counts, too; on servers, of what they are asked."""
    kinds = ALL if published.embedded else SERVERS
    for accident in accidents(published, nursery, "error", kinds, "pull", _deeper, reads=True, step=12):
        directory = accident.world.out / "made" / "on the way"
        _fails(published, accident, directory, lambda _: False)
        _again(published, accident.world, directory)


def test_a_failed_pull_leaves_an_empty_target_empty(published: Stage, nursery: Nursery) -> None:
    def into_empty(world: World) -> tuple[object, ...]:
        world.out.mkdir()
        return _arguments(world)

    for accident in accidents(published, nursery, "error", ALL, "pull", into_empty, step=5):
        if accident.done.error is not None:
            assert _left(published, accident.world.out) == [accident.world.out.name], accident.name
            assert list(accident.world.out.iterdir()) == [], accident.name
