"""What the watch remembers of members: when they pulled, were refused, acted, and from which machines.

All of it by the times that the acts say, so that the same entries lead to the same reports, however often and
whenever they are read.
"""

from __future__ import annotations

from typing import Final

import msgspec

HOUR: Final = 3600  # seconds
_DAY: Final = 86_400
_COUNTED: Final = 2000  # pulls, and refusals, of one member in an hour: more is many
_HOSTS: Final = 64  # of one member
_REFUSED: Final = 10**9  # more than any count


class Habits(msgspec.Struct):
    """One member's past. Times are seconds since 1970."""

    last: int = 0  # the newest act
    hosts: list[str] = []  # the newest last
    pulls: list[tuple[int, str]] = []  # within the hour: when, and which model
    refusals: list[tuple[int, int]] = []  # within the hour: when, and how many


class Circumstances(msgspec.Struct, frozen=True):
    """What the schema's every context says of the member's past, an act included."""

    new_host: bool = False
    idle_days: int = 0
    pulls: int = 0
    models: int = 0
    refusals: int = 0


class Memory(msgspec.Struct):
    """The habits of everybody; a caller whom no signature proves is ""."""

    members: dict[str, Habits] = {}

    def acted(self, member: str, time: int, host: str, pulled: str | None) -> Circumstances:
        """Learn of an act, which may be a pull of a model; tell its circumstances."""
        habits = self.members.setdefault(member, Habits())
        if pulled is not None:
            habits.pulls = [*habits.pulls, (time, pulled)][-_COUNTED:]
        new = bool(habits.hosts) and host not in habits.hosts
        habits.hosts = [*(one for one in habits.hosts if one != host), host][-_HOSTS:]
        idle = max(0, time - habits.last) // _DAY if habits.last else 0
        habits.last = max(habits.last, time)
        return self._now(habits, time, new, idle)

    def refused(self, member: str, time: int, count: int) -> Circumstances:
        """Learn that somebody was refused; tell the circumstances."""
        habits = self.members.setdefault(member, Habits())
        habits.refusals = [*habits.refusals, (time, min(count, _REFUSED))][-_COUNTED:]
        return self._now(habits, time, False, 0)

    def _now(self, habits: Habits, time: int, new: bool, idle: int) -> Circumstances:
        """What lies an hour back counts no more. Clocks differ: what is a little ahead counts as well."""
        habits.pulls = [one for one in habits.pulls if one[0] > time - HOUR]
        habits.refusals = [one for one in habits.refusals if one[0] > time - HOUR]
        models = {model for _, model in habits.pulls}
        refusals = min(_REFUSED, sum(count for _, count in habits.refusals))
        return Circumstances(new, idle, len(habits.pulls), len(models), refusals)
