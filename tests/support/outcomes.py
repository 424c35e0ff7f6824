"""What an ordinary client, who checks out a version, says of a ledger that was tampered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from registry.checkout import checkout
from support import attacks
from support.victim import REF, Victim


class Outcome(Protocol):
    """What ``checkout``, ``pull`` and ``verify`` of a reference say to a client."""

    def hold(self, victim: Victim) -> None: ...


@dataclass(frozen=True)
class Stopped:
    """All three are refused at this step."""

    step: int
    code: str
    ref: str = REF

    def hold(self, victim: Victim) -> None:
        attacks.refused(victim, self.step, self.code, self.ref)

    def __str__(self) -> str:
        return f"step {self.step}, `{self.code}`"


@dataclass(frozen=True)
class Unseen:
    """The version is what it was, and every step holds: it does not rest on what was attacked."""

    ref: str = REF

    def hold(self, victim: Victim) -> None:
        victim.passes(self.ref)

    def __str__(self) -> str:
        return "passes"


@dataclass(frozen=True)
class Withdrawn:
    """The version is withdrawn, as it was."""

    ref: str

    def hold(self, victim: Victim) -> None:
        attacks.denied(victim, 7, "yanked", self.ref)

    def __str__(self) -> str:
        return "is denied the version all the same"


@dataclass(frozen=True)
class Absent:
    """There is no such version any more."""

    ref: str = REF

    def hold(self, victim: Victim) -> None:
        attacks.absent(victim, self.ref)

    def __str__(self) -> str:
        return "is told that there is no such version"


@dataclass(frozen=True)
class Misled:
    """A genuine version is released, but not the one that ought to be."""

    number: int
    how: str
    ref: str = REF

    def hold(self, victim: Victim) -> None:
        with victim.open() as context:
            assert checkout(context, self.ref).ref.version == self.number

    def __str__(self) -> str:
        return self.how


UNSEEN = Unseen()
PROOF = Stopped(3, "bad-proof")
CHECKPOINT = Stopped(2, "bad-checkpoint")
AUTHORITY = Stopped(4, "bad-authority")
