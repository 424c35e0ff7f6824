"""Ctrl-C at any moment: the deed ends, and leaves what an error would have left."""

from __future__ import annotations

import pytest

from support.aftermath import Stage, World, accidents, publication, push_resumes, sound, spotless, versions
from support.faultline import ALL
from support.forks import Nursery

STEP = 5


def _push(world: World) -> tuple[object, ...]:
    return world.home, world.source, world.ref


def test_an_interrupted_push(stage: Stage, nursery: Nursery) -> None:
    for accident in accidents(stage, nursery, "interrupt", ALL, "push", _push, step=STEP):
        assert accident.done.error == "KeyboardInterrupt", f"{accident.name}: {accident.done.text}"
        world = accident.world
        with stage.open(world) as context:
            checked = sound(context)
            # The signal may be noticed a little after the effect that it came with.
            shown = versions(context, world.ref)
            assert shown <= int(accident.number >= publication(accident.met)), accident.name
            push_resumes(context, world, shown, len(checked.orphans))
            spotless(context)


@pytest.mark.parametrize("deep", [False, True])
def test_an_interrupted_pull_leaves_nothing(stage: Stage, nursery: Nursery, deep: bool) -> None:
    first = stage.world()
    assert nursery.run("attempt", "push", first.home, first.source, "a/m").result.error is None
    # What a pull says is written down the first time: every attempt shares the ledger, so that is over.
    assert nursery.run("attempt", "pull", first.home, "a/m", stage.root / "once").result.error is None

    def arguments(world: World) -> tuple[object, ...]:
        return first.home, "a/m", world.out / "deeper" if deep else world.out

    for accident in accidents(stage, nursery, "interrupt", ALL, "pull", arguments, step=STEP):
        assert accident.done.error == "KeyboardInterrupt", f"{accident.name}: {accident.done.text}"
        left = list(stage.root.glob(f"*{accident.world.out.name}*"))
        renamed = accident.number > accident.met.index("disk rename")
        assert left == [] or renamed, accident.name
