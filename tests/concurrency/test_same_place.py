"""Two processes want the same place: one gets it, and the other does no harm."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from registry import pull as pulling
from registry.blobs import open_store
from registry.errors import Conflict
from registry.push import push
from support import worlds
from support.aftermath import OWN, Stage, sound
from support.forks import Nursery
from support.graphs import files_of
from support.jobs import Done

TWO = 2
ROUNDS = 5  # a race that is there shows in one of them


def _at_once(nursery: Nursery, deeds: list[tuple[Any, ...]]) -> list[Done]:
    start = time.time() + 0.1
    children = [nursery.start("together", start, *deed) for deed in deeds]
    ended = [nursery.wait(child) for child in children]
    assert not any(one.late or one.signal for one in ended), ended
    return [one.result for one in ended]


def test_two_inits_in_one_home(memory: Path, backend: worlds.Backend, nursery: Nursery) -> None:
    deed = ("init", memory / "home", backend.database, backend.store)
    done = _at_once(nursery, [deed] * TWO)
    assert sorted(str(one.error) for one in done) == ["AlreadyExists", "None"]
    with worlds.open_context(memory / "home") as context:
        assert context.config.registry_id in [one.value for one in done]
        assert sound(context).acts == 1
        assert {place.name for place in context.paths.home.iterdir()} - OWN == set()


def test_two_inits_in_two_homes_with_one_database(memory: Path, postgres_url: str, nursery: Nursery) -> None:
    homes = [memory / "one", memory / "two"]
    done = _at_once(nursery, [("init", home, postgres_url, str(memory / "blobs")) for home in homes])
    assert sorted(str(one.error) for one in done) == ["AlreadyExists", "None"], [one.text for one in done]
    winner = homes[[one.error for one in done].index(None)]
    with worlds.open_context(winner) as context:
        assert sound(context).acts == 1


def test_two_pulls_into_one_directory(stage: Stage, nursery: Nursery) -> None:
    """One writes it whole; the other finds it taken, or sees the first at work, and touches nothing."""
    world = stage.world()
    with worlds.open_context(world.home) as context:
        push(context, world.source, world.ref)
    for number in range(ROUNDS):
        out = stage.root / f"pulled{number}"
        done = _at_once(nursery, [("pull", world.home, world.ref, out)] * TWO)
        assert [one.error for one in done].count(None) == 1, [one.text for one in done]
        assert {one.error for one in done} <= {None, "Conflict", "AlreadyExists"}, [one.text for one in done]
        found = files_of(out)
        assert found.pop("model.sig")
        assert found == files_of(world.source)
        assert list(stage.root.glob(".*partial")) == []


@pytest.mark.parametrize("force", [False, True])
def test_a_pull_that_is_refused_leaves_the_running_one_its_files(
    stage: Stage, nursery: Nursery, force: bool
) -> None:
    """The second comes while the first, held up, has its files in the staging directory."""
    world = stage.world()
    with worlds.open_context(world.home) as context:
        push(context, world.source, world.ref)
    arrived, go = stage.root / "arrived", stage.root / "go"
    first = nursery.start("attempt", "pull_stopping", world.home, world.ref, world.out, arrived, go, 2)
    while not arrived.exists():
        time.sleep(0.005)
    second = nursery.run("attempt", "pull", world.home, world.ref, world.out, force).result
    assert (second.error, second.exit_code) == ("Conflict", 6), second.text
    go.touch()
    done = nursery.wait(first).result
    assert done.error is None, done.text
    assert files_of(world.out).keys() == {*files_of(world.source), "model.sig"}


def test_a_pull_that_locks_what_has_just_been_published(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its opening the staging directory and its lock, the other pull renames that into place."""
    world = stage.world()
    staging = world.out.with_name(f".{world.out.name}.hallmark-partial")
    staging.mkdir()
    (staging / "theirs").write_bytes(b"whole")

    def flock(descriptor: int, how: int) -> None:
        staging.rename(world.out)

    monkeypatch.setattr(pulling.fcntl, "flock", flock)
    with stage.open(world) as context, pytest.raises(Conflict):
        pulling.pull(context, world.ref, world.out)
    assert files_of(world.out) == {"theirs": b"whole"}
    stage.close()


def test_two_uploads_of_one_blob_id(store_url: str, nursery: Nursery) -> None:
    """One is published, whole; the other is told that the id is taken, and overwrites nothing."""
    for number in range(ROUNDS):
        name, contents = f"blob-{number}", [bytes([which]) * 50_000 for which in range(TWO)]
        done = _at_once(nursery, [("store_blob", store_url, name, content) for content in contents])
        assert sorted(str(one.error) for one in done) == ["BlobExists", "None"], [one.text for one in done]
        winner = [one.error for one in done].index(None)
        reader = open_store(store_url).open(name)
        found = bytearray(reader.size)
        reader.read_into(0, memoryview(found))
        reader.close()
        assert bytes(found) == contents[winner]
