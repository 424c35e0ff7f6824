"""Places to have accidents in, and what must be true after one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from typing import Protocol

from registry import catalog, checkout, fsck
from registry.context import Context
from registry.errors import ReferenceNotFound
from registry.push import push
from registry.records import queries
from registry.records.database import reading
from support import worlds
from support.faultline import How, Kind, Plan
from support.forks import Ended, Nursery
from support.jobs import Done

# Before an effect is after the one before it, so of what is struck in a second way a part is enough.
STEPS: dict[How, int] = {"kill-before": 4, "stays": 4}
_COMMIT = "database COMMIT"
SERVERS_STEP = 16  # a deed takes far longer where servers answer
FILES = 2  # of the model that is pushed: the graph and its external data
OWN = {"registry.json", "identity.pem", "ledger.pem", "checkpoint", ".checkpoint.lock", "blobs", "pushes"}
OWN |= {"registry.db", "registry.db-wal", "registry.db-shm"}


@dataclass(frozen=True)
class World:
    """A home, the model to push to it, and where to pull to: nothing is at ``ref`` or ``out`` yet."""

    home: Path
    source: Path
    ref: str
    out: Path


class Grounds(Protocol):
    """What gives out worlds."""

    root: Path
    embedded: bool  # worlds are cheap

    def world(self) -> World: ...

    def leave(self, world: World) -> None: ...


class Stage:
    """Gives out worlds. On SQLite each has a home of its own; where the database and the store are
    servers, making one costs too much, and each is another namespace of one registry."""

    def __init__(self, root: Path, backend: worlds.Backend) -> None:
        self.root = root
        self.embedded = backend.database is None and backend.store is None
        self.home = worlds.make_home(root / "home", backend)
        self.source = worlds.make_model(root / "source", external="weights.bin").parent
        self._numbers = count(1)
        self._opened: Context | None = None

    def world(self) -> World:
        number = next(self._numbers)
        home = self.home
        if self.embedded:
            home = Path(shutil.copytree(self.home, self.root / f"home{number}"))
        return World(home, self.source, f"n{number}/m", self.root / f"out{number}")

    @contextmanager
    def open(self, world: World) -> Iterator[Context]:
        """A registry opened; on servers one and the same every time, for connections cost."""
        if self.embedded:
            with worlds.open_context(world.home) as context:
                yield context
        else:
            self._opened = self._opened or worlds.open_context(self.home)
            yield self._opened

    def close(self) -> None:
        if self._opened:
            self._opened.close()

    def leave(self, world: World) -> None:
        """The world is needed no more."""
        if self.embedded:
            shutil.rmtree(world.home)
        if world.out.exists():
            shutil.rmtree(world.out)


@dataclass(frozen=True)
class Accident:
    """One deed with one fault under it."""

    world: World
    plan: Plan
    met: tuple[str, ...]  # the effects of the undisturbed deed
    ended: Ended

    @property
    def number(self) -> int:
        """Which effect was struck, from 1."""
        return self.plan.at

    @property
    def published(self) -> bool:
        """Whether a push that was not killed had published when it was struck.

        Counted by commits: how often a tree is read depends on how long the ledger is.
        """
        before = self.done.met[: self.number - 1]
        needed = self.met[: publication(self.met)].count(_COMMIT)
        return before.count(_COMMIT) >= needed

    @property
    def name(self) -> str:
        return f"effect {self.number} of {len(self.met)}, {self.met[self.number - 1]}"

    @property
    def done(self) -> Done:
        assert isinstance(self.ended.result, Done), self.name
        return self.ended.result


def accidents(
    stage: Grounds,
    nursery: Nursery,
    how: How,
    kinds: frozenset[Kind],
    deed: str,
    arguments: Callable[[World], tuple[object, ...]],
    *,
    reads: bool = False,
    step: int = 0,
) -> Iterator[Accident]:
    """The deed again and again, each time with another of its effects struck, for every effect it has.

    ``arguments`` gives the deed's for a world. With a ``step`` above 1 (``STEPS`` unless given) only every
    step-th effect is struck, the last of each name, and every commit. On servers it is 16 at least.
    """
    step = step or STEPS.get(how, 1)
    if not stage.embedded:
        step = max(step, SERVERS_STEP)
    world = stage.world()
    quiet = Plan(how, 0, kinds, reads, (str(stage.root),))
    done = nursery.run("faulted", quiet, deed, *arguments(world)).result
    assert done.error is None, done.text
    stage.leave(world)
    for number in chosen(done.met, step):
        world = stage.world()
        plan = Plan(how, number, kinds, reads, (str(stage.root),))
        ended = nursery.run("faulted", plan, deed, *arguments(world))
        accident = Accident(world, plan, done.met, ended)
        assert not ended.late, f"{accident.name}: the deed hangs"
        if ended.killed or accident.done.hit is not None:
            yield accident
        else:  # in a ledger that all worlds share, the number of reads is not always the same
            assert reads, f"{accident.name}: never reached"
            assert not stage.embedded, f"{accident.name}: never reached"
            assert accident.done.error is None, accident.done.text
        stage.leave(world)


def chosen(met: tuple[str, ...], step: int) -> list[int]:
    """Every ``step``-th effect (from 1), the last of each name, and every commit after a change."""
    last = {name: number for number, name in enumerate(met, 1)}
    changes = ("database INSERT", "database UPDATE", "database DELETE")
    commits = {
        number
        for number, (before, name) in enumerate(pairwise(met), 2)
        if name == _COMMIT and before in changes
    }
    return sorted({*range(1, len(met) + 1, step), *last.values(), *commits})


def kill_push(
    stage: Stage, nursery: Nursery, world: World, how: How, choose: Callable[[tuple[str, ...]], int]
) -> None:
    """Push to ``world`` and kill it at the effect that ``choose`` picks from those of an undisturbed push."""
    roots = (str(stage.root),)
    other = stage.world()
    done = nursery.run("faulted", Plan(roots=roots), "push", other.home, world.source, other.ref).result
    assert done.error is None, done.text
    plan = Plan(how, choose(done.met), roots=roots)
    assert nursery.run("faulted", plan, "push", world.home, world.source, world.ref).killed


def publication(met: tuple[str, ...]) -> int:
    """The effect that publishes: the commit after the last insertion."""
    last = max(number for number, name in enumerate(met, 1) if name == "database INSERT")
    return next(number for number in range(last, len(met) + 1) if met[number - 1] == _COMMIT)


def versions(context: Context, ref: str) -> int:
    """How many versions show; the catalog's answers must agree on it."""
    listed = [one for one in catalog.list_models(context) if one["model"] == ref]
    try:
        history = catalog.show(context, ref)["history"]
    except ReferenceNotFound:
        assert listed == []
        return 0
    assert len(listed) == 1
    return len(history)


def verifies(context: Context, ref: str) -> None:
    """All twelve steps hold."""
    steps = checkout.verify(context, ref)
    assert [step.number for step in steps] == list(range(1, 13)), steps[-1]
    assert all(step.ok for step in steps), steps[-1]


def sound(context: Context) -> fsck.Checked:
    """fsck finds nothing wrong, orphans at most, and nobody is thought to be pushing still."""
    checked = fsck.fsck(context)
    assert checked.findings == ()
    assert checked.under_way == ()
    return checked


def collected(context: Context) -> None:
    """After gc: no blob too many, and none missing."""
    if fsck.gc(context).removed:
        assert sound(context).orphans == ()
    with reading(context.engine) as connection:
        assert {name for name, _, _ in queries.blob_ids(connection)} == worlds.blobs_of(context).keys()


def spotless(context: Context) -> None:
    """``collected``, and no unfinished upload, no journal, no file in the home that is nobody's."""
    collected(context)
    home = context.paths.home
    assert {place.name for place in home.iterdir()} - OWN == set()
    assert list(home.glob("pushes/*")) == []
    assert list(home.glob("blobs/incoming/*")) == []


def push_resumes(context: Context, world: World, published: int, orphans: int) -> None:
    """The same push again succeeds, and uploads nothing that the interrupted one had noted as stored.

    Between a blob's commit and its line in the journal lies one effect, so at most one blob is forgotten.
    """
    again = push(context, world.source, world.ref)
    assert again.ref.version == published + 1
    assert again.stored + again.reused == FILES
    assert again.stored <= (0 if published else FILES - max(0, orphans - 1))
    verifies(context, f"{world.ref}:{again.ref.version}")
