"""Who might do what at a position of the law, asked a million times.

Whether somebody has a right changes seldom, and at known positions. So an answer is kept with the positions
between which it holds; the time of an act is held against it each time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from registry import acts
from registry.acts import Act
from registry.crypto.keys import VerifyingKey
from registry.errors import Denied
from registry.law import rights
from registry.law.law import Law
from registry.law.timeline import Timeline

# The deeds that come by the thousand, and what they take. Every other is judged at length.
RIGHTS: Final[dict[type[acts.Body], str]] = {
    acts.Pull: "pull",
    acts.Failure: "pull",
    acts.Alias: "promote",
    acts.Yank: "promote",
}
_KEPT: Final = 50_000  # answers
_ENDLESS: Final = "~"  # sorts after every time


class _Right(NamedTuple):
    since: int  # position of the law, inclusive
    until: int  # exclusive
    ends: str  # the time at which it ends, "" where there is none


class Signer(NamedTuple):
    """Who signs with a key between two positions of the law."""

    since: int
    until: int
    name: str
    key: VerifyingKey


class Standing:
    """Asks a law that is complete: it knows every position, and what changed there."""

    def __init__(self, law: Law) -> None:
        self._law = law
        self._rights: dict[tuple[str, str, str], _Right] = {}
        self._signers: dict[str, Signer] = {}

    def signer(self, keyid: str, at: int) -> Signer | None:
        """Whose key this was at a position; None where it was nobody's."""
        known = self._signers.get(keyid)
        if known is None or not known.since <= at < known.until:
            known = self._find(keyid, at)
            if known is not None:
                self._signers[keyid] = known
        return known

    def _find(self, keyid: str, at: int) -> Signer | None:
        try:
            member = self._law.state.signer(keyid, at)
        except Denied:
            return None
        identity = member.identity(at)
        assert identity is not None  # signer() has asked
        since, until = _around([member.keys], at)
        return Signer(since, until, member.name, identity.signing)

    def may(self, act: Act, name: str, at: int) -> bool:
        """Whether the member had the right that the act takes, at that position and at the act's time."""
        return act.header.time < self.ends(name, RIGHTS[type(act.body)], str(act.model), at)

    def ends(self, name: str, action: str, model: str, at: int) -> str:
        """The time at which the right ends that the member had at that position: "" for none."""
        known = self._rights.get((name, action, model))
        if known is None or not known.since <= at < known.until:
            known = self._right(name, action, model, at)
        return known.ends

    def _right(self, name: str, action: str, model: str, at: int) -> _Right:
        state = self._law.state
        # a time before all others: every term that is set counts, and the longest tells
        reasons = rights.why(state, name, action, model, "", at)
        ends = (rights.longest(reasons).until or _ENDLESS) if reasons else ""
        found = _Right(*_around(list(self._deciding(name, action, model)), at), ends)
        if len(self._rights) >= _KEPT:
            self._rights.clear()
        self._rights[name, action, model] = found
        return found

    def _deciding(self, name: str, action: str, model: str) -> Iterator[Timeline[Any]]:
        """Everything that the answer rests on."""
        state = self._law.state
        yield state.members[name].keys
        teams = sorted(state.joined.get(name, ()))
        yield from (state.teams[team][name] for team in teams)
        for place in (model, f"{model.partition('/')[0]}/"):
            for grantee in (name, *teams):
                held = state.grants.get(place, {}).get(grantee, {})
                yield from (held[one] for one in (action, "grant") if one in held)


def _around(timelines: list[Timeline[Any]], at: int) -> tuple[int, int]:
    """The positions from which and until which nothing of this changes."""
    since, until = 0, 1 << 62
    for timeline in timelines:
        changes = [position for position, _ in timeline.changes()]
        index = bisect_right(changes, at)
        since = max(since, changes[index - 1] if index else 0)
        until = min(until, changes[index] if index < len(changes) else until)
    return since, until
