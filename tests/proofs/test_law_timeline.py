"""Timelines against their definition: what was put last, at or before the position asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.law.timeline import Timeline

puts = st.lists(st.tuples(st.integers(1, 4), st.none() | st.integers(0, 3)), max_size=12).map(
    lambda steps: [(sum(step for step, _ in steps[: n + 1]), value) for n, (_, value) in enumerate(steps)]
)


def filled(changes: list[tuple[int, int | None]]) -> Timeline[int]:
    timeline: Timeline[int] = Timeline()
    for position, value in changes:
        timeline.put(position, value)
    return timeline


@given(puts)
def test_the_value_at_a_position_is_the_last_one_put_until_then(
    changes: list[tuple[int, int | None]],
) -> None:
    timeline = filled(changes)
    for position in range(60):
        before = [change for change in changes if change[0] <= position]
        assert timeline.at(position) == (before[-1][1] if before else None)
        assert timeline.since(position) == (before[-1][0] if before else 0)
    assert timeline.at() == (changes[-1][1] if changes else None)
    assert timeline.since() == (changes[-1][0] if changes else 0)
    assert timeline.first() == (changes[0][0] if changes else 0)
    assert timeline.changes() == changes


@given(puts, st.integers(0, 12))
def test_what_is_dropped_was_never_there(changes: list[tuple[int, int | None]], count: int) -> None:
    timeline = filled(changes)
    kept = changes[: max(0, len(changes) - count)]
    for _ in changes[len(kept) :]:
        timeline.drop()
    assert timeline.changes() == kept
    assert [timeline.at(position) for position in range(60)] == [
        filled(kept).at(position) for position in range(60)
    ]
