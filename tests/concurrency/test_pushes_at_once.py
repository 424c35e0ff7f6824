"""Eight processes push to one model at the same moment: each lands exactly once, and nothing is lost."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry import catalog
from registry.checkout import checkout
from registry.context import Context
from support import worlds
from support.aftermath import (
    FILES,
    Stage,
    World,
    collected,
    kill_push,
    publication,
    sound,
    spotless,
    verifies,
    versions,
)
from support.forks import Nursery
from support.jobs import Done
from support.pausing import Pausable

MANY = 8
HEAD_START = 0.3  # seconds in which all the children are there and wait


def _at_once(nursery: Nursery, deeds: list[tuple[Any, ...]]) -> list[Done]:
    start = time.time() + HEAD_START
    children = [nursery.start("together", start, *deed) for deed in deeds]
    ended = [nursery.wait(child) for child in children]
    assert not any(one.late or one.signal for one in ended), ended
    return [one.result for one in ended]


def _sources(stage: Stage, same: bool) -> list[Path]:
    if same:
        return [stage.source] * MANY
    made = []
    for number in range(MANY):
        source = Path(shutil.copytree(stage.source, stage.root / f"source{number}"))
        (source / "notes.txt").write_text(f"number {number}")
        made.append(source)
    return made


def _landed(context: Context, ref: str, done: list[Done]) -> None:
    """Every push has a version of its own, without a gap, and every version verifies."""
    assert [one.text for one in done if one.error] == []
    assert sorted(one.value.ref.version for one in done) == list(range(1, MANY + 1))
    assert len({one.value.seq for one in done}) == MANY
    assert versions(context, ref) == MANY
    assert sound(context).acts == 2 + MANY  # genesis, and one ``create``, whoever came first
    for one in done:
        assert catalog.show(context, str(one.value.ref))["digest"] == one.value.digest
        verifies(context, str(one.value.ref))


@pytest.mark.parametrize("same", [True, False], ids=["the-same-files", "different-files"])
def test_eight_pushes_to_a_model_that_does_not_exist_yet(stage: Stage, nursery: Nursery, same: bool) -> None:
    world = stage.world()
    sources = _sources(stage, same)
    done = _at_once(nursery, [("push", world.home, source, world.ref) for source in sources])
    with worlds.open_context(world.home) as context:
        _landed(context, world.ref, done)
        # What all of them have is stored once, whoever stored it.
        spotless(context)
        assert len(worlds.blobs_of(context)) == (FILES if same else FILES + MANY)


def test_eight_pushes_that_want_one_label(stage: Stage, nursery: Nursery) -> None:
    """One gets it; the others are told, and publish nothing."""
    world = stage.world()
    deeds = [("push", world.home, source, world.ref, {"label": "gold"}) for source in _sources(stage, False)]
    done = _at_once(nursery, deeds)
    assert sorted(str(one.error) for one in done) == ["AlreadyExists"] * (MANY - 1) + ["None"]
    with worlds.open_context(world.home) as context:
        assert versions(context, world.ref) == 1
        verifies(context, f"{world.ref}:gold")
        collected(context)  # the others' journals stay, for them to resume under another label


def test_eight_pushes_that_move_one_alias(stage: Stage, nursery: Nursery) -> None:
    """The alias points at one of them, and that one verifies by it."""
    world = stage.world()
    deeds = [
        ("push", world.home, source, world.ref, {"aliases": ["prod"]}) for source in _sources(stage, False)
    ]
    done = _at_once(nursery, deeds)
    with worlds.open_context(world.home) as context:
        _landed(context, world.ref, done)
        assert catalog.show(context, f"{world.ref}:prod")["number"] == MANY  # acts apply in ledger order
        verifies(context, f"{world.ref}:prod")


def _rival(stage: Stage, world: World) -> World:
    """Another model's files, for the same reference."""
    source = Path(shutil.copytree(stage.source, stage.root / "rival"))
    (source / "notes.txt").write_text("the rival's")
    return replace(world, source=source)


def test_who_comes_second_while_storing_seals_to_the_same_vault(stage: Stage, nursery: Nursery) -> None:
    """One has created the model and stored a blob when another publishes the first version."""
    world = stage.world()
    loser = Pausable(nursery, _rival(stage, world))
    loser.wait()
    assert nursery.run("attempt", "push", world.home, world.source, world.ref).result.value.ref.version == 1
    assert loser.finish().ref.version == 2
    with worlds.open_context(world.home) as context:
        model = checkout(context, f"{world.ref}:2")
        assert bytes(model.files["notes.txt"]) == b"the rival's"
        assert bytes(model.files["weights.bin"]) == (stage.source / "weights.bin").read_bytes()
        for number in (1, 2):
            verifies(context, f"{world.ref}:{number}")
        spotless(context)


def test_who_dies_before_its_commit_keeps_what_only_it_has(stage: Stage, nursery: Nursery) -> None:
    """What another has published meanwhile is reused; what is in the journal alone is not stored again."""
    world = stage.world()
    rival = _rival(stage, world)
    kill_push(stage, nursery, rival, "kill-before", publication)
    assert nursery.run("attempt", "push", world.home, world.source, world.ref).result.value.ref.version == 1
    again = nursery.run("attempt", "push", rival.home, rival.source, rival.ref).result
    assert again.error is None, again.text
    assert (again.value.ref.version, again.value.stored, again.value.reused) == (2, 0, 1 + FILES)
    with worlds.open_context(world.home) as context:
        verifies(context, f"{world.ref}:2")
        spotless(context)
