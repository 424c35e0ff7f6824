"""A push is cut short at every one of its effects: by an error, by a lost answer, by SIGKILL."""

from __future__ import annotations

import pytest

from support.aftermath import (
    Accident,
    Stage,
    World,
    accidents,
    publication,
    push_resumes,
    sound,
    spotless,
    verifies,
    versions,
)
from support.faultline import ALL, SERVERS, How
from support.forks import Nursery

# Failing, these do not make a push fail: cleaning up behind what is done, making what is there already.
TOLERATED = {"disk unlink", "disk mkdir", "database ROLLBACK", "database PING"}


def _arguments(world: World) -> tuple[object, ...]:
    return world.home, world.source, world.ref


def _aftermath(stage: Stage, accident: Accident, shown: bool) -> None:
    world = accident.world
    with stage.open(world) as context:
        orphans = len(sound(context).orphans)
        # A first push makes two acts: a model that is created and has no version is shown nowhere.
        assert versions(context, world.ref) == int(shown), accident.name
        if shown:
            verifies(context, f"{world.ref}:1")
        push_resumes(context, world, int(shown), orphans)
        spotless(context)


def _fails(accident: Accident) -> bool:
    """That the push failed in a way that people can act on; or it came through, for a reason known here."""
    if accident.done.error is None:
        assert accident.done.hit in TOLERATED, accident.name
        return False
    assert accident.done.exit_code == 7, f"{accident.name}: {accident.done.text}"
    return True


@pytest.mark.parametrize("how", ["kill-before", "kill-after"])
def test_a_push_killed_at_any_effect(stage: Stage, nursery: Nursery, how: How) -> None:
    for accident in accidents(stage, nursery, how, ALL, "push", _arguments):
        assert accident.ended.killed, accident.name
        _aftermath(stage, accident, accident.number + (how == "kill-after") > publication(accident.met))


@pytest.mark.parametrize("how", ["error", "stays"])
def test_a_push_that_meets_an_error_at_any_effect(stage: Stage, nursery: Nursery, how: How) -> None:
    for accident in accidents(stage, nursery, how, ALL, "push", _arguments):
        failed = _fails(accident)
        _aftermath(stage, accident, not failed or accident.published)


def test_a_push_that_cannot_read_at_any_point(stage: Stage, nursery: Nursery) -> None:
    """Every twelfth of the effects when what only reads counts, too; on servers, of what they are asked."""
    kinds = ALL if stage.embedded else SERVERS
    for accident in accidents(stage, nursery, "error", kinds, "push", _arguments, reads=True, step=12):
        failed = _fails(accident)
        _aftermath(stage, accident, not failed or accident.published)


def test_a_push_whose_answer_is_lost(stage: Stage, nursery: Nursery) -> None:
    """The commit, or the store's request, did happen; only the word of it did not arrive."""
    for accident in accidents(stage, nursery, "lost", SERVERS, "push", _arguments, step=8):
        assert _fails(accident), accident.name
        _aftermath(stage, accident, accident.number >= publication(accident.met))
