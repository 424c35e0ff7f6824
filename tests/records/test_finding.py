"""Finding and counting events, against the same questions asked of a list: whatever the plan, one answer.

The history is short and unruly: clocks that go back and forth, days with many acts, names that look like
patterns. A probe of two entries leaves nearly everything to the counts, as in a ledger of a million acts.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from registry.records import events, finding, tables
from registry.records.counting import grouped
from registry.records.database import open_engine, reading, writing
from registry.records.filters import Filters, Stay, sayings_with
from registry.records.finding import Found, newest, ordered

Row = dict[str, Any]
SIZE = 400
MEMBERS = ("", "alice", "bob", "carol", "ci_bot", "ci-bot")
ACTIONS = ("pull", "pull", "pull", "push", "grant", "")
PLACES = ("vision/net", "vision/", "vision0/net", "visio_/net", "vision-2/net", "Vision/net", "alice", "")
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03", "1999-12-31", "9999-99-99")
TEXTS = ("for serving", "100% done", "a_b", "axb", "'); drop table events; --", "straße", "\N{SNOWMAN}")

KINDS = ("equal", "within", "text", "saying", "since", "until", "low", "high", "stays", "stays", "entries")


def _history(dice: random.Random) -> tuple[list[Row], list[Row]]:
    """Rows of ``events`` and of ``sayings``."""
    happened, said = [], []
    for seq in range(SIZE):
        outcome = dice.choice(["allowed", "allowed", "allowed", "refused", "failed"])
        saying = dice.randrange(len(TEXTS)) if seq >= len(TEXTS) else seq
        if seq < len(TEXTS):
            text = TEXTS[seq].casefold()
            said.append({"saying": seq, "sha256": events.digest(text), "text": text})
        time = f"{dice.choice(DAYS)}T{dice.randrange(24):02}:00:00.{dice.randrange(2):06}Z"
        happened.append(
            {
                "seq": seq,
                "time": time,
                "member": dice.choice(MEMBERS),
                "action": dice.choice(ACTIONS),
                "outcome": outcome,
                "code": "" if outcome == "allowed" else dice.choice(["not-permitted", "yanked"]),
                "place": dice.choice(PLACES),
                "number": dice.choice([0, 0, 1, 2, 17]),
                "saying": saying,
            }
        )
    return happened, said


@pytest.fixture
def history(database_url: str) -> Iterator[tuple[sa.Connection, list[Row]]]:
    """A database with the history in it, and the history."""
    happened, said = _history(random.Random(5))
    engine = open_engine(database_url)
    tables.metadata.create_all(engine)
    with writing(engine) as connection:
        connection.execute(sa.insert(tables.sayings), said)
        connection.execute(sa.insert(tables.events), happened)
        events.tally(connection)
    with reading(engine) as connection:
        yield connection, happened
    engine.dispose()


def _meets(row: Row, asked: Filters) -> bool:
    within = asked.within
    return (
        all(row[name] in values for name, values in asked.equal.items())
        and row["place"].startswith(within)
        and asked.text in TEXTS[row["saying"]].casefold()
        and row["time"] >= asked.since
        and (not asked.until or row["time"] < asked.until)
        and row["seq"] >= asked.low
        and (asked.high is None or row["seq"] < asked.high)
        and (asked.entries is None or row["seq"] in asked.entries)
        and (asked.stays is None or any(_stayed(row, stay) for stay in asked.stays))
    )


def _stayed(row: Row, stay: Stay) -> bool:
    return row["member"] == stay.member and stay.after < row["seq"] <= stay.until


def _asked(dice: random.Random, happened: list[Row]) -> Filters:
    """Some conditions, seldom many."""
    asked = Filters()
    kinds = (
        "equal",
        "equal",
        "within",
        "text",
        "saying",
        "since",
        "until",
        "low",
        "high",
        "stays",
        "entries",
    )
    for kind in dice.sample(kinds, dice.choice([0, 1, 1, 2, 3])):
        asked = replace(asked, **_condition(dice, kind, happened))
    return asked


def _condition(dice: random.Random, kind: str, happened: list[Row]) -> dict[str, Any]:
    values = {
        "member": MEMBERS,
        "action": ACTIONS,
        "place": PLACES,
        "outcome": ("allowed", "refused", "failed"),
        "code": ("not-permitted", "yanked", ""),
        "number": (1, 2, 17),
    }
    time = f"{dice.choice(DAYS)}T{dice.choice(['00', '07', '13'])}:00:00.00000{dice.randrange(2)}Z"
    stays = tuple(  # they begin, and sometimes end, with an act of that member
        Stay(member, seqs[0], dice.choice([*seqs[1:3], 2**62]))
        for member in dice.sample(MEMBERS, 3)
        for seqs in [sorted(dice.sample([row["seq"] for row in happened if row["member"] == member], 3))]
    )
    columns = dice.sample(sorted(values), dice.choice([1, 2]))
    return {
        "equal": {
            "equal": {name: tuple(dice.sample(values[name], dice.choice([1, 1, 2]))) for name in columns}
        },
        "within": {"within": dice.choice(["vision/", "visio_/", "none/"])},
        "saying": {"equal": {"saying": tuple(dice.sample(range(len(TEXTS)), 2))}, "few": dice.random() < 0.5},
        "text": {"text": dice.choice(["serving", "%", "_", "a_b", "'", "ss", "\N{SNOWMAN}", "nothing"])},
        "since": {"since": time},
        "until": {"until": time},
        "low": {"low": dice.randrange(SIZE)},
        "high": {"high": dice.randrange(SIZE + 9)},
        "stays": {"stays": stays},
        "entries": {"entries": tuple(dice.sample(range(SIZE), 9))},
    }[kind]


def _seqs(found: Sequence[Found]) -> list[int]:
    return [one.seq for one in found]


@pytest.fixture(params=[2, 10 * SIZE], ids=["counted", "probed"])
def probe(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "PROBE", request.param)


@pytest.mark.usefixtures("probe")
def test_the_newest_and_the_oldest_are_found(history: tuple[sa.Connection, list[Row]]) -> None:
    connection, happened = history
    dice = random.Random(1)
    some = 0
    for _ in range(50):
        asked, limit = _asked(dice, happened), dice.choice([1, 3, 8])
        expected = [row["seq"] for row in happened if _meets(row, asked)]
        assert _seqs(newest(connection, [asked], limit, SIZE)) == expected[::-1][:limit], asked
        assert _seqs(newest(connection, [asked], limit, SIZE, oldest=True)) == expected[:limit], asked
        some += len(expected) > limit
    assert some > 12  # questions with more answers than were asked for


def test_pages_in_the_order_of_a_column_join_without_a_gap(history: tuple[sa.Connection, list[Row]]) -> None:
    connection, happened = history
    dice = random.Random(2)
    for _ in range(10):
        asked, column, reverse = (
            _asked(dice, happened),
            dice.choice(["member", "action", "place"]),
            dice.random() < 0.5,
        )
        rows = [row for row in happened if _meets(row, asked)][::-1]
        rows = sorted(rows, key=lambda row: row[column])  # stable: of one value the newest first
        expected = [Found(row[column], row["seq"]) for row in (rows[::-1] if reverse else rows)]
        limit = len(expected) // 5 + 1
        paged: list[Found] = []
        for _page in range(6):
            after = paged[-1] if paged else None
            paged += ordered(connection, [asked], column, limit, SIZE, reverse=reverse, after=after)
        assert paged == expected[: len(paged)], asked
        assert len(paged) == len(expected), asked


def test_counts_are_right_by_every_column(history: tuple[sa.Connection, list[Row]]) -> None:
    connection, happened = history
    dice = random.Random(3)
    for _ in range(25):
        asked = _asked(dice, happened)
        for by in (None, "member", "action", "place", "day"):
            counted: Counter[Any] = Counter()
            others: Counter[Any] = Counter()
            for row in happened:
                if _meets(row, asked):
                    value = row["time"][:10] if by == "day" else row[by] if by else None
                    counted[value] += 1
                    others[value] += row["outcome"] != "allowed"
            expected = {value: (acts, others[value]) for value, acts in counted.items()}
            assert grouped(connection, [asked], by) == expected, (asked, by)


@pytest.mark.usefixtures("probe")
def test_alternatives_are_put_together(history: tuple[sa.Connection, list[Row]]) -> None:
    connection, happened = history
    alice, bob = Filters().also("member", ["alice"]), Filters().also("member", ["bob"])
    expected = [row["seq"] for row in happened if row["member"] in ("alice", "bob")][::-1]
    assert _seqs(newest(connection, [alice, bob], 9, SIZE)) == expected[:9]
    assert {value for value, _ in ordered(connection, [bob, alice], "member", SIZE, SIZE)} == {"alice", "bob"}
    assert grouped(connection, [alice, bob])[None][0] == len(expected)


def test_only_what_may_be_seen_is_found_and_counted(history: tuple[sa.Connection, list[Row]]) -> None:
    connection, happened = history
    own = Filters(visible=lambda table: sa.or_(table.c.member == "bob", table.c.place == "vision/net"))
    expected = [row["seq"] for row in happened if row["member"] == "bob" or row["place"] == "vision/net"]
    assert _seqs(newest(connection, [own], SIZE, SIZE)) == expected[::-1]
    assert grouped(connection, [own])[None][0] == len(expected)
    assert set(grouped(connection, [own.also("member", ["alice"])], "place")) == {"vision/net"}


def test_no_character_of_a_text_is_a_pattern(history: tuple[sa.Connection, list[Row]]) -> None:
    """LIKE would take % and _ for anything, and a quote might end the statement."""
    connection, _ = history

    def said(text: str) -> set[str]:
        return {TEXTS[one] for one in sayings_with(connection, text, 99)}

    assert said("_") == {"a_b"}
    assert said("%") == {"100% done"}
    assert said("a_b") == {"a_b"}
    assert said("'); drop table events; --") == {"'); drop table events; --"}
    assert said("STRASSE".casefold()) == {"straße"}
    assert said("\\") == said("*") == set()
    assert connection.execute(sa.select(sa.func.count()).select_from(tables.events)).scalar() == SIZE


def test_a_namespace_is_no_pattern_and_no_prefix(history: tuple[sa.Connection, list[Row]]) -> None:
    connection, _ = history
    assert set(grouped(connection, [Filters(within="vision/")], "place")) == {"vision/net", "vision/"}
    assert set(grouped(connection, [Filters(within="visio_/")], "place")) == {"visio_/net"}
