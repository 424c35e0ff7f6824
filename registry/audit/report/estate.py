"""What stands at the end of the period, as plain values: rights, versions, the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Ranked:
    """One line of a ranking."""

    name: str
    count: int
    note: str = ""


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
    """A quantized version that lacks lineage or an evaluation."""

    model: str
    number: int
    pulls: int
    aliases: tuple[str, ...]
    lineage: bool
    evaluation: bool


@dataclass(frozen=True)
class Coverage:
    """Of some versions: how many there are, how many are quantized, and which statements those carry."""

    total: int
    quantized: int
    lineage: int
    evaluation: int
    neither: int


@dataclass(frozen=True)
class Versions:
    """The versions that are not yanked. ``used`` are those pulled in the period, or with an alias."""

    everything: Coverage
    used: Coverage
    yanked: int
    gaps: tuple[Gap, ...]
    gap_count: int
    yanked_aliases: tuple[str, ...]


@dataclass(frozen=True)
class Witness:
    """Who cosigned which checkpoint of the ledger; verified, where this home knows the witness's key."""

    name: str
    size: int
    time: str
    verified: bool


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
    unwitnessed: str  # what this home's demand for witnesses lacks, "" for nothing
    growth: tuple[tuple[str, int], ...]  # day, acts up to its end
    counted: int  # acts in the tables that this report reads
