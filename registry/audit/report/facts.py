"""What the report says, as plain values: gathered by this package's other modules, drawn by ``page``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from registry.audit.report.period import Period

Level = Literal["act", "look", "know"]


@dataclass(frozen=True)
class Ranked:
    """One line of a ranking."""

    name: str
    count: int
    note: str = ""


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
    """What happened in the period. ``before`` is the number of acts in as many days before it."""

    series: tuple[Series, ...]
    acts: int
    refused: int
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
    bursts: tuple[Ranked, ...]

    @property
    def total(self) -> int:
        return self.told + self.uncounted

    def count(self, *codes: str) -> int:
        """How many attempts were refused with these codes."""
        return sum(one.count for one in self.reasons if one.code in codes)


@dataclass(frozen=True)
class Namespace:
    """How many active members may do what in some part of a namespace, and how many models it has."""

    name: str
    models: int
    pull: int
    push: int
    promote: int
    grant: int


@dataclass(frozen=True)
class Grantee:
    """What a team or member holds by grants to it: for each column of the grid its actions."""

    name: str
    kind: Literal["team", "member"]
    people: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Cell:
    """Actions on a whole namespace, or only on some of its models."""

    actions: tuple[str, ...] = ()
    models: int = 0  # how many models, where it is not the whole namespace


@dataclass(frozen=True)
class Ending:
    """A grant that will end by itself."""

    grantee: str
    action: str
    target: str
    until: str


@dataclass(frozen=True)
class Holdings:
    """Who holds what, by the law as it stands."""

    members: int
    admins: tuple[str, ...]
    auditors: tuple[str, ...]
    disabled: int
    teams: int
    grants: int
    handing: int  # grants of the right to grant
    columns: tuple[str, ...]
    grantees: tuple[Grantee, ...]
    namespaces: tuple[Namespace, ...]
    widest: tuple[Ranked, ...]
    models: int
    ending: tuple[Ending, ...]
    endings: int
    new_admins: tuple[Change, ...]
    new_members: int
    policies: tuple[Change, ...]
    replaced: tuple[Change, ...]


@dataclass(frozen=True)
class Change:
    """An act of the law that a reader should hear of: who it is about, who did it, when."""

    name: str
    by: str
    time: str
    seq: int


@dataclass(frozen=True)
class Right:
    """A right that nobody used for long. ``used`` is the day it last was, "" for never."""

    grantee: str
    action: str
    target: str
    since: str
    used: str


@dataclass(frozen=True)
class Unused:
    """Rights that were not used for ``days`` days."""

    days: int
    count: int
    never: int
    by_action: tuple[tuple[str, int, int], ...]  # action, unused, standing
    rights: tuple[Right, ...]


@dataclass(frozen=True)
class Gap:
    """A version that lacks lineage or an evaluation."""

    model: str
    number: int
    pulls: int
    aliases: tuple[str, ...]
    lineage: bool
    evaluation: bool


@dataclass(frozen=True)
class Coverage:
    """Of some versions: how many there are, and how many carry which statement."""

    total: int
    lineage: int
    evaluation: int
    neither: int


@dataclass(frozen=True)
class Versions:
    """What is known of the versions that are not yanked. ``used`` were pulled in the period, or bear an alias."""

    everything: Coverage
    used: Coverage
    yanked: int
    floats: int  # versions without a quantized file, of which nobody asks where they come from
    gaps: tuple[Gap, ...]
    gap_count: int
    yanked_aliases: tuple[str, ...]


@dataclass(frozen=True)
class Witness:
    """Who cosigned which checkpoint of the ledger."""

    name: str
    size: int
    time: str


@dataclass(frozen=True)
class Verified:
    """How far, and when, the whole ledger was last verified from this home."""

    size: int
    time: str
    complete: bool


@dataclass(frozen=True)
class Health:
    """The ledger's own state. ``broken`` names what does not hold together, "" where all does."""

    size: int
    root: str
    time: str
    broken: str
    remembered: int  # acts in the checkpoint that this home remembered, 0 for none
    verified: Verified | None
    witnesses: tuple[Witness, ...]
    growth: tuple[tuple[str, int], ...]  # day, acts up to its end
    counted: int  # acts in the tables that this report reads


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

    registry: str
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
