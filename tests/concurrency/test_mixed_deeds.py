"""Everything at the same time: nothing is damaged, and whatever fails fails with a reason."""

from __future__ import annotations

import random
import time
from typing import Any

from support import worlds
from support.aftermath import Stage, World, sound, spotless, verifies, versions
from support.forks import Nursery
from support.jobs import Done

WORKERS = 8
DEEDS = 5  # of each worker

# What may come of a deed when others come first: a version that is yanked cannot be pulled, or get an alias.
EXPECTED = {"yank": {"AlreadyExists"}, "pull": {"Yanked"}, "alias": {"Yanked"}}


def _script(stage: Stage, world: World, worker: int) -> list[tuple[Any, ...]]:
    chance = random.Random(worker)
    choices = {
        "push": lambda number: (world.home, world.source, world.ref),
        "pull": lambda number: (world.home, f"{world.ref}:1", stage.root / f"out-{worker}-{number}"),
        "alias": lambda number: (world.home, f"{world.ref}:1", chance.choice(["prod", "next"])),
        "yank": lambda number: (world.home, f"{world.ref}:2"),
        "gc": lambda number: (world.home,),
        "check": lambda number: (world.home,),
    }
    names = ["push", *chance.choices(list(choices), weights=[3, 3, 2, 1, 2, 2], k=DEEDS - 1)]
    return [(name, *choices[name](number)) for number, name in enumerate(names)]


def _as_expected(name: str, done: Done) -> None:
    assert done.error is None or done.error in EXPECTED.get(name, set()), done.text
    if name == "check":
        assert done.value.findings == ()
        assert done.value.orphans == ()
    if name == "gc" and done.error is None:
        assert done.value.removed == ()


def test_eight_processes_doing_everything(stage: Stage, nursery: Nursery) -> None:
    world = stage.world()
    for _ in range(2):
        assert nursery.run("attempt", "push", world.home, world.source, world.ref).result.error is None
    scripts = [_script(stage, world, worker) for worker in range(WORKERS)]
    start = time.time() + 0.3
    children = [nursery.start("many", start, script) for script in scripts]
    results = [nursery.wait(child) for child in children]
    pushed = 2
    for script, ended in zip(scripts, results, strict=True):
        assert ended.result is not None, ended
        for deed, done in zip(script, ended.result, strict=True):
            _as_expected(deed[0], done)
            pushed += deed[0] == "push"
    with worlds.open_context(world.home) as context:
        sound(context)
        assert versions(context, world.ref) == pushed
        verifies(context, f"{world.ref}:{pushed}")
        spotless(context)
