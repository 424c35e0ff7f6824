"""The documented examples: each allows what it should and refuses the rest, at the edges too."""

from __future__ import annotations

import time as time_
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from policy.asking import (
    ADMIN,
    ALICE,
    APPROVAL,
    BOB,
    CAROL,
    CLIENT,
    DAVE,
    EXAMPLES,
    ask,
    example,
    promote,
    version,
)
from registry.policy.words import Attestation, Client, Request, Version, Who


def _decided(name: str, request: Request) -> tuple[str, ...]:
    """The policies that forbid the request; none where it is allowed."""
    verdict = example(name).decide(request)
    assert verdict.errors == ()
    assert verdict.allowed == (verdict.decided_by == ())
    return verdict.decided_by


def _approved(*signers: Who) -> Version:
    return version(attestations=[Attestation(APPROVAL, who) for who in signers])


def test_every_example_has_tests() -> None:
    here = "".join(path.read_text(encoding="utf-8") for path in EXAMPLES.parents[1].glob("tests/policy/*.py"))
    untested = [path.stem for path in EXAMPLES.glob("*.cedar") if f'"{path.stem}"' not in here]
    assert untested == []


def test_every_example_is_in_the_readme() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("*.cedar") if f"({path.name})" not in readme] == []


@pytest.mark.parametrize("purpose", ["training", "Serving", "serving ", "", None])
def test_restricted_models_are_pulled_for_serving_only(purpose: str | None) -> None:
    face = version("restricted/face-match")
    assert _decided("restricted-serving-only", ask(on=face, purpose=purpose)) == ("restricted-serving-only",)
    assert _decided("restricted-serving-only", ask(on=face, purpose="serving")) == ()


def test_the_purpose_is_asked_of_restricted_models_and_pulls_alone() -> None:
    assert _decided("restricted-serving-only", ask(on=version("vision/restricted"))) == ()
    assert _decided("restricted-serving-only", ask(on=version("restricted2/face-match"))) == ()
    assert _decided("restricted-serving-only", promote(version("restricted/face-match"))) == ()


@pytest.mark.parametrize(
    "signers",
    [
        pytest.param((), id="nobody"),
        pytest.param((BOB,), id="one"),
        pytest.param((BOB, BOB), id="one-twice"),
        pytest.param((BOB, ALICE), id="one-and-the-publisher"),
        pytest.param((ALICE, ALICE), id="the-publisher-twice"),
    ],
)
def test_too_few_approvals(signers: tuple[Who, ...]) -> None:
    assert _decided("two-attestations", promote(_approved(*signers))) == ("two-approvals-before-promote",)


@pytest.mark.parametrize("signers", [(BOB, CAROL), (BOB, CAROL, DAVE), (ALICE, BOB, DAVE)])
def test_two_approvals_besides_the_publisher(signers: tuple[Who, ...]) -> None:
    assert _decided("two-attestations", promote(_approved(*signers), alias="staging")) == ()


def test_two_attestations_of_two_types_are_no_two_approvals() -> None:
    mixed = version(attestations=[Attestation(APPROVAL, BOB), Attestation(APPROVAL + "/draft", CAROL)])
    assert _decided("two-attestations", promote(mixed)) == ("two-approvals-before-promote",)


@pytest.mark.parametrize("name", ["two-attestations", "freeze-windows", "prod-needs-int8", "qa-before-prod"])
def test_a_push_that_moves_an_alias_is_no_way_around(name: str) -> None:
    late = datetime(2026, 11, 21, tzinfo=UTC)  # a Saturday
    bare = version(attestations=[])
    assert _decided(name, ask("push", bare, alias="prod", time=late)) != ()
    assert _decided(name, ask("push", bare, time=late)) == ()


@pytest.mark.parametrize("name", ["two-attestations", "freeze-windows", "prod-needs-int8", "four-eyes"])
def test_a_yank_is_possible_at_any_time(name: str) -> None:
    yank = promote(version(attestations=[], quantization=[]), alias=None, principal=ALICE)
    assert _decided(name, replace(yank, time=datetime(2026, 12, 26, tzinfo=UTC))) == ()


def test_pulls_need_a_bundle_signed_by_team_release() -> None:
    other = version(publisher=DAVE)
    assert _decided("team-signed", ask()) == ()
    assert _decided("team-signed", ask(on=other)) == ("signed-by-team-release",)
    # Neither the puller's team nor an attester's is the publisher's.
    assert _decided("team-signed", ask(on=other, principal=ALICE)) == ("signed-by-team-release",)
    assert _decided("team-signed", promote(other)) == ()


FRIDAY = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
TICK = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "time", [FRIDAY, FRIDAY + timedelta(hours=9), MONDAY - timedelta(hours=7), MONDAY - TICK]
)
def test_the_weekend_is_frozen(time: datetime) -> None:
    assert _decided("freeze-windows", promote(time=time, alias="staging")) == ("weekend-freeze",)


@pytest.mark.parametrize(
    "time", [FRIDAY - TICK, MONDAY, FRIDAY - timedelta(days=1), MONDAY + timedelta(hours=23)]
)
def test_the_week_is_open(time: datetime) -> None:
    assert _decided("freeze-windows", promote(time=time)) == ()


def test_the_freeze_is_in_utc_wherever_the_clock_stands() -> None:
    tokyo, lima = timezone(timedelta(hours=9)), timezone(timedelta(hours=-5))
    assert _decided("freeze-windows", promote(time=FRIDAY.astimezone(tokyo))) == ("weekend-freeze",)
    assert _decided("freeze-windows", promote(time=(FRIDAY - TICK).astimezone(tokyo))) == ()
    assert _decided("freeze-windows", promote(time=MONDAY.astimezone(lima))) == ()


@pytest.fixture
def _in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time_.tzset()
        yield
    time_.tzset()


@pytest.mark.usefixtures("_in_tokyo")
def test_a_time_without_a_zone_is_utc_whatever_the_machine_thinks() -> None:
    assert _decided("freeze-windows", promote(time=FRIDAY.replace(tzinfo=None))) == ("weekend-freeze",)
    assert _decided("freeze-windows", promote(time=(FRIDAY - TICK).replace(tzinfo=None))) == ()


def test_the_freeze_leaves_pulls_alone() -> None:
    assert _decided("freeze-windows", ask(time=FRIDAY)) == ()
    assert _decided("freeze-windows", ask("attest", time=FRIDAY)) == ()


def test_the_year_end_is_frozen_to_the_second() -> None:
    end = datetime(2027, 1, 4, 6, 0, tzinfo=UTC)  # a Monday, 06:00
    assert _decided("freeze-windows", promote(time=datetime(2026, 12, 22, 12, tzinfo=UTC))) == (
        "year-end-freeze",
    )
    assert "year-end-freeze" in _decided("freeze-windows", promote(time=end - TICK))
    assert _decided("freeze-windows", promote(time=end)) == ()


@pytest.mark.parametrize(
    ("program", "allowed"),
    [
        ("hallmark/0.1.0", True),
        ("serving-fleet/7", True),
        ("curl/8", False),
        ("my-hallmark/1", False),
        ("", False),
    ],
)
def test_pulls_come_from_known_programs(program: str, allowed: bool) -> None:
    decided = _decided("known-clients", ask(client=Client(program, CLIENT.host)))
    assert decided == (() if allowed else ("known-programs",))


def test_restricted_models_stay_on_our_hosts() -> None:
    face, laptop = version("restricted/face-match"), Client(CLIENT.program, "laptop.example.org")
    assert _decided("known-clients", ask(on=face)) == ()
    assert _decided("known-clients", ask(client=laptop)) == ()
    assert _decided("known-clients", ask(on=face, client=laptop)) == ("restricted-only-on-our-hosts",)


def test_the_publisher_does_not_promote_to_prod() -> None:
    assert _decided("four-eyes", promote(principal=ALICE)) == ("publisher-does-not-promote",)
    assert _decided("four-eyes", promote(principal=ALICE, alias="staging")) == ()
    assert _decided("four-eyes", promote(principal=BOB)) == ()


@pytest.mark.parametrize("on", ["restricted/", "restricted/face-match"])
def test_rights_on_restricted_are_given_by_security(on: str) -> None:
    grant = ask("grant", on, grantee="ml", actions=frozenset({"pull", "push"}))
    assert _decided("four-eyes", grant) == ("restricted-grants-by-security",)
    assert _decided("four-eyes", replace(grant, principal=CAROL)) == ()
    assert _decided("four-eyes", replace(grant, on=on.replace("restricted", "vision"))) == ()


def test_the_right_to_grant_on_restricted_is_given_by_admins() -> None:
    grant = ask("grant", "restricted/", grantee="ml", actions=frozenset({"grant"}), principal=CAROL)
    assert _decided("four-eyes", grant) == ("restricted-grant-right-by-admins",)
    assert _decided("four-eyes", replace(grant, principal=replace(CAROL, role="admin"))) == ()


def test_the_allow_list_denies_what_no_permit_covers() -> None:
    policies = example("allow-list")
    labelled = version(label="1.4.0-int8")
    assert policies.decide(ask(on=labelled)).decided_by == ("anyone-pulls-labelled-versions",)
    for refused in (ask(), ask("push"), ask("attest"), promote(), ask(principal=ADMIN), promote(alias=None)):
        verdict = policies.decide(refused)
        assert (verdict.allowed, verdict.decided_by, verdict.errors) == (False, (), ())
    for allowed in (ask("push", principal=ALICE), ask("attest", principal=ALICE), promote(principal=ALICE)):
        assert policies.decide(allowed).allowed
    assert policies.decide(ask("grant", "vision/", grantee="ml", principal=ADMIN)).allowed
    assert not policies.decide(ask("grant", "vision/", grantee="ml", principal=ALICE)).allowed


def test_the_allow_lists_forbid_beats_its_permits() -> None:
    held = version("quarantine/x", label="1.0")
    assert _decided("allow-list", ask(on=held)) == ("nothing-from-the-quarantine",)
