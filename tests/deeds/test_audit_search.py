"""Searching the audit: every filter, order, page and count, against a plain reading of the whole ledger."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from registry import acts, catalog, members
from registry.audit import cursor
from registry.audit.query import NOBODY, Query
from registry.audit.search import Group, count, group, search, stream
from registry.context import Context
from registry.errors import BadCheckpoint, InvalidInput
from registry.law.law import Law
from registry.records import finding
from support import ledgers, naive_audit, rehearsed
from support.company import MODEL, Company
from support.naive_audit import Happened, answer

SORTS: tuple[Any, ...] = ("time", "actor", "action", "on")


@pytest.fixture
def audit(database_url: str, tmp_path: Path) -> Iterator[Context]:
    """A company's ledger in each database, as its auditor opens it."""
    home = ledgers.shared()
    if database_url.startswith("postgresql"):
        ledgers.module("making").twin(home, tmp_path / "twin", database_url)
        home = tmp_path / "twin"
    with Context(home, identity_file=home / "auditor.pem") as opened:
        yield opened


@pytest.fixture(scope="module")
def staff(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return rehearsed.staffed(tmp_path_factory.mktemp("staff"))


@pytest.fixture
def staffed(staff: Company, tmp_path: Path) -> Company:
    """A company whose ledger may grow."""
    return rehearsed.copied(staff, tmp_path)


def _queries(dice: random.Random, law: Law, ledger: list[Happened], number: int) -> Iterator[Query]:
    """Searches of one filter each, of every kind, then of several together."""
    for conditions in (_condition(dice, kind, law, ledger) for kind in _KINDS):
        yield Query(**conditions)
    for _ in range(number):
        chosen: dict[str, Any] = {}
        for kind in dice.sample(_KINDS, dice.choice([0, 1, 2, 2, 3])):
            chosen |= _condition(dice, kind, law, ledger)
        yield Query(
            **chosen, sort=dice.choice(["time", "actor", "action", "on"]), reverse=dice.random() < 0.5
        )


_KINDS = ("actor", "team", "actions", "on", "outcome", "since", "until", "digest", "version", "text")


def _condition(dice: random.Random, kind: str, law: Law, ledger: list[Happened]) -> dict[str, Any]:
    one = dice.choice(ledger)
    push = dice.choice([other.act.body for other in ledger if isinstance(other.act.body, acts.Push)])
    space = f"{push.model.partition('/')[0]}/"
    moment = datetime.fromisoformat(one.event.time)
    beside = dice.choice([timedelta(0), timedelta(microseconds=1), timedelta(hours=3)])
    values: dict[str, list[Any]] = {
        "actor": [one.event.actor or NOBODY, NOBODY, "admin"],
        "team": sorted(law.state.teams),
        "actions": [("pull",), ("push", "grant"), ("failure",), ("alias", "yank", "enroll")],
        "on": [f"{push.model}:{push.number}", push.model, space, one.event.on or space, "admin", "/"],
        "outcome": ["allowed", "refused", "failed", "not-permitted", "policy-denied", "disabled"],
        "since": [moment - beside],
        "until": [moment + beside],
        "digest": [one.act.digest, push.digest, push.files[0].sha256, one.act.digest[:8], "0" * 8],
        "version": [1, 2, 9],
        "text": [one.words.splitlines()[-1][1:], "SERVING", "runner", "no such words"],
    }
    return {kind: dice.choice(values[kind])}


@pytest.fixture(params=[2, 10_000], ids=["counted", "probed"])
def probe(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a probe of few entries a short ledger is searched as a long one."""
    monkeypatch.setattr(finding, "PROBE", request.param)


@pytest.mark.usefixtures("probe")
def test_every_search_finds_what_a_reading_of_all_acts_finds(audit: Context) -> None:
    law, ledger = naive_audit.everything(audit)
    kinds: Counter[bool] = Counter()
    for query in _queries(random.Random(7), law, ledger, 24):
        if query.since and query.until and query.since >= query.until:
            continue
        expected = answer(law, ledger, query)
        assert search(audit, query, limit=6).events == expected[:6], query
        assert count(audit, query) == len(expected), query
        kinds[bool(expected)] += 1
    assert kinds[True] > 15
    assert kinds[False] > 2


@pytest.mark.usefixtures("probe")
def test_pages_join_to_the_whole(audit: Context) -> None:
    law, ledger = naive_audit.everything(audit)
    some: dict[str, Any] = {"outcome": "allowed", "actions": ("pull", "push"), "reverse": True}
    for query in [Query(sort=sort, **conditions) for sort in SORTS for conditions in ({}, some)]:
        paged, after = [], ""
        while not paged or after:
            page = search(audit, query, limit=41, after=after)
            paged += page.events
            after = page.next
        assert paged == answer(law, ledger, query)
        assert [one for page in stream(audit, query) for one in page.events] == paged


def test_a_team_too_large_for_one_statement_is_asked_in_parts(
    audit: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    law, ledger = naive_audit.everything(audit)
    monkeypatch.setattr("registry.audit.query._STAYS", 2)
    for sort in SORTS:
        query = Query(team="vision", sort=sort)
        expected = answer(law, ledger, query)
        assert search(audit, query, limit=9).events == expected[:9]
        assert count(audit, query) == len(expected) > 9


def test_groups_count_each_act_once(audit: Context) -> None:
    law, ledger = naive_audit.everything(audit)
    query = Query(since=datetime.fromisoformat(ledger[40].event.time))
    found = answer(law, ledger, query)
    values: dict[Any, Any] = {
        "actor": lambda one: one.actor,
        "action": lambda one: one.action,
        "model": lambda one: one.on if "/" in one.on[1:-1] else "",
        "day": lambda one: one.time[:10],
    }
    for by, value in values.items():
        counted = Counter(value(one) for one in found)
        others = Counter(value(one) for one in found if one.outcome != "allowed")
        groups = [Group(name, acts, others[name]) for name, acts in counted.items()]
        key: Any = (lambda one: one.value) if by == "day" else (lambda one: (-one.acts, one.value))
        expected = sorted(groups, key=key)
        assert group(audit, query, by) == expected
        assert group(audit, replace(query, reverse=True), by) == expected[::-1]


def test_an_answer_longer_than_one_batch_comes_whole(
    staffed: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staffed.open() as context:
        whole = search(context, Query(), limit=0).events
        monkeypatch.setattr("registry.audit.search._BATCH", 4)
        pages = list(stream(context, Query(), limit=10))
        assert [one for page in pages for one in page.events] == whole[:10]
        assert [len(page.events) for page in pages] == [4, 4, 2]
        assert search(context, Query(), limit=2, after=pages[-1].next).events == whole[10:12]


# --- a ledger that grows meanwhile --------------------------------------------------------------


@pytest.mark.usefixtures("probe")
def test_what_happens_meanwhile_changes_no_page(staffed: Company) -> None:
    with staffed.open() as context:
        for query in [Query(sort=sort, reverse=reverse) for sort in SORTS for reverse in (False, True)]:
            whole = search(context, query, limit=0).events
            found, after = [], ""
            while not found or after:
                page = search(context, query, limit=len(whole) // 3, after=after)
                found += page.events
                after = page.next
                catalog.alias(context, f"{MODEL}:1", "again")
            assert found == whole
            assert page.size == len(whole)
            assert count(context, query) > len(whole)


def test_a_cursor_is_of_one_search(staffed: Company) -> None:
    with staffed.open() as context:
        after = search(context, Query(), limit=2).next
        others = (
            {"actor": "alice"},
            {"reverse": True},
            {"sort": "on"},
            {"text": "x"},
            {"since": staffed.now()},
        )
        for other in others:
            with pytest.raises(InvalidInput, match="another search"):
                search(context, Query(**other), after=after)


@pytest.mark.parametrize("text", ["x", "!!!!", "e30", "W10", "A" * 5000, "WzEsMl0=", "\0", "ü"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no cursor"):
        cursor.parse(text)


def test_a_span_means_the_times_of_the_first_page(staffed: Company) -> None:
    """Asked again a minute later, "30d" is another time; with the cursor it is not."""
    with staffed.open() as context:
        now = staffed.now()
        query = Query(since=now - timedelta(hours=1), until=now, spoken="1h 0m")
        whole = search(context, query, limit=0).events
        first = search(context, query, limit=3)
        later = replace(query, since=now + timedelta(hours=1), until=now + timedelta(hours=2))
        assert first.events + search(context, later, limit=0, after=first.next).events == whole
        assert search(context, later, limit=0).events == []


def test_an_alias_that_moved_between_pages_is_told(staffed: Company, tiny: Path) -> None:
    with staffed.open() as context:
        catalog.alias(context, f"{MODEL}:1", "prod")
        query = Query(on=f"{MODEL}:prod")
        assert {one.version for one in search(context, query).events} == {1}
        after = search(context, query, limit=1).next
        (tiny / "note.txt").write_text("second")
        staffed.publish(tiny)
        catalog.alias(context, f"{MODEL}:2", "prod")
        assert {one.version for one in search(context, query).events} == {2}
        with pytest.raises(InvalidInput, match="another search"):
            search(context, query, after=after)


def test_a_ledger_that_became_shorter_is_not_believed(staffed: Company) -> None:
    """A cursor remembers how long it was."""
    with staffed.open() as context:
        after = search(context, Query(), limit=2).next
        longer = cursor.parse(after)
        forged = cursor.Cursor(longer.size + 1, longer.search, "", "", "", longer.seq).to_text()
        with pytest.raises(BadCheckpoint, match="shorter"):
            search(context, Query(), after=forged)


def test_a_team_counts_while_somebody_is_in_it(staffed: Company) -> None:
    """Entries before and after are not the team's, and one who comes back counts again."""

    def acted() -> list[int]:
        with staffed.open() as context:
            catalog.alias(context, f"{MODEL}:1", "x")
            return [one.seq for one in search(context, Query(team="red", reverse=True), limit=0).events]

    with staffed.open() as context:
        members.create_team(context, "red")
    assert acted() == []
    with staffed.open() as context:
        joined = members.join_team(context, "red", "alice").seq
    assert acted() == [joined + 1]
    with staffed.open() as context:
        left = members.leave_team(context, "red", "alice").seq
    # to leave was the last that she did in it: she signed under the law before
    assert acted() == [joined + 1, left]
    with staffed.open() as context:
        again = members.join_team(context, "red", "alice").seq
    assert acted() == [joined + 1, left, again + 1]
