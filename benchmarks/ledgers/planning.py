"""The order of things: how many acts of each kind, and at which moments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.ledgers.chance import Chance
from benchmarks.ledgers.moments import HOUR, MINUTE, SECOND, Moments
from benchmarks.ledgers.sizes import Sizes

PULL, LAW, PUSH, ATTEST, ALIAS, YANK, FAILURE, REFUSAL, STORM, COUNT = range(10)
_KINDS = 16  # room for a kind beside a moment in one number
_MACHINES = 0.72  # of the pulls
_STORM = 20  # refusals of one member in an hour that the door tells one by one
_STORMS = 0.2  # of all refusals


class Slot(NamedTuple):
    """Room for one act. ``storm`` numbers the storm that it belongs to."""

    moment: int
    kind: int
    storm: int


def plan(sizes: Sizes, moments: Moments, chance: Chance) -> Iterator[Slot]:
    """Every slot, in order: as many as there are acts after the genesis act."""
    storms = _storms(sizes, moments, chance)
    told = [number for storm in storms.values() for number in storm]
    numbers = _drawn(sizes, moments, chance, len(told))
    owners = {number: at for at, storm in storms.items() for number in storm}
    for number in sorted(numbers + told):
        yield Slot(number // _KINDS, number % _KINDS, owners.get(number, -1))


def _drawn(sizes: Sizes, moments: Moments, chance: Chance, storms: int) -> list[int]:
    machine = [moments.machine]
    human = [moments.human]
    counts = {
        LAW: (sizes.law - 1, [moments.founding]),
        PUSH: (sizes.pushes, human),
        ATTEST: (sizes.attests, human),
        ALIAS: (sizes.aliases, human),
        YANK: (sizes.yanks, human),
        FAILURE: (sizes.failures, machine),
        REFUSAL: (max(0, sizes.refusals - storms), [moments.machine, moments.human]),
    }
    found = [
        draws[chance.below(len(draws))]() * _KINDS + kind
        for kind, (count, draws) in counts.items()
        for _ in range(count)
    ]
    pulls = sizes.acts - 1 - storms - len(found)
    for _ in range(pulls):
        draw = moments.machine if chance.random() < _MACHINES else moments.human
        found.append(draw() * _KINDS + PULL)
    return found


def _storms(sizes: Sizes, moments: Moments, chance: Chance) -> dict[int, list[int]]:
    """Each twenty refusals within minutes, and an hour later one that counts the others."""
    found = {}
    for at in range(int(_STORMS * sizes.refusals / (_STORM + 1))):
        moment = moments.machine()
        times = [moment + chance.below(4 * MINUTE) for _ in range(_STORM)]
        last = (moment + HOUR + chance.below(20 * MINUTE) + SECOND) * _KINDS + COUNT
        found[at] = [*(time * _KINDS + STORM for time in times), last]
    return found
