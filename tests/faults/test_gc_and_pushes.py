"""gc and fsck beside pushes: gc takes what a dead push left, and nothing that a living one needs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from registry import fsck
from registry.context import Context, utc_now
from registry.errors import Conflict, Unavailable
from registry.progress import Silent
from registry.push import push
from registry.records import leases
from support.aftermath import FILES, Stage, World, kill_push, publication, sound, spotless, verifies, versions
from support.forks import Nursery
from support.pausing import BETWEEN, Pausable
from support.worlds import blobs_of, open_context

BIG = 9 << 20  # bytes: more than one part, so that it goes to a server in pieces


class Meanwhile:
    """A store where something happens the first time that one of its methods is asked for."""

    def __init__(self, store: Any, name: str, happening: Callable[[], None]) -> None:
        self._store, self._name, self._happening = store, name, happening

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            self._name = ""
            self._happening()
        return getattr(self._store, name)


@pytest.fixture
def world(stage: Stage) -> World:
    return stage.world()


@pytest.fixture
def big(stage: Stage, world: World) -> World:
    """A model with a third file, the second by name, that is stored in more than one part."""
    source = stage.root / "big"
    shutil.copytree(world.source, source)
    (source / "padding.bin").write_bytes(bytes(BIG))
    return replace(world, source=source)


@pytest.fixture
def context(world: World) -> Iterator[Context]:
    with open_context(world.home) as opened:
        yield opened


def test_gc_leaves_a_push_under_way_alone(context: Context, big: World, nursery: Nursery) -> None:
    running = Pausable(nursery, big)
    running.wait()
    collected = fsck.gc(context)
    assert collected.removed == ()
    assert set(collected.kept) == blobs_of(context).keys()
    assert len(collected.kept) == 1
    checked = fsck.fsck(context)
    assert (checked.findings, checked.orphans, len(checked.under_way)) == ((), (), 1)
    assert running.finish().stored == FILES + 1
    verifies(context, big.ref)
    spotless(context)


def test_gc_takes_what_a_killed_push_left(
    stage: Stage, context: Context, world: World, nursery: Nursery
) -> None:
    kill_push(stage, nursery, world, "kill-before", publication)
    orphans = sound(context).orphans
    assert len(orphans) == FILES
    assert set(fsck.gc(context).removed) == set(orphans)
    assert sound(context).orphans == ()


def test_gc_sweeps_the_unfinished_upload_of_a_killed_push(
    stage: Stage, context: Context, big: World, nursery: Nursery
) -> None:
    piece = "disk pwrite" if stage.embedded else "store UploadPart"
    # in a directory the first file is written in the same way, as one part
    first = 1 if stage.embedded else 0
    kill_push(
        stage, nursery, big, "kill-after", lambda met: [n for n, x in enumerate(met, 1) if x == piece][first]
    )
    orphans = sound(context).orphans
    assert len(fsck.gc(context).removed) > len(orphans)
    assert list(context.store.sweep(lambda _: False)) == []
    assert fsck.gc(context).removed == ()


def test_a_push_that_begins_while_gc_runs_keeps_its_upload(
    context: Context, big: World, nursery: Nursery
) -> None:
    """gc knows who is pushing; then a push begins; then gc looks for unfinished uploads."""
    pushes: list[Pausable] = []

    def begin() -> None:
        pushes.append(Pausable(nursery, big))
        pushes[0].wait()

    context.__dict__["store"] = Meanwhile(context.store, "sweep", begin)
    assert fsck.gc(context).removed == ()
    assert pushes[0].finish().stored == FILES + 1
    verifies(context, big.ref)


def test_a_push_that_resumes_while_gc_runs_is_not_published_without_its_blobs(
    stage: Stage, context: Context, world: World, nursery: Nursery
) -> None:
    """gc finds that a push is dead; then the same push resumes; then gc removes its blobs."""
    kill_push(stage, nursery, world, "kill-before", publication)
    children: list[int] = []

    def resume() -> None:
        children.append(nursery.start("attempt", "push", world.home, world.source, world.ref))
        time.sleep(1)  # more than the push needs, if nothing holds it up

    context.__dict__["store"] = Meanwhile(context.store, "delete", resume)
    fsck.gc(context)
    done = nursery.wait(children[0]).result
    assert done.error is None, done.text
    verifies(context, world.ref)
    assert sound(context).orphans == ()


def test_fsck_beside_a_push_finds_nothing(
    context: Context, world: World, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole push happens after fsck has begun to read: the remembered checkpoint overtakes what it sees."""
    check = fsck._ledger

    def and_then_push(*arguments: Any) -> Any:
        found = list(check(*arguments))
        done = nursery.run("attempt", "push", world.home, world.source, world.ref).result
        assert done.error is None, done.text
        return found

    monkeypatch.setattr(fsck, "_ledger", and_then_push)
    checked = fsck.fsck(context)
    assert (checked.findings, checked.orphans, checked.under_way) == ((), (), ())


def test_two_pushes_of_one_path_at_once(context: Context, world: World, nursery: Nursery) -> None:
    """The second does not share the first one's journal, and the model keeps one blob of each content."""
    first = Pausable(nursery, world)
    first.wait()
    second = nursery.run("attempt", "push", world.home, world.source, world.ref).result
    assert second.error is None, second.text
    assert second.value.ref.version == 1
    assert first.finish().ref.version == 2
    assert len(blobs_of(context)) == FILES
    for number in (1, 2):
        verifies(context, f"{world.ref}:{number}")
    spotless(context)


class Asleep(Silent):
    """Stops the clock of a push where its first blob is stored, and has gc run elsewhere meanwhile."""

    def __init__(self, collect: Callable[[], None]) -> None:
        self._collect, self._left = collect, BETWEEN

    def advance(self, amount: int) -> None:
        self._left -= 1
        if self._left == 0:
            self._collect()


def test_a_push_that_slept_past_its_lease_is_not_published_without_its_blobs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gc on another machine takes it for dead: it cannot see whether the process lives."""
    late = [timedelta()]

    def now() -> datetime:
        return utc_now() + late[0]

    def collect() -> None:
        late[0] = leases.TERM
        with monkeypatch.context() as patch, open_context(world.home, now=now) as elsewhere:
            patch.setattr(leases.socket, "gethostname", lambda: "elsewhere")
            assert len(fsck.gc(elsewhere).removed) > 0

    with open_context(world.home, now=now, progress=Asleep(collect)) as context:
        with pytest.raises((Conflict, Unavailable)):
            push(context, world.source, world.ref)
        assert versions(context, world.ref) == 0
        assert push(context, world.source, world.ref).ref.version == 1
        verifies(context, world.ref)


def test_another_process_with_a_dead_push_s_number_does_not_keep_its_lease(
    stage: Stage, context: Context, world: World, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_push(stage, nursery, world, "kill-before", publication)
    monkeypatch.setattr(leases, "_process", lambda pid: f"{pid}:1")  # the start time tells the two apart
    assert len(sound(context).orphans) == FILES


def test_a_lease_from_another_machine_holds_until_its_term_is_over(
    stage: Stage, context: Context, world: World, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_push(stage, nursery, world, "kill-before", publication)
    monkeypatch.setattr(leases.socket, "gethostname", lambda: "elsewhere")
    collected = fsck.gc(context)
    assert (collected.removed, len(collected.kept)) == ((), FILES)
    now = context.now
    context.now = lambda: now() + leases.TERM
    assert len(fsck.gc(context).removed) == FILES
