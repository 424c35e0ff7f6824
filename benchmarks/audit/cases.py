"""Every question of the audit, with what it is asked about: a name, and calls that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from benchmarks.audit.sampling import Samples
from registry.audit import blast, denials, dossier, questions, search, stale
from registry.audit.denials import Refused
from registry.audit.query import Query
from registry.audit.scope import scope
from registry.context import Context

Call = Callable[[Context], object]
_PAGE = 50  # acts, as the command shows them
_ROWS = 50  # of an answer
_WORDS = (
    *("serving", "quantiz", "runner-07", "hallmark/0.3", "may not pull", "yanked", "ws-00", "legal-412"),
    *("nothing-says-this", "stolen", "weekend-freeze", "hotfix", "note=", "candidate", "left the company"),
)
_DEEP = 8  # pages before the one that is measured


def searches(samples: Samples, end: datetime) -> dict[str, list[Call]]:
    """Pages of acts, counts and groups, by every filter and by several."""
    found: dict[str, list[Call]] = {}
    for name, queries in _filters(samples, end).items():
        found[f"search {name}"] = [partial(_page, query=query) for query in queries]
    for name, queries in _filters(samples, end).items():
        found[f"search {name} --count"] = [partial(_count, query=query) for query in queries]
    for by in ("actor", "action", "model", "day"):
        queries = [query for queries in _filters(samples, end).values() for query in queries[:3]]
        found[f"search --group-by {by}, any filter"] = [partial(_group, query=one, by=by) for one in queries]
    for sort in ("actor", "action", "on"):
        queries = [Query(sort=sort), *(Query(sort=sort, on=one) for one in samples.namespaces)]
        queries += [Query(sort=sort, actor=one) for one in samples.members]
        found[f"search --sort {sort}"] = [partial(_page, query=query) for query in queries]
    deep = [Query(on=one) for one in samples.namespaces[:8]] + [
        Query(actor=one) for one in samples.members[:8]
    ]
    deep += [Query(sort=one) for one in ("actor", "action", "on")] + [Query(), Query(text="serving")]
    found["search --after, page 9"] = [_Deep(query) for query in deep]
    return found


def _filters(samples: Samples, end: datetime) -> Mapping[str, list[Query]]:
    month, year = end - timedelta(days=30), end - timedelta(days=365)
    windows = [Query(since=day, until=day + timedelta(days=length)) for day, length in _windows(samples)]
    return {
        "without a filter": [Query(), Query(reverse=True), Query(since=month), Query(since=year)],
        "--actor": [Query(actor=one) for one in samples.members],
        "--team": [Query(team=one) for one in samples.teams],
        "--action": [Query(actions=(one,)) for one in _ACTIONS] + [Query(actions=("grant", "revoke"))],
        "--on NS/": [Query(on=one) for one in samples.namespaces],
        "--on MODEL": [Query(on=one) for one in samples.models],
        "--on MODEL:VERSION": [Query(on=one) for one in samples.versions],
        "--on MODEL:ALIAS": [Query(on=one) for one in samples.aliases],
        "--on MEMBER": [Query(on=one) for one in samples.people],
        "--outcome": [Query(outcome=one) for one in ("allowed", "refused", "failed", *samples.codes[:12])],
        "--since --until": windows,
        "--digest": [Query(digest=one) for one in _digests(samples)],
        "--version": [Query(version=number) for number in (1, 2, 3, 5, 8, 13, 40, 999)],
        "--text": [Query(text=one) for one in _WORDS],
        "several filters": list(_several(samples, month)),
    }


_ACTIONS = (
    *("pull", "push", "grant", "revoke", "enroll", "disable"),
    *("rotate", "attest", "alias", "yank", "failure"),
)


def _windows(samples: Samples) -> Iterator[tuple[datetime, int]]:
    for number, day in enumerate(samples.days):
        yield day, (1, 7, 30, 180)[number % 4]


def _digests(samples: Samples) -> Iterator[str]:
    for act, content, root in zip(samples.acts, samples.contents, samples.roots, strict=True):
        yield from (act, act[:10], content, root, root[:12])


def _several(samples: Samples, month: datetime) -> Iterator[Query]:
    for number, member in enumerate(samples.members):
        model, space, team = samples.models[number], samples.namespaces[number], samples.teams[number]
        word, day = _WORDS[number % len(_WORDS)], samples.days[number]
        yield Query(actor=member, on=space, since=month)
        yield Query(team=team, outcome="refused", on=space)
        yield Query(on=model, text=word)
        yield Query(actor=member, actions=("pull",), outcome="not-permitted")
        yield Query(team=team, text=word, since=day, until=day + timedelta(days=30))
        yield Query(actions=("yank", "alias"), on=space, version=1 + number % 9)


def _page(context: Context, query: Query) -> object:
    return search.search(context, query, limit=_PAGE)


def _count(context: Context, query: Query) -> object:
    return search.count(context, query)


def _group(context: Context, query: Query, by: Any) -> object:
    return search.group(context, query, by)


class _Deep:
    """The ninth page; the way to it is not measured."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._cursors: dict[int, str] = {}  # by context

    def __call__(self, context: Context) -> object:
        if id(context) not in self._cursors:
            self._cursors[id(context)] = self._walked(context)
        return search.search(context, self._query, limit=_PAGE, after=self._cursors[id(context)])

    def _walked(self, context: Context) -> str:
        after = ""
        for _ in range(_DEEP):
            after = search.search(context, self._query, limit=_PAGE, after=after).next or after
        return after


def ready(samples: Samples, end: datetime) -> dict[str, list[Call]]:
    """The questions that have a name."""
    year = end - timedelta(days=365)
    asked = [Refused(since=end - timedelta(days=days)) for days in (1, 7, 30, 90)]
    asked += [Refused(since=year, member=one) for one in samples.members[:8]]
    asked += [Refused(since=year, on=one) for one in samples.namespaces[:8]]
    about = [*samples.models, *samples.versions]
    return {
        "who-can": [_call(questions.who_can, one) for one in [*about, *samples.namespaces[:5]]],
        "who-pulled": [_call(questions.who_pulled, one, _ROWS) for one in about],
        "history": [_call(questions.history, one, _ROWS) for one in about],
        "member": [_call(dossier.member, one) for one in samples.members],
        "denied": [_call(denials.denied, one, _ROWS) for one in asked],
        "stale-grants": [_call(stale.stale_grants, days, _ROWS) for days in (30, 90, 90, 180, 365)],
        "blast-radius": [_call(blast.blast_radius, one) for one in samples.members],
    }


def _call(question: Callable[..., object], *arguments: object) -> Call:
    return lambda context: question(context, *arguments)


def narrowed(context: Context, samples: Samples, end: datetime) -> dict[str, list[Call]]:
    """What somebody may ask who sees only what concerns them: the same searches, with less in them."""
    places = sorted(scope(context).places)
    models = [one for one in places if "/" in one[:-1]][: len(samples.models)]
    queries = [
        Query(),
        Query(since=end - timedelta(days=30)),
        Query(outcome="refused"),
        Query(actions=("push",)),
    ]
    queries += [Query(on=one) for one in models] + [Query(text=word) for word in _WORDS[:6]]
    queries += [Query(actor=one) for one in samples.members]
    return {
        "search": [partial(_page, query=query) for query in queries],
        "search --count": [partial(_count, query=query) for query in queries],
        "search --group-by model": [partial(_group, query=query, by="model") for query in queries],
    }
