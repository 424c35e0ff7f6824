"""What the report says, as plain values: what happened, what was refused, and all of it together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from registry.audit.report.estate import Health, Holdings, Ranked, Unused, Versions
from registry.audit.report.period import Period

Level = Literal["act", "look", "know"]


@dataclass(frozen=True)
class Series:
    """How often one kind of act happened, by bucket of the period."""

    key: str
    label: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True)
class Activity:
    """What happened in the period: ``acts`` were not refused; as many days before it had ``before``."""

    series: tuple[Series, ...]
    acts: int
    before: int
    members: int
    models: int
    pullers: tuple[Ranked, ...]
    pulled: tuple[Ranked, ...]


@dataclass(frozen=True)
class Refused:
    """Somebody who was refused: how often in each bucket, for what most, and where most."""

    name: str
    counts: tuple[int, ...]
    reason: str
    place: str

    @property
    def total(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True)
class Reason:
    """An error code that attempts were refused with."""

    code: str
    count: int
    members: int


@dataclass(frozen=True)
class Attempt:
    """One refused attempt. ``on`` has the version's number, where there is one."""

    seq: int
    time: str
    member: str
    action: str
    on: str
    code: str


@dataclass(frozen=True)
class Denied:
    """What was refused. ``uncounted`` are attempts of which only the number is on record."""

    told: int
    uncounted: int
    members: tuple[Refused, ...]
    people: int
    reasons: tuple[Reason, ...]
    places: tuple[Ranked, ...]
    latest: tuple[Attempt, ...]
    bursts: tuple[Ranked, ...]  # a member, how often, and in the note on which day
    strangers: int  # attempts of whom no signature proves
    failed: int  # checkouts that failed after their pull was allowed

    @property
    def total(self) -> int:
        return self.told + self.uncounted

    def count(self, *codes: str) -> int:
        """How many attempts were refused with these codes."""
        return sum(one.count for one in self.reasons if one.code in codes)


@dataclass(frozen=True)
class Finding:
    """A sentence or two for the head of the report, and the section that shows it."""

    level: Level
    title: str
    text: str
    section: str
    command: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything that the page shows."""

    registry_id: str
    made: datetime
    made_by: str
    program: str
    period: Period
    activity: Activity
    denied: Denied
    holdings: Holdings
    unused: Unused
    versions: Versions
    health: Health
