"""When a right held: between which acts of the law, by the law's own timelines; no table is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from registry.acts import ACTIONS
from registry.law.law import Law
from registry.law.state import ROOT, State
from registry.law.timeline import Timeline

ADMIN: Final = "admin"  # the action that stands for all of them, on "/"
OPENING: Final = frozenset({"pull", "grant", ADMIN})  # the rights that come with keys

T = TypeVar("T")


@dataclass(frozen=True)
class Span:
    """From the act at position ``start`` of the law up to the one at ``end``; None: to this day."""

    start: int
    end: int | None

    def meet(self, other: Span) -> Span | None:
        """What the two have in common."""
        start, ends = max(self.start, other.start), [end for end in (self.end, other.end) if end is not None]
        end = min(ends, default=None)
        return Span(start, end) if end is None or start < end else None


@dataclass(frozen=True)
class Held:
    """A right that a member held, by a grant to ``grantee``: themselves or a team; as admin by enrolment.

    ``start`` and ``end`` are ledger entries; ``until`` is the time at which the grant ends by itself.
    """

    action: str
    target: str
    grantee: str
    start: int
    end: int | None
    until: str | None

    def covers(self, model: str) -> bool:
        """Whether the right was one on this model."""
        return self.target in (ROOT, model, f"{model.partition('/')[0]}/")

    def stands(self, time: str) -> bool:
        """Whether it is held still, at this time."""
        return self.end is None and (self.until is None or time < self.until)

    def reaches(self, seq: int, time: str) -> bool:
        """Whether it was held after this entry, of this time: what came earlier was there to be opened."""
        return (self.end is None or seq < self.end) and (self.until is None or time < self.until)


def spans(timeline: Timeline[T]) -> Iterator[tuple[Span, T]]:
    """The spans in which something held, and what."""
    changes = timeline.changes()
    ends: list[int | None] = [*(position for position, _ in changes[1:]), None]
    for (start, value), end in zip(changes, ends, strict=True):
        if value:
            yield Span(start, end), value


def _joined(timeline: Timeline[Any]) -> list[Span]:
    """The same without what held: one span from the first of several without a gap to the last."""
    found: list[Span] = []
    for span, _ in spans(timeline):
        if found and found[-1].end == span.start:
            span = Span(found.pop().start, span.end)
        found.append(span)
    return found


def active(state: State, name: str) -> list[Span]:
    """When the member was enrolled and not disabled."""
    return _joined(state.members[name].keys)


def inside(state: State, team: str, name: str) -> list[Span]:
    """When the member was in the team."""
    timeline = state.teams[team].get(name)
    return _joined(timeline) if timeline else []


def common(some: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """What is in a span of both."""
    kept = list(others)
    met = (one.meet(other) for one in some for other in kept)
    return [span for span in met if span is not None]


def held(law: Law, name: str) -> list[Held]:
    """Every right that the member ever held, oldest first: by role, own grants, and those of their teams."""
    state = law.state
    there = active(state, name)
    found = [_held(law, ADMIN, ROOT, name, span, None) for span in there if _is_admin(state, name)]
    found += _granted(law, name, there)
    for team in sorted(state.joined.get(name, ())):
        found += _granted(law, team, common(inside(state, team, name), there))
    return sorted(found, key=lambda one: (one.start, one.target, one.grantee, one.action))


def _is_admin(state: State, name: str) -> bool:
    return state.members[name].role == "admin"


def _granted(law: Law, grantee: str, when: list[Span]) -> Iterator[Held]:
    for target in sorted(law.state.held.get(grantee, ())):
        for action, timeline in law.state.grants[target][grantee].items():
            for span, term in spans(timeline):
                for both in common([span], when):
                    yield _held(law, action, target, grantee, both, term.until)


def _held(law: Law, action: str, target: str, grantee: str, span: Span, until: str | None) -> Held:
    end = None if span.end is None else law.entry(span.end)
    return Held(action, target, grantee, law.entry(span.start), end, until)


def ordered(actions: Iterable[str]) -> list[str]:
    """Actions in their order, once each."""
    wanted = set(actions)
    return [action for action in (ADMIN, *ACTIONS) if action in wanted]
