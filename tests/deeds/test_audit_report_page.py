"""The report's page: it needs nothing from anywhere, runs nothing, and no name in it is more than a name."""

from __future__ import annotations

import dataclasses
import itertools
import re
import shlex
from collections import Counter
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.audit.report import page, words
from registry.audit.report.facts import Facts
from registry.audit.report.findings import findings, in_order
from registry.audit.report.period import Period
from support.reportfacts import facts

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; background: url(https://evil.example/x)",
    "</style></svg></table><h1>",
    "{{ facts }}{% for x in y %}$x^2$&amp;&#60;",
    "]]><!--",
    "\x1b]0;owned\x07\u202e\u200b\nhidden",
    "=HYPERLINK()" + "x" * 300,
)
BENIGN = "somebody"


class _Read(HTMLParser):
    """A page as a browser's parser sees it: its elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.other: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    def attributes(self, *names: str) -> list[str]:
        return [found[name] for _, found in self.elements for name in names if name in found]


@pytest.fixture(scope="module")
def plain() -> str:
    return page.render(facts())


@pytest.fixture(scope="module")
def read(plain: str) -> _Read:
    return _Read(plain)


def test_the_page_asks_nobody_for_anything(plain: str, read: _Read) -> None:
    """Nothing that a browser would fetch: no element that loads, no address but places on the page itself."""
    tags = {tag for tag, _ in read.elements}
    loading = {
        "script",
        "img",
        "image",
        "iframe",
        "object",
        "embed",
        "video",
        "audio",
        "source",
        "base",
        "form",
    }
    assert tags & loading == set()
    assert read.attributes("src", "srcset", "action", "data", "poster", "background", "xlink:href") == []
    outside = [one for one in read.attributes("href") if not one.startswith("#")]
    assert outside == ["data:,"]
    assert set(re.findall(r"url\(\s*['\"]?(.)", plain)) <= {"#"}
    assert "@import" not in plain
    assert "http" not in re.sub(r"http-equiv", "", plain)


def test_the_page_runs_nothing_and_says_so_to_the_browser(read: _Read) -> None:
    assert [name for _, found in read.elements for name in found if name.startswith("on")] == []
    policies = [found["content"] for tag, found in read.elements if tag == "meta" and "http-equiv" in found]
    assert policies == [POLICY]


def test_a_hostile_name_is_text(read: _Read) -> None:
    """The same elements with the same attributes as under plain names, those aside that speak of names."""
    names = itertools.cycle(HOSTILE)
    found = _Read(page.render(facts(lambda word: f"{next(names)}{word}")))
    assert found.other == []
    assert _shape(found) == _shape(read)
    texts = "".join(found.texts)
    for name in HOSTILE:
        assert "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name) in texts


def _shape(found: _Read) -> list[tuple[str, dict[str, str]]]:
    """Without the places where a name may break, and what charts and tables tell of themselves."""
    spoken = ("aria-label", "style", "title")
    return [
        (tag, {name: value for name, value in attributes.items() if name not in spoken})
        for tag, attributes in found.elements
        if tag != "wbr"
    ]


def test_no_control_character_reaches_the_page() -> None:
    made = page.render(facts(lambda word: f"\x1b[31m\u202e{word}"))
    assert {char for char in made if not char.isprintable()} == {"\n"}


def test_styles_do_not_come_from_names() -> None:
    """What is in a style attribute is numbers, and the colours of the page."""
    made = _Read(page.render(facts(lambda word: f"red; background: url(x){word}")))
    allowed = re.compile(r"width: [0-9.]+%|([a-z-]+: ([a-z0-9.#() -]+|'[A-Za-z ]+'),?;? ?)+")
    assert [one for one in made.attributes("style") if not allowed.fullmatch(one)] == []
    assert [one for one in made.attributes("style") if "background" in one] == []


def test_every_place_that_is_named_is_there_once(plain: str, read: _Read) -> None:
    there = Counter(read.attributes("id"))
    assert max(there.values()) == 1
    named = {one[1:] for one in read.attributes("href") if one.startswith("#")}
    named |= set(re.findall(r"url\(#([^)]+)\)", plain))
    named |= set(read.attributes("aria-labelledby"))
    assert named - there.keys() == set()


def test_every_chart_is_told_in_words(read: _Read) -> None:
    charts = [found for tag, found in read.elements if tag == "svg"]
    assert len(charts) == 8
    assert all(found["role"] == "img" and len(found["aria-label"]) > 20 for found in charts)


def test_charts_take_their_colours_from_the_page(plain: str) -> None:
    """So that one drawing does for light, dark and print: no colour is written into it."""
    drawn = "".join(re.findall(r"<svg.*?</svg>", plain, re.S))
    assert "var(--bar)" in drawn
    assert re.findall(r"(?:fill|stroke): ?#[0-9a-f]{3,8}", drawn) == []


def test_the_same_facts_make_the_same_page(plain: str) -> None:
    assert page.render(facts()) == plain


@pytest.mark.parametrize("days", [1, 62, 420, 4000])
def test_periods_of_any_length_make_a_page(days: int) -> None:
    made = page.render(facts(days=days))
    assert len(made.encode()) < 1_000_000


def test_the_worst_comes_first() -> None:
    found = findings(facts())
    assert [one.level for one in found] == sorted(
        (one.level for one in found), key=["act", "look", "know"].index
    )
    assert found[0].title == "The ledger does not hold together"
    assert {one.section for one in found} <= page.SECTIONS.keys()
    assert "Four things need action" in page.render(facts())


def test_a_name_in_a_command_stays_one_word() -> None:
    """Commands are there to be copied: the shell must not run a part of a name."""
    found = findings(facts(lambda word: f"x; rm -rf ~ $(id) '`{word}"))
    words_of = {len(shlex.split(one.command)) for one in found if "mallory" in one.command}
    assert words_of == {9}
    assert all(";" not in shlex.split(one.command) for one in found)


def test_nothing_to_say_is_said(plain: str) -> None:
    made = facts()
    quiet = dataclasses.replace(
        made,
        activity=dataclasses.replace(made.activity, acts=0, series=(), pulled=(), pullers=()),
        denied=dataclasses.replace(
            made.denied, told=0, uncounted=0, members=(), reasons=(), bursts=(), strangers=0, failed=0
        ),
        holdings=dataclasses.replace(
            made.holdings, ending=(), endings=0, new_admins=(), policies=(), replaced=()
        ),
        unused=dataclasses.replace(made.unused, count=0, never=0, by_action=(), rights=()),
        versions=dataclasses.replace(made.versions, gap_count=0, gaps=(), yanked_aliases=()),
        health=_sound(made),
    )
    assert findings(quiet) == []
    assert "no right lay idle" in in_order(quiet)
    shown = page.render(quiet)
    assert "All in order" in shown
    assert "Nobody was refused anything in this period." in shown
    assert "All in order" not in plain


def _sound(made: Facts) -> object:
    verified = dataclasses.replace(made.health.verified, time="2026-11-19T00:00:00.000000Z")  # type: ignore[type-var]
    return dataclasses.replace(made.health, broken="", remembered=1200, verified=verified)


@given(first=st.dates(date(1990, 1, 1), date(2030, 1, 1)), days=st.integers(1, 3000), data=st.data())
def test_buckets_lose_no_day_and_count_none_twice(first: date, days: int, data: st.DataObject) -> None:
    period = Period(first, first + timedelta(days=days - 1))
    assert period.days == days
    assert len(period.buckets) <= 110
    assert list(period.buckets) == sorted(set(period.buckets))
    inside = st.integers(0, days - 1).map(lambda one: (first + timedelta(days=one)).isoformat())
    counts = data.draw(st.dictionaries(inside, st.integers(1, 9), max_size=20))
    outside = {(first - timedelta(days=1)).isoformat(): 5, "no day": 7}
    assert sum(period.counts({**counts, **outside})) == sum(counts.values())
    for day in counts:
        one = period.buckets[period.places[day]]
        assert one <= date.fromisoformat(day)
        assert period.bucket(date.fromisoformat(day)) == one


@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_some_is_never_none_and_not_all_never_all(part: int, more: int) -> None:
    share = words.percent(part, part + more)
    assert share not in ("100%", "100.0%")
    assert (share == "0%") == (part == 0)
    assert words.percent(part, part) == ("100%" if part else "0%")
