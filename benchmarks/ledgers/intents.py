"""What somebody has in mind to do to the law, and what is done once it is in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.ledgers.chance import Chance
from benchmarks.ledgers.company import Company, Member
from benchmarks.ledgers.moments import Moments
from benchmarks.ledgers.sizes import Sizes


class Intent(NamedTuple):
    """An act of the law by somebody; ``done`` tells the company of it."""

    body: Any
    by: Member
    done: Callable[[], object]


Proposal = Callable[[], Intent | None]


def nothing() -> None:
    """The law knows it, and that is enough."""


class Office:
    """What all who govern share: the company, chance, and what waits to be done next."""

    def __init__(self, company: Company, sizes: Sizes, moments: Moments, seed: str, admin: Member) -> None:
        self.company, self.sizes, self.moments, self.seed, self.founder = company, sizes, moments, seed, admin
        self.chance = Chance(seed, "law")
        self.waiting: list[Proposal] = []
        self.moment = 0

    def admin(self) -> Member:
        """One of the admins, the founder most often."""
        return self.chance.early([self.founder, *self.company.admins], 2)

    def narrowed(self) -> None:
        """Somebody has lost a right."""
        self.company.narrowed += 1
