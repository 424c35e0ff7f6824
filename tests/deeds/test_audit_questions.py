"""The ready questions, against the same answers found by reading every act of a generated ledger."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from registry import access, acts
from registry.audit import blast, denials, dossier, event, questions, stale
from registry.context import Context
from registry.errors import InvalidInput, MemberNotFound, NotPermitted, ReferenceNotFound
from support import audited, ledgers
from support.audited import Record

ACTS = 700
NOW = ledgers.module("making").END
DAYS = 90


def opened(home: Path, identity: str | None = None) -> Context:
    own = home / identity if identity else None
    return Context(home, identity_file=own, now=lambda: NOW)


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    with opened(ledgers.shared(ACTS)) as found:
        yield found


@pytest.fixture(scope="module")
def record(context: Context) -> Record:
    return Record(context)


@pytest.fixture(scope="module")
def models(record: Record) -> list[str]:
    return sorted({one.body.model for one in record.of(acts.Create)})


def test_who_pulled(context: Context, record: Record, models: list[str]) -> None:
    for model in models:
        expected = record.pulls(model)
        found = questions.who_pulled(context, model)
        assert {
            (row["member"], row["version"]): (row["pulls"], row["first"], row["last"], row["entry"])
            for row in found.rows
        } == {
            (member, f"{model}:{number}"): (len(made), made[0].time, made[-1].time, made[-1].seq)
            for (member, number), made in expected.items()
        }
        assert [row["entry"] for row in found.rows] == sorted(row["entry"] for row in found.rows)[::-1]
        for row in found.rows:
            last = record.made[row["entry"]]
            assert (row["purpose"], row["host"]) == (last.body.purpose, last.act.header.client.host)
    popular = max(models, key=lambda model: len(record.pulls(model)))
    whole = questions.who_pulled(context, popular)
    few = questions.who_pulled(context, popular, 2)
    assert (few.rows, few.more) == (whole.rows[:2], len(whole.rows) - 2)
    one = questions.who_pulled(context, whole.rows[0]["version"]).rows
    assert one == [row for row in whole.rows if row["version"] == whole.rows[0]["version"]]


def test_history_is_all_but_the_pulls_which_are_counted(
    context: Context, record: Record, models: list[str]
) -> None:
    for model in models:
        expected, pulls = record.history(model), record.pulls(model)
        found = questions.history(context, model)
        assert [row["seq"] for row in found.rows] == expected
        assert found.pulls == sum(map(len, pulls.values()))
        assert found.pullers == len({member for member, _ in pulls})
        assert found.last_pull == max((made[-1].time for made in pulls.values()), default=None)
        for limit in (1, 3, len(expected)):
            few = questions.history(context, model, limit)
            assert ([row["seq"] for row in few.rows], few.more) == (
                expected[-limit:],
                max(0, len(expected) - limit),
            )


def test_the_history_of_one_version(context: Context, record: Record) -> None:
    push = next(one for one in record.of(acts.Push) if one.body.number > 1)
    model, number = push.body.model, push.body.number
    found = questions.history(context, f"{model}:{number}")
    assert [row["seq"] for row in found.rows] == [
        one.seq
        for one in record.made
        if (not isinstance(one.body, acts.Pull) and (one.act.model, one.act.number) == (model, number))
        or (isinstance(one.body, acts.Refusal) and one.body.target == f"{model}:{number}")
    ]
    assert {row["version"] for row in found.rows} == {number}


def test_who_can_is_what_the_law_says(context: Context, models: list[str]) -> None:
    for place in (*models, *{f"{model.partition('/')[0]}/" for model in models}):
        found = questions.who_can(context, place)
        expected = {
            (one["member"], one["action"], one["until"]) for one in access.effective(context, on=place)
        }
        assert {
            (row["member"], action, row["until"]) for row in found.rows for action in row["actions"]
        } == expected


def test_denied(context: Context, record: Record) -> None:
    expected = record.refusals()
    assert sum(expected.values()) > 10
    found = denials.denied(context, denials.Refused()).rows
    assert {
        (row["member"], row["action"], row["on"], row["code"]): row["attempts"] for row in found
    } == expected
    assert [row["entry"] for row in found] == sorted((row["entry"] for row in found), reverse=True)
    few = denials.denied(context, denials.Refused(), 3)
    assert (few.rows, few.more) == (found[:3], len(found) - 3)


def test_denied_since_counts_to_the_microsecond(context: Context, record: Record) -> None:
    refusals = list(record.of(acts.Refusal))
    middle = datetime.fromisoformat(refusals[len(refusals) // 2].time)
    for bound in (middle, middle + timedelta(microseconds=1)):
        since = denials.denied(context, denials.Refused(since=bound)).rows
        until = denials.denied(context, denials.Refused(until=bound)).rows
        expected = record.refusals(acts.timestamp(bound))
        assert sum(row["attempts"] for row in since) == sum(expected.values())
        assert sum(row["attempts"] for row in (*since, *until)) == len(refusals)


def test_denied_by_member_place_and_code(context: Context) -> None:
    found = denials.denied(context, denials.Refused()).rows

    def same(expected: list[dict[str, Any]], **asked: str) -> None:
        assert denials.denied(context, denials.Refused(**asked)).rows == expected
        assert expected

    one = next(row for row in found if row["member"] and ":" in row["on"])
    model = one["on"].partition(":")[0]
    same([row for row in found if row["member"] == one["member"]], member=one["member"])
    same([row for row in found if row["code"] == one["code"]], code=one["code"])
    same([row for row in found if row["on"] == one["on"]], on=one["on"])
    same([row for row in found if row["on"].partition(":")[0] == model], on=model)
    namespace = f"{model.partition('/')[0]}/"
    same([row for row in found if row["on"].startswith(namespace)], on=namespace)


@pytest.mark.parametrize("days", [7, DAYS, 400])
def test_stale_grants(context: Context, record: Record, days: int) -> None:
    cutoff = acts.timestamp(NOW - timedelta(days=days))
    found = stale.stale_grants(context, days)
    assert {(row["grantee"], row["action"], row["on"]): row["last_used"] or "" for row in found.rows} == (
        record.stale(acts.timestamp(NOW), cutoff)
    )
    assert len(found.rows) > 5
    since = [row["last_used"] or row["granted"] for row in found.rows]
    assert since == sorted(since)
    assert [row["days"] for row in found.rows] == [(NOW - datetime.fromisoformat(one)).days for one in since]
    few = stale.stale_grants(context, days, 4)
    assert (few.rows, few.more) == (found.rows[:4], len(found.rows) - 4)


def test_rights_that_are_used_are_not_stale(context: Context, record: Record) -> None:
    every = {(one["grantee"], one["action"], one["target"]) for one in access.grants(context)}
    found = {(row["grantee"], row["action"], row["on"]) for row in stale.stale_grants(context, DAYS).rows}
    assert 0 < len(every & found) < len(every)


def test_a_number_of_days_makes_sense(context: Context) -> None:
    for days in (0, -1, 40_000):
        with pytest.raises(InvalidInput):
            stale.stale_grants(context, days)


def _asked(record: Record) -> list[str]:
    """Members of every kind: those who pushed, were in teams, were disabled, had their keys replaced."""
    kinds = (acts.Push, acts.TeamAdd, acts.TeamRemove, acts.Disable, acts.Replace)
    found = [next(record.of(kind), None) for kind in kinds]
    names = [getattr(one.body, "name", one.member) for one in found if one is not None]
    return sorted({*names, record.made[0].member})


def test_blast_radius(context: Context, record: Record) -> None:
    edges = record.descent()
    assert edges
    for name in _asked(record):
        found = blast.blast_radius(context, name)

        def versions(how: str, found: blast.Blast = found) -> set[tuple[str, int]]:
            return {one.version.version for one in found.of(how)}

        signed, could = record.signed(name), record.opened(name)
        assert versions(blast.SIGNED) == signed
        assert versions(blast.OPENED) == could
        assert versions(blast.DESCENDS) == audited.below(edges, signed) | audited.below(edges, could)
        attested = {(one.body.model, one.body.number) for one in record.of(acts.Attest) if one.member == name}
        assert versions(blast.ATTESTED) == attested
        for one in found.reached:
            pulls = record.pulls(one.version.model).get((name, one.version.version[1]), [])
            assert one.pulls == len(pulls)
        kinds = [one.act.kind for one in record.made if one.member == name and one.act.is_law]
        assert found.law == {kind: kinds.count(kind) for kind in kinds}
        assert {key["keyid"] for key in found.keys} >= {
            one.act.header.actor
            for one in record.made
            if one.member == name and one.seq not in _refused(record)
        }


def _refused(record: Record) -> set[int]:
    return {one.seq for one in record.of(acts.Refusal)}


def test_the_dossier_of_everybody(context: Context, record: Record) -> None:
    for name in _asked(record):
        found = dossier.member(context, name)
        own = [one for one in record.made if one.member == name]
        assert found.acts == len(own)
        assert [row["seq"] for row in found.recent] == [one.seq for one in reversed(own)][: dossier.LATEST]
        done = {
            (row["action"], row["on"]): (row["acts"], row["entry"])
            for row in found.did
            if row["outcome"] == "allowed"
        }
        allowed = [one for one in own if not isinstance(one.body, acts.Refusal | acts.Failure)]
        expected = {}
        for one in allowed:
            count, _ = expected.get((one.act.kind, one.place), (0, 0))
            expected[one.act.kind, one.place] = count + 1, one.seq
        assert done == expected
        subjects = {
            one.seq
            for one in record.made
            if name in (getattr(one.body, "grantee", ""), getattr(one.body, "name", ""), audited.about(one))
            and (one.act.is_law or isinstance(one.body, acts.Refusal))
        }
        assert {row["seq"] for row in found.about} == subjects


def test_both_databases_answer_alike(context: Context, postgres_url: str, tmp_path: Path) -> None:
    ledgers.make(tmp_path / "other", ACTS, database=postgres_url)
    names = ("who_can", "who_pulled", "history")
    with opened(tmp_path / "other") as other:
        record = Record(other)
        model = max({one.body.model for one in record.of(acts.Push)}, key=lambda one: len(record.pulls(one)))
        for name in names:
            ask = getattr(questions, name)
            assert ask(other, model) == ask(context, model), name
        for days in (7, DAYS):
            assert stale.stale_grants(other, days) == stale.stale_grants(context, days)
        assert denials.denied(other, denials.Refused()) == denials.denied(context, denials.Refused())
        for member in _asked(record):
            assert blast.blast_radius(other, member) == blast.blast_radius(context, member)
            assert dossier.member(other, member) == dossier.member(context, member)


# --- who may ask ------------------------------------------------------------------------------


def test_an_auditor_asks_everything(context: Context) -> None:
    with opened(ledgers.shared(ACTS), "auditor.pem") as auditor:
        name = _asked(Record(context))[0]
        assert blast.blast_radius(auditor, name) == blast.blast_radius(context, name)
        assert dossier.member(auditor, name) == dossier.member(context, name)
        assert stale.stale_grants(auditor, DAYS) == stale.stale_grants(context, DAYS)
        assert denials.denied(auditor, denials.Refused()) == denials.denied(context, denials.Refused())


def test_an_engineer_sees_what_concerns_their_own_models(context: Context, models: list[str]) -> None:
    with opened(ledgers.shared(ACTS), "engineer.pem") as own:
        may = {one["target"] for one in access.effective(own, "engineer")}
        mine = [model for model in models if model in may]
        for model in models:
            for ask in (questions.who_can, questions.who_pulled, questions.history):
                if model in mine:
                    assert ask(own, model) == ask(context, model)
                else:
                    with pytest.raises(NotPermitted):
                        ask(own, model)
        assert 0 < len(mine) < len(models)
        _only_theirs(context, own, {*may, *(f"{model.partition('/')[0]}/" for model in mine)})


def _only_theirs(context: Context, own: Context, places: set[str]) -> None:
    def theirs(rows: list[dict[str, Any]], who: str) -> list[dict[str, Any]]:
        return [
            row
            for row in rows
            if row[who] == "engineer" or row["on"].partition(":")[0] in {*places, "engineer"}
        ]

    every = denials.denied(context, denials.Refused()).rows
    assert denials.denied(own, denials.Refused()).rows == theirs(every, "member")
    unused = stale.stale_grants(context, DAYS).rows
    found = stale.stale_grants(own, DAYS).rows
    assert found == theirs(unused, "grantee")
    assert 0 < len(found) < len(unused)
    assert dossier.member(own, "engineer").member["name"] == "engineer"
    with pytest.raises(NotPermitted):
        dossier.member(own, "admin")
    for name in ("engineer", "admin"):
        with pytest.raises(NotPermitted):
            blast.blast_radius(own, name)


def test_whoever_is_not_there_is_not_found(context: Context) -> None:
    with pytest.raises(MemberNotFound):
        dossier.member(context, "nobody")
    with pytest.raises(MemberNotFound):
        blast.blast_radius(context, "nobody")
    for ask in (questions.who_pulled, questions.history):
        for ref in ("nowhere/nothing", "nowhere/nothing:1"):
            with pytest.raises(ReferenceNotFound):
                ask(context, ref)
    assert {one["because"] for one in questions.who_can(context, "nowhere/nothing").rows} == {"admin"}


# --- how much is read -------------------------------------------------------------------------


def test_no_question_reads_a_large_table_from_end_to_end(
    context: Context, record: Record, models: list[str]
) -> None:
    """Each statement, as SQLite would run it, reads ranges of indexes: no plan grows with all there is."""
    name = _asked(record)[0]
    asked = [
        lambda: questions.who_can(context, models[0]),
        lambda: questions.who_pulled(context, models[0]),
        lambda: questions.history(context, models[0]),
        lambda: dossier.member(context, name),
        lambda: denials.denied(context, denials.Refused(since=NOW - timedelta(days=30))),
        lambda: stale.stale_grants(context, DAYS),
        lambda: blast.blast_radius(context, name),
    ]
    for ask in asked:
        plans = [
            plan for plan in _plans(context, ask) if re.match(r"SCAN (events|acts|activity|nodes)\b", plan)
        ]
        assert plans == []


def _plans(context: Context, ask: Any) -> list[str]:
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    sa.event.listen(context.engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        sa.event.remove(context.engine, "before_cursor_execute", note)
    with context.engine.connect() as connection:
        return [
            str(row[3])
            for statement, parameters in statements
            if statement.startswith(("SELECT", "WITH"))
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


def test_pulls_are_counted_and_not_read(
    context: Context, record: Record, models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a model was pulled: only what an answer shows is decoded."""
    popular = max(models, key=lambda model: sum(map(len, record.pulls(model).values())))
    read: list[int] = []
    decode = event._read
    monkeypatch.setattr(
        event, "_read", lambda envelope, seq, *rest: read.append(seq) or decode(envelope, seq, *rest)
    )
    found = questions.history(context, popular)
    assert found.pulls > len(found.rows)
    assert sorted(read) == [row["seq"] for row in found.rows]
