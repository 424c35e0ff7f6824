"""The source changes under a push: that is noticed, and nothing is published."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from registry import fsck
from support.aftermath import Stage, World, push_resumes, sound, versions
from support.forks import Nursery
from support.worlds import open_context

BIG = 40 << 20  # bytes: far more than a push has in its buffers when its first bytes are stored


@pytest.fixture
def world(stage: Stage) -> World:
    made = stage.world()
    source = stage.root / "own"
    shutil.copytree(made.source, source)
    return World(made.home, source, made.ref, made.out)


def _is_refused(stage: Stage, nursery: Nursery, world: World, when: str, change: str, victim: Path) -> None:
    place = (world.home, world.source, world.ref, when, change, victim)
    done = nursery.run("attempt", "push_meddled", *place).result
    assert (done.error, done.exit_code) == ("SourceChanged", 6), done.text
    with open_context(world.home) as context:
        orphans = len(sound(context).orphans)
        assert versions(context, world.ref) == 0
        shutil.rmtree(world.source)
        shutil.copytree(stage.source, world.source)
        push_resumes(context, world, 0, orphans)
        fsck.gc(context)
        assert sound(context).orphans == ()


@pytest.mark.parametrize("file", ["model.onnx", "weights.bin"])
@pytest.mark.parametrize("change", ["rewrite", "shrink", "grow", "exchange"])
def test_a_file_that_changes_after_inspection(
    stage: Stage, world: World, nursery: Nursery, change: str, file: str
) -> None:
    """``rewrite`` puts other bytes of the same number in place and sets the modification time back."""
    _is_refused(stage, nursery, world, "begin", change, world.source / file)


@pytest.mark.parametrize("change", ["rewrite", "shrink", "grow"])
def test_a_file_that_changes_while_it_is_read(
    stage: Stage, world: World, nursery: Nursery, change: str
) -> None:
    """The first file by name is so long that its end is not read when its beginning is stored."""
    big = world.source / "a.bin"
    big.write_bytes(bytes(BIG))
    _is_refused(stage, nursery, world, "advance", change, big)
