"""The rules that ship: each reports what it is for, and is silent about the next best thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from registry import acts
from registry.audit.watch import rules, schema
from registry.crypto import dsse
from registry.errors import Denied, InvalidPolicy, Untrusted
from registry.records import tables
from registry.records.database import writing
from support import courtroom
from support.courtroom import MODEL, Court
from support.watching import Guard, at_hour, rule

EVERYTHING = "permit(principal, action, resource);"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    with courtroom.build(tmp_path_factory.mktemp("court") / "home") as court:
        for number in range(11):
            court.enact("root", acts.Create(f"many/model{number}"))
            court.admit("root", *court.push("root", f"many/model{number}"))
        yield court


@pytest.fixture
def court(built: Court, tmp_path: Path) -> Iterator[Court]:
    with courtroom.copied(built, tmp_path / "court") as court:
        yield court


# --- deeds --------------------------------------------------------------------------------------------


def grants(to: str = "nobody", *actions: Any, days: int = 0) -> Callable[[Court], object]:
    def deed(court: Court) -> None:
        court.later(days=days)
        court.enact("root", acts.Grant(grantee=to, actions=actions or ("pull",), target="vision/"))

    return deed


def enrolls(role: Any) -> Callable[[Court], object]:
    return lambda court: court.enact("root", acts.Enroll(name="zoe", identity=court.proof("zoe"), role=role))


def replaces(by: str) -> Callable[[Court], object]:
    body = "bob" if by == "bob" else "root"
    return lambda court: court.enact(body, acts.Replace(name="bob", identity=court.proof("bob-2")))


def pulls(court: Court, model: str = MODEL, by: str = "root") -> None:
    court.admit(by, court.about(acts.Pull, model=model, purpose="run"))


def pulls_many(count: int, minutes: int = 0) -> Callable[[Court], object]:
    def deed(court: Court) -> None:
        for number in range(count):
            court.later(minutes=minutes)
            pulls(court, f"many/model{number}")

    return deed


def refused(count: int, minutes: int = 0) -> Callable[[Court], object]:
    def deed(court: Court) -> None:
        for _ in range(count):
            court.later(minutes=minutes)
            with suppress(Denied):
                pulls(court, by="nobody")

    return deed


def fails(court: Court) -> None:
    court.admit("bob", court.about(acts.Failure, purpose="run", step=9, code="bad-encryption"))


def forges(court: Court) -> None:
    """An act in bob's name that nobody has signed with his key."""
    payload = court.sign("bob", court.about(acts.Pull, purpose="run")).payload
    with suppress(Untrusted):
        court.submit(dsse.sign(payload, court.known("mel").signing))


def tampers(court: Court) -> None:
    """An entry whose bytes are not those that the tree has."""
    pulls(court)
    other = court.sign("root", court.about(acts.Pull, purpose="other")).to_bytes()
    with writing(court.engine) as connection:
        newest = sa.select(sa.func.max(tables.acts.c.seq)).scalar_subquery()
        connection.execute(sa.update(tables.acts).where(tables.acts.c.seq == newest).values(envelope=other))


def waits(**by: float) -> Callable[[Court], object]:
    return lambda court: court.later(**by)


def policy(text: str = EVERYTHING) -> Callable[[Court], object]:
    return lambda court: court.enact("root", acts.Policy(text=text))


REPORTS: dict[str, list[Callable[[Court], object]]] = {
    "failed-verification": [fails, forges, tampers],
    "standstill": [waits(hours=25)],
    "grant-to-new-member": [grants(), grants("ml"), grants(days=6)],
    "grant-of-grant": [grants("nobody", "pull", "grant")],
    "admin-enrolled": [enrolls("admin")],
    "key-replaced-by-another": [replaces("root")],
    "policy-changed": [policy()],
    "many-models": [pulls_many(11)],
    "burst-of-refusals": [refused(10)],
}
SILENT: dict[str, list[Callable[[Court], object]]] = {
    "failed-verification": [pulls, refused(1)],
    "standstill": [waits(hours=23), pulls],
    "grant-to-new-member": [grants(days=7), enrolls("member")],
    "grant-of-grant": [grants("nobody", "pull", "push", "promote")],
    "admin-enrolled": [enrolls("member"), enrolls("auditor")],
    "key-replaced-by-another": [replaces("bob")],
    "policy-changed": [pulls, grants()],
    "many-models": [pulls_many(10), pulls_many(11, minutes=7)],
    "burst-of-refusals": [refused(9), refused(10, minutes=7)],
}


def _each(table: dict[str, list[Callable[[Court], object]]]) -> list[Any]:
    return [
        pytest.param(name, deed, id=f"{name}-{at}")
        for name, of in table.items()
        for at, deed in enumerate(of)
    ]


@pytest.mark.parametrize(("name", "deed"), _each(REPORTS))
def test_a_rule_reports_what_it_is_for(court: Court, name: str, deed: Callable[[Court], object]) -> None:
    guard = Guard(court, zone=at_hour(court, 12))
    assert guard.hears() == []
    deed(court)
    assert guard.hears().count(name) == 1


@pytest.mark.parametrize(("name", "deed"), _each(SILENT))
def test_a_rule_is_silent_about_the_rest(court: Court, name: str, deed: Callable[[Court], object]) -> None:
    guard = Guard(court, zone=at_hour(court, 12))
    assert guard.hears() == []
    deed(court)
    assert name not in guard.hears()


def test_a_pull_at_night_is_one_in_the_zones_night(court: Court) -> None:
    guards = {hour: Guard(court, zone=at_hour(court, hour), name=f"{hour}") for hour in (21, 22, 0, 5, 6, 12)}
    assert not any(guard.hears() for guard in guards.values())
    pulls(court)
    heard = {hour for hour, guard in guards.items() if guard.hears() == ["pull-at-night"]}
    assert heard == {22, 0, 5}


def test_a_push_at_night_is_no_pull(court: Court) -> None:
    guard = Guard(court, zone=at_hour(court, 3))
    guard.looks()
    court.admit("root", *court.push("root"))
    assert guard.hears() == []


def test_a_ledger_that_grows_is_no_fork_and_one_set_back_is(court: Court) -> None:
    guard = Guard(court, zone=at_hour(court, 12))
    guard.looks()
    with courtroom.undone(court):
        pulls(court)
        assert guard.hears() == []
    assert guard.hears() == ["fork"]


def test_every_rule_that_ships_is_tested_both_ways() -> None:
    named = {one.name for one in rules.Rules.load().rules}
    assert named == REPORTS.keys() | {"pull-at-night", "fork"}
    assert REPORTS.keys() == SILENT.keys()


def test_a_report_says_who_what_and_where(court: Court) -> None:
    guard = Guard(court, zone=at_hour(court, 23))
    guard.looks()
    pulls(court, by="bob")
    (report,) = guard.looks()
    assert report.say == f"bob pulled {MODEL}:1 at night, after 23:00, from a machine for run"
    assert (report.severity, report.action, report.event.actor) == ("medium", "pull", "bob")
    assert report.event.seq == len(court.envelopes()) - 1


# --- rules of one's own ---------------------------------------------------------------------------------


def heard(court: Court, text: str, deed: Callable[[Court], object]) -> list[str]:
    guard = Guard(court, text)
    guard.looks()
    deed(court)
    return guard.hears()


TRUE_OF_A_PULL = (
    'principal.name == "bob" && principal.role == Role::"member" && principal.days == 3',
    'resource in Namespace::"vision" && resource == Version::"vision/net:1" && resource.number == 1',
    'context.purpose == "run" && context.host == "a machine" && context.program == "a program"',
    "context.pulls == 1 && context.models == 1 && context.refusals == 0 && !context.newHost",
    'context.on == "vision/net:1" && context.seq > 5 && context.minute >= 0',
    'context.time > datetime("2020-01-01")',
    'context.weekday == Weekday::"monday" || context.weekday != Weekday::"monday"',
)


@pytest.mark.parametrize("when", TRUE_OF_A_PULL)
def test_what_a_rule_can_ask_of_a_pull(court: Court, when: str) -> None:
    says, denies = (Guard(court, rule(one, "pull"), name=one[:1] + "w") for one in (when, f"!({when})"))
    assert says.hears() + denies.hears() == []
    court.later(days=3, minutes=1)
    pulls(court, by="bob")
    assert (says.hears(), denies.hears()) == (["rule"], [])


def test_a_team_is_asked_for_with_in(court: Court) -> None:
    text = rule('principal in Team::"ml"', "pull")
    assert heard(court, text, lambda court: pulls(court, by="mel")) == ["rule"]
    assert heard(court, text, lambda court: pulls(court, by="bob")) == []


def test_another_machine_is_new_and_the_second_time_no_more(court: Court) -> None:
    guard = Guard(court, rule("context.newHost", "pull"))
    pulls(court, by="bob")
    guard.looks()
    body = court.about(acts.Pull, purpose="run")
    for _ in range(2):
        court.admit("bob", body, client=acts.Client(program="p", host="another"))
    assert guard.hears() == ["rule"]


def test_whoever_comes_back_after_long_is_told_of(court: Court) -> None:
    guard = Guard(court, rule("context.idleDays >= 30"))
    pulls(court, by="bob")
    guard.looks()
    court.later(days=29)
    pulls(court, by="bob")
    assert guard.hears() == []
    court.later(days=31)
    pulls(court, by="bob")
    assert guard.hears() == ["rule"]


def test_a_quiet_rule_tells_of_each_member_once_in_its_span(court: Court) -> None:
    guard = Guard(court, rule("", "pull", quiet="1h"))
    guard.looks()
    for name in ("bob", "bob", "mel"):
        pulls(court, by=name)
    assert [one.event.actor for one in guard.looks()] == ["bob", "mel"]
    court.later(minutes=59)
    pulls(court, by="bob")
    assert guard.hears() == []
    court.later(minutes=1)
    pulls(court, by="bob")
    assert guard.hears() == ["rule"]


def test_a_rule_for_every_action_meets_every_kind_of_act(court: Court) -> None:
    """So the schema holds for all that the ledger can say; what the rule sees is put in its words."""
    say = "".join(f"{{{word}}} " for word in sorted(rules.WORDS))
    guard = Guard(court, rule("context.hour >= 0", say=say), start=0)
    pulls(court)
    fails(court)
    refused(1)(court)
    court.enact("root", acts.Rotate("ml"))
    court.enact("root", acts.Rotate("/"))
    court.enact("root", acts.TeamRemove(team="ml", name="mel"))
    court.enact("root", acts.Revoke(grantee="ml", actions=("pull",), target="vision/"))
    court.admit("root", court.about(acts.Alias, name="prod"))
    court.admit("root", court.about(acts.Yank, reason="\x1b[31mred"))
    policy()(court)
    policy("")(court)
    found = guard.looks()
    told = {one.action for one in found}
    assert {act.kind for act in court.ledger()} | {"failed-verification", "standstill"} == told
    assert all(one.say.isprintable() for one in found)


def test_names_from_outside_mean_nothing_to_cedar(court: Court) -> None:
    hostile = '"; permit(principal, action, resource); //'
    guard = Guard(court, rule('context.host == "x"', "pull"))
    guard.looks()
    body = court.about(acts.Pull, purpose="run")
    court.admit("bob", body, client=acts.Client(program=hostile, host=hostile))
    assert guard.hears() == []


REFUSED = {
    "forbid": "forbid (principal, action, resource);",
    "no id": EVERYTHING,
    "an id with spaces": rule(id="two words"),
    "a severity that is none": rule(severity="urgent"),
    "an unknown annotation": rule(severty="high"),
    "an unknown word": rule(say="{nothing}"),
    "a span that is none": rule(quiet="soon"),
    "two of one name": rule() + rule(),
    "a misspelt role": rule('principal.role == Role::"boss"'),
    "an attribute that is not there": rule('context.purpose == "run"'),
    "an action that is none": rule(action="pulls"),
    "nothing": "// nothing\n",
    "no Cedar": "when hour > 5",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_a_rule_that_could_not_work_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        rules.Rules.parse(text)
    assert "policies" not in (caught.value.hint or "")


def test_the_schema_in_the_docs_is_the_one_that_rules_are_held_to() -> None:
    docs = Path(__file__).parents[2] / "docs" / "watch.cedarschema"
    assert docs.read_text() == schema.SCHEMA
