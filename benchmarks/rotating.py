"""A grant revoked: one of 100 readers leaves a vault that holds the keys of 1,000 blobs."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from benchmarks.batches import batch
from benchmarks.measure import Entry, Limit, Values, absolute, ratio
from benchmarks.population import create
from benchmarks.published import publish
from benchmarks.scribe import Scribe
from benchmarks.workplace import Workplace
from registry import access, acts, founding
from registry.context import Context, utc_now
from registry.crypto import possession, sealing, streaming
from registry.crypto.identity import Identity
from registry.crypto.sealing import SealingPrivateKey
from registry.vaults import Reader

_BLOBS = 1000
_GRANTEES = 100
_READS = 3  # in a batch
_MODEL = "vision/resnet50"
_TARGET = Limit(5.0)  # s: the target says "seconds"
_INFO = b"floor"


def measure(place: Workplace) -> list[Entry]:
    """The first revocation, whose blobs 1,000 pushes brought, and a second, whose blobs one act sealed."""
    pristine = place.fresh("-pristine")
    found(pristine)
    rounds = [_quietly(place, pristine) for _ in range(1 + place.rounds)][1:]  # the first fills caches
    floor = [one.floor for one in rounds]
    sealed = f"{_BLOBS:,} keys opened, {_BLOBS + _GRANTEES:,} sealed"
    first, then = [one.first for one in rounds], [one.then for one in rounds]
    what = f"revoke 1 of {_GRANTEES} grantees of {_BLOBS:,} blobs"
    return [
        absolute(f"{what}, the whole deed", sealed, _all(first), floor, _TARGET),
        ratio(f"{what}, the whole deed", sealed, _all(first), floor),
        *_parts("the first time", first, floor, sealed),
        ratio(f"{what}, a second time", sealed, _all(then), floor),
        *_parts("the second time", then, floor, sealed),
        ratio("read the law again while that act is the newest", sealed, [one.read for one in rounds], floor),
    ]


@dataclass
class _Marks:
    """When a deed came to which of its parts, in seconds of the clock."""

    began: float = 0.0
    door: float = 0.0  # the newest transaction began; the last is the door's
    commit: float = 0.0  # the newest transaction was about to be committed
    ended: float = 0.0

    def watch(self, engine: sa.Engine) -> None:
        sa.event.listen(engine, "begin", lambda _: setattr(self, "door", time.perf_counter()))
        sa.event.listen(engine, "commit", lambda _: setattr(self, "commit", time.perf_counter()))

    def revoke(self, context: Context, grantee: str) -> _Marks:
        """The deed; its marks stay as they are when the next one begins."""
        self.began = time.perf_counter()
        access.revoke(context, grantee, ["pull"], _MODEL)
        self.ended = time.perf_counter()
        return _Marks(self.began, self.door, self.commit, self.ended)


@dataclass
class _Round:
    """One registry, revoked in twice, and the least that each must compute."""

    first: _Marks = field(default_factory=_Marks)
    then: _Marks = field(default_factory=_Marks)
    read: float = 0.0  # the law, with nothing new since
    floor: float = 0.0


def _quietly(place: Workplace, pristine: Path) -> _Round:
    taken: list[_Round] = []

    def once() -> float:
        taken.append(_round(place, pristine))
        return taken[-1].floor

    place.quiet.measured(once)
    return taken[-1]


def _round(place: Workplace, pristine: Path) -> _Round:
    home, taken, marks = place.fresh("-home"), _Round(), _Marks()
    shutil.copytree(pristine, home)

    with Context(home) as context:
        context.law()  # reading it is another measurement
        marks.watch(context.engine)
        taken.first = marks.revoke(context, "member-0")
        taken.then = marks.revoke(context, "member-1")
        taken.read = batch(lambda _: context.law(), range(_READS)) / 1000
    shutil.rmtree(home)
    taken.floor = _floor()
    return taken


def _all(marks: list[_Marks]) -> Values:
    return [one.ended - one.began for one in marks]


def _parts(which: str, marks: list[_Marks], floor: Values, sealed: str) -> list[Entry]:
    parts = {
        "read, open, seal, sign": [one.door - one.began for one in marks],
        "the door": [one.commit - one.door for one in marks],
        "the commit, and the receipt": [one.ended - one.commit for one in marks],
    }
    return [ratio(f"of it {which}: {name}", sealed, values, floor) for name, values in parts.items()]


def _floor() -> float:
    """The cryptography that no way of doing it can leave out."""
    old, new = SealingPrivateKey.generate(), SealingPrivateKey.generate()
    keys = [sealing.seal(streaming.new_key(), old.public, _INFO) for _ in range(_BLOBS)]
    began = time.perf_counter()
    for key in keys:
        sealing.seal(sealing.open_sealed(key, old, _INFO), new.public, _INFO)
    for _ in range(_GRANTEES):  # 99 members remain, and the namespace
        sealing.seal(new.to_secret(), old.public, _INFO)
    return time.perf_counter() - began


def found(home: Path) -> None:
    """A registry with one model of 1,000 versions, and 100 members who may pull it."""
    founding.init(home, utc_now(), name="root")
    with Context(home) as context:
        scribe = Scribe(context)
        members = [Identity.generate(f"member-{number}") for number in range(_GRANTEES)]
        create(scribe, context, _MODEL)
        for one in members:
            scribe.add(acts.Enroll(name=one.name, identity=possession.prove(one), role="member"))
            custody = scribe.hand(_MODEL, Reader.member(one.public))
            scribe.add(acts.Grant(one.name, ("pull",), _MODEL, None, custody))
        for number in range(1, _BLOBS + 1):
            publish(scribe, context.identity, _MODEL, number, 1)
        scribe.commit()
