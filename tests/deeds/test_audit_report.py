"""The report's numbers are those of the acts themselves; and only who may see everything gets any."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from registry import access, acts, catalog, ledger
from registry.acts import timestamp
from registry.audit.query import Query
from registry.audit.report import gather, report
from registry.audit.report.estate import Cell, Namespace
from registry.audit.report.facts import Facts
from registry.audit.report.findings import findings
from registry.audit.search import count
from registry.audit.stale import stale_grants
from registry.audit.verify.verifying import verify
from registry.context import Context
from registry.crypto import dsse
from registry.crypto.checkpoint import Checkpoint, LedgerKey, open_checkpoint, origin_of, sign_checkpoint
from registry.errors import InvalidInput, NotPermitted
from registry.records import projection, tables
from registry.records.database import reading, writing
from support import ledgers, worlds
from support.company import Company

NOW = datetime(2026, 11, 20, 22, 14, tzinfo=UTC)
ACTS, SEED = 300, 2
ROWS = {
    "push": "push",
    "pull": "pull",
    "attest": "attest",
    "alias": "point",
    "yank": "point",
    "failure": "failed",
}


class One(NamedTuple):
    """An act of the ledger, and who made it."""

    member: str
    act: acts.Act

    @property
    def day(self) -> str:
        return self.act.header.time[:10]


@contextmanager
def _open(home: Path, who: str = "auditor") -> Iterator[Context]:
    with worlds.open_context(home, identity_file=home / f"{who}.pem", now=lambda: NOW) as opened:
        yield opened


@cache
def _read() -> tuple[One, ...]:
    """Every act, decoded; none of the audit's tables is asked."""
    with _open(ledgers.shared(ACTS, SEED)) as context, reading(context.engine) as connection:
        law = context.law()
        return tuple(_named(law.state.keyids, one.envelope) for one in ledger.entries(connection))


def _named(keyids: dict[str, str], envelope: bytes) -> One:
    act = acts.decode(dsse.Envelope.from_bytes(envelope).payload)
    member = act.body.member if isinstance(act.body, acts.Refusal) else keyids[act.header.actor]
    return One(member, act)


@cache
def _facts(days: int) -> Facts:
    with _open(ledgers.shared(ACTS, SEED)) as context:
        return gather(context, NOW - timedelta(days=days))


PERIODS = (90, 5000)


def _within(days: int) -> list[One]:
    """The acts of the last so many days, and of today."""
    first = (NOW - timedelta(days=days)).date().isoformat()
    return [one for one in _read() if first <= one.day]


def _done(days: int) -> list[One]:
    return [one for one in _within(days) if not isinstance(one.act.body, acts.Refusal)]


def _refusals(days: int) -> list[tuple[str, acts.Refusal]]:
    return [(one.day, one.act.body) for one in _within(days) if isinstance(one.act.body, acts.Refusal)]


@pytest.mark.parametrize("days", PERIODS)
def test_activity_is_what_the_acts_say(days: int) -> None:
    found = _facts(days).activity
    assert found.acts == len(_done(days)) > 0
    wanted = Counter(ROWS.get(one.act.kind, "law") for one in _done(days))
    assert {one.key: one.total for one in found.series if one.key != "refused" and one.total} == wanted
    assert found.members == len({one.member for one in _done(days)})
    models = {one.act.model or one.act.target for one in _done(days)}
    assert found.models == len({one for one in models if one and "/" in one.strip("/")})


def test_the_time_before_is_as_long() -> None:
    facts = _facts(90)
    before = facts.period.before
    assert before.days == facts.period.days == 91
    inside = [one for one in _read() if before.first.isoformat() <= one.day <= before.last.isoformat()]
    assert facts.activity.before == sum(not isinstance(one.act.body, acts.Refusal) for one in inside) > 0


@pytest.mark.parametrize("days", PERIODS)
def test_who_pulls_most_and_what(days: int) -> None:
    found = _facts(days).activity
    pulls = [one for one in _done(days) if one.act.kind == "pull"]
    for ranking, name in ((found.pullers, _member), (found.pulled, _model)):
        wanted = Counter(map(name, pulls))
        assert {one.name: one.count for one in ranking}.items() <= wanted.items()
        assert [one.count for one in ranking] == sorted(wanted.values(), reverse=True)[:8]


def _member(one: One) -> str:
    return one.member


def _model(one: One) -> str:
    return one.act.model or ""


@pytest.mark.parametrize("days", PERIODS)
def test_what_was_refused(days: int) -> None:
    facts = _facts(days)
    told = _refusals(days)
    assert facts.denied.total == sum(body.count for _, body in told)
    assert {one.code: one.count for one in facts.denied.reasons} == Counter(body.code for _, body in told)
    assert facts.denied.people == len({body.member for _, body in told} - {""})
    assert {one.name: one.total for one in facts.denied.members} == Counter(
        body.member or "unknown" for _, body in told
    )
    series = next(one for one in facts.activity.series if one.key == "refused")
    assert sum(series.counts) == facts.denied.total
    assert facts.denied.failed == sum(one.act.kind == "failure" for one in _done(days))


@pytest.mark.parametrize("days", PERIODS)
def test_each_bucket_has_its_own(days: int) -> None:
    facts = _facts(days)
    for series in facts.activity.series:
        by_bucket: Counter[int] = Counter()
        for one in _done(days):
            if ROWS.get(one.act.kind, "law") == series.key:
                by_bucket[facts.period.places[one.day]] += 1
        for day, body in _refusals(days) if series.key == "refused" else ():
            by_bucket[facts.period.places[day]] += body.count
        assert dict(by_bucket) == {place: many for place, many in enumerate(series.counts) if many}


def test_the_numbers_are_those_that_the_search_counts() -> None:
    facts = _facts(90)
    since = datetime.combine(facts.period.first, datetime.min.time(), UTC)
    with _open(ledgers.shared(ACTS, SEED)) as context:
        for outcome, wanted in (("refused", facts.denied.told), ("failed", facts.denied.failed)):
            assert count(context, Query(since=since, outcome=outcome)) == wanted
        assert count(context, Query(since=since)) == facts.activity.acts + facts.denied.told
        rows = stale_grants(context, 90).rows
    assert (facts.unused.count, facts.unused.never) == (len(rows), sum(not one["last_used"] for one in rows))
    assert all(0 <= unused <= standing for _, unused, standing in facts.unused.by_action)
    assert sum(unused for _, unused, _ in facts.unused.by_action) == len(rows) > 0


def test_who_holds_what_is_what_the_law_says() -> None:
    held = _facts(90).holdings
    with _open(ledgers.shared(ACTS, SEED)) as context:
        effective, standing = access.effective(context), access.grants(context)
    by_grant = [one for one in effective if not all(why.endswith(" is an admin") for why in one["why"])]
    people: dict[tuple[str, str], set[str]] = defaultdict(set)
    reads: dict[str, set[str]] = defaultdict(set)
    for one in by_grant:
        space, _, model = one["target"].partition("/")
        people[f"{space}/", one["action"]].add(one["member"])
        if model and one["action"] == "pull":
            reads[one["member"]].add(one["target"])
    for space in held.namespaces:
        for action in acts.ACTIONS:
            assert getattr(space, action) == len(people[space.name, action]), (space.name, action)
    wanted = {name: len(models) for name, models in reads.items()}
    assert {one.name: one.count for one in held.widest}.items() <= wanted.items()
    assert [one.count for one in held.widest] == sorted(wanted.values(), reverse=True)[:8]
    assert held.grants == sum(one["state"] == "lasts" for one in standing) > 0


def test_whoever_may_hand_on_can_read(tmp_path: Path) -> None:
    company = Company(tmp_path)
    company.enroll("bob", "carol")
    company.team("ml", "carol")
    company.grant("bob", "grant", "vision/")
    company.grant("ml", "push", "vision/net", until=company.at(days=3))
    with company.open() as context:
        held = gather(context, context.now()).holdings
    assert held.namespaces == (Namespace("vision/", 1, pull=1, push=1, promote=0, grant=1),)
    assert (held.handing, held.grants, held.teams, held.admins) == (1, 2, 1, ("alice",))
    (ending,) = held.ending
    assert (ending.grantee, ending.action, ending.target) == ("ml", "push", "vision/net")
    assert {(one.name, one.kind): one.cells for one in held.grantees} == {
        ("bob", "member"): (Cell(("grant",)),),
        ("ml", "team"): (Cell(("push",), 1),),
    }


def test_the_versions_that_lack_something() -> None:
    found, used = _facts(5000).versions, set()
    quantized, lineage, evaluation, named, yanked = set(), set(), set(), {}, set()
    for one in _read():
        body: Any = one.act.body
        key = (one.act.model, one.act.number)
        if isinstance(body, acts.Push):
            named |= {(body.model, name): key for name in body.aliases}
        if isinstance(body, acts.Alias):
            named[body.model, body.name] = key
        if isinstance(body, acts.Pull):
            used.add(key)
        if isinstance(body, acts.Yank):
            yanked.add(key)
        for head in map(projection.attested, _statements(body)):
            said = head.statement["predicate"]
            if head.type == acts.QUANTIZATION and any(file["mode"] != "float" for file in said["models"]):
                quantized.add(key)
            lineage |= {key} if head.type in (acts.LINEAGE, acts.RECIPE) and said.get("parent") else set()
            evaluation |= {key} if head.type == acts.EVALUATION else set()
    asked = ((used | set(named.values())) - yanked) & quantized
    assert (found.used.quantized, found.used.total) == (
        len(asked),
        len((used | set(named.values())) - yanked),
    )
    assert (found.used.lineage, found.used.evaluation) == (len(asked & lineage), len(asked & evaluation))
    assert found.gap_count == len(asked - (lineage & evaluation)) > 0
    assert {(one.model, one.number) for one in found.gaps} <= asked - (lineage & evaluation)
    withdrawn = {f"{name} of {model}:{key[1]}" for (model, name), key in named.items() if key in yanked}
    assert set(found.yanked_aliases) == withdrawn
    assert found.everything.total == sum(isinstance(one.act.body, acts.Push) for one in _read()) - len(yanked)


def _statements(body: object) -> tuple[bytes, ...]:
    if isinstance(body, acts.Push):
        return body.attestations
    return (body.statement,) if isinstance(body, acts.Attest) else ()


def test_an_engineer_gets_no_report() -> None:
    with (
        _open(ledgers.shared(ACTS, SEED), "engineer") as context,
        pytest.raises(NotPermitted, match="auditor"),
    ):
        report(context, NOW)


def test_an_admin_gets_one() -> None:
    with _open(ledgers.shared(ACTS, SEED), "identity") as context:
        assert "<h1>" in report(context, NOW - timedelta(days=3))


def test_a_day_that_has_not_come_is_refused() -> None:
    with _open(ledgers.shared(ACTS, SEED)) as context, pytest.raises(InvalidInput, match="future"):
        report(context, NOW + timedelta(days=1))


def test_the_period_begins_with_the_registry() -> None:
    with _open(ledgers.shared(ACTS, SEED)) as context:
        facts = gather(context, datetime(1, 1, 1, tzinfo=UTC))
    assert facts.period.first.isoformat() == _read()[0].day
    assert facts.activity.before == 0


# --- the ledger's health --------------------------------------------------------------------------


def test_an_untouched_ledger_is_sound_and_was_never_verified() -> None:
    facts = _facts(90)
    assert (facts.health.broken, facts.health.size, facts.health.counted) == ("", len(_read()), len(_read()))
    assert facts.health.growth[-1][1] == len(_read())
    titles = {one.title for one in findings(facts)}
    assert "The ledger was never verified in full from here" in titles


def test_a_verification_is_on_record(tmp_path: Path) -> None:
    home = ledgers.copied(tmp_path, ACTS, SEED)
    with _open(home) as context:
        verify(context, jobs=1)
        known = gather(context, NOW).health.verified
    assert known is not None
    assert (known.size, known.complete, known.time) == (len(_read()), True, timestamp(NOW))


def _longer(tree: Checkpoint) -> Checkpoint:
    return Checkpoint(tree.origin, tree.size + 5, os.urandom(32))


def _other(tree: Checkpoint) -> Checkpoint:
    return Checkpoint(tree.origin, tree.size, os.urandom(32))


@pytest.mark.parametrize(
    ("forked", "said"), [(_longer, "shorter than it was"), (_other, "history was rewritten")]
)
def test_a_ledger_that_forked_is_the_first_finding(
    tmp_path: Path, forked: Callable[[Checkpoint], Checkpoint], said: str
) -> None:
    home = ledgers.copied(tmp_path, ACTS, SEED)
    key = LedgerKey.from_pem((home / "ledger.pem").read_bytes())
    with _open(home) as context:
        with reading(context.engine) as connection:
            note = ledger.newest_note(connection)
        tree = open_checkpoint(note, origin_of(context.config.registry_id), key.public)
        (home / "checkpoint").write_text(sign_checkpoint(forked(tree), key))
        facts = gather(context, NOW)
        assert said in facts.health.broken
        assert findings(facts)[0].title == "The ledger does not hold together"
        assert "The ledger does not hold together" in report(context, NOW)


def test_tables_that_tell_of_less_than_the_ledger_are_told(tmp_path: Path) -> None:
    home = ledgers.copied(tmp_path, ACTS, SEED)
    with _open(home) as context:
        with writing(context.engine) as connection:
            connection.execute(sa.delete(tables.activity).where(tables.activity.c.action == "push"))
        facts = gather(context, NOW)
    assert facts.health.counted < facts.health.size
    assert findings(facts)[0].title == "The tables do not match the ledger"


def test_refusals_that_were_only_counted_count(tmp_path: Path) -> None:
    """The door counts what comes in floods, and writes the number once; it is in the entry alone."""
    home = ledgers.copied(tmp_path, ACTS, SEED)
    with _open(home, "identity") as context:
        before = gather(context, NOW).denied
        flood = {
            "member": "engineer",
            "since": timestamp(NOW - timedelta(hours=2)),
            "told": 20,
            "counted": 17,
        }
        with writing(context.engine) as connection:
            connection.execute(sa.delete(tables.tallies))
            connection.execute(sa.insert(tables.tallies), flood)
        model = next(one.act.model for one in _read() if one.act.kind == "push")
        catalog.alias(context, f"{model}:1", "flooded")
        facts = gather(context, NOW)
    assert (facts.denied.uncounted - before.uncounted, facts.denied.total - before.total) == (17, 17)
    engineer = next(one for one in facts.denied.members if one.name == "engineer")
    assert engineer.total >= 17
    assert next(one for one in facts.activity.series if one.key == "refused").total == facts.denied.total


def test_both_databases_make_the_same_report(tmp_path: Path, postgres_url: str) -> None:
    ledgers.make(tmp_path / "other", ACTS, SEED, database=postgres_url)
    with _open(tmp_path / "other") as context:
        assert gather(context, NOW - timedelta(days=5000)) == _facts(5000)
