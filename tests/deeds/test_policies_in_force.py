"""Policies: set, shown, asked, and in force: at the door, and again in the puller's own program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from registry import access, attesting, catalog, decisions, members, policies, release
from registry.checkout import checkout, verify
from registry.context import Context
from registry.errors import (
    InvalidInput,
    InvalidPolicy,
    MemberNotFound,
    NotPermitted,
    PolicyDenied,
    ReferenceNotFound,
)
from registry.policies import Question
from registry.pull import pull
from registry.push import push
from support import worlds
from support.company import MODEL, Company

SERVING = """@id("serving-only")
forbid (principal, action == Action::"pull", resource in Namespace::"vision")
unless { context has purpose && context.purpose == "serving" };"""
REVIEWED = """@id("reviewed")
forbid (principal, action in [Action::"push", Action::"promote"], resource) when { context has alias }
unless { resource.hasTag("https://example.com/review/v1")
  && resource.getTag("https://example.com/review/v1").others >= 1 };"""
NOTHING = """@id("nothing") forbid (principal, action == Action::"{}", resource);"""


@pytest.fixture
def ruled(company: Company, tiny: Path) -> Company:
    """bob may do everything on vision/; there is a version, and no policy yet."""
    company.enroll("bob", "carol")
    company.grant("bob", "pull,push,promote,grant", "vision/")
    company.publish(tiny)
    return company


def put(company: Company, text: str) -> None:
    with company.open() as context:
        policies.put(context, text)


DEEDS: dict[str, Callable[[Context, Path], object]] = {
    "pull": lambda context, source: checkout(context, MODEL),
    "push": lambda context, source: push(context, source, MODEL),
    "promote": lambda context, source: catalog.alias(context, f"{MODEL}:1", "prod"),
    "grant": lambda context, source: access.grant(context, "carol", ["pull"], MODEL),
    "attest": lambda context, source: attesting.attest_value(context, MODEL, "https://example.com/r/v1", {}),
}


@pytest.mark.parametrize("action", DEEDS)
def test_what_a_policy_forbids_is_denied_and_on_record(ruled: Company, tiny: Path, action: str) -> None:
    put(ruled, NOTHING.format(action))
    with ruled.open("bob") as context:
        before = worlds.dump(context)
        with pytest.raises(PolicyDenied, match="nothing"):
            DEEDS[action](context, tiny)
        (refusal,) = worlds.only_refused(context, before)
        assert (refusal.member, refusal.code, refusal.attempt) == (
            "bob",
            "policy-denied",
            {"promote": "alias"}.get(action, action),
        )
        for other in DEEDS.keys() - {action}:
            DEEDS[other](context, tiny)
    put(ruled, "")
    with ruled.open("bob") as context:
        if action != "grant":
            DEEDS[action](context, tiny)


def test_a_policy_opens_nothing_that_no_grant_has_opened(ruled: Company) -> None:
    put(ruled, "permit (principal, action, resource);")
    ruled.refused("carol", checkout, MODEL)


def test_a_denial_at_the_client_goes_on_record_once(ruled: Company, tmp_path: Path) -> None:
    put(ruled, SERVING)
    with ruled.open("bob") as context:
        before = worlds.dump(context)
        for deed in (lambda: checkout(context, MODEL), lambda: pull(context, MODEL, tmp_path / "out")):
            with pytest.raises(PolicyDenied) as caught:
                deed()
            assert caught.value.step == "7 (policy)"
        assert len(worlds.only_refused(context, before)) == 2
        assert not (tmp_path / "out").exists()
        assert checkout(context, MODEL, purpose="serving").ref.version == 1


def test_with_the_doors_check_taken_out_the_client_still_refuses(
    ruled: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A door that was tampered with lets the pull in: the puller's own program stops, and opens nothing."""
    put(ruled, SERVING)
    monkeypatch.setattr(decisions, "_gate", lambda *_, **__: None)
    monkeypatch.setattr(release.keyring, "follow", _never)
    with ruled.open("bob") as context:
        with pytest.raises(PolicyDenied, match="serving-only") as caught:
            checkout(context, MODEL)
        assert caught.value.step == "7 (policy)"
        last = verify(context, MODEL)[-1]
        assert (last.number, last.ok) == (7, False)
        assert [act.kind for act, _ in worlds.acted(context)].count("pull") == 2  # the door let them in


def test_with_the_clients_check_taken_out_the_door_still_refuses(
    ruled: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(ruled, SERVING)
    monkeypatch.setattr(release, "_ask", lambda *_: "not asked")
    with ruled.open("bob") as context, pytest.raises(PolicyDenied, match="serving-only") as caught:
        checkout(context, MODEL)
    assert caught.value.step == "8 (release)"
    ruled.refused("bob", checkout, MODEL, error=PolicyDenied)


def _never(*_: object) -> None:
    raise AssertionError("a key was opened")


def test_a_stranger_is_refused_on_record_under_a_policy_too(ruled: Company) -> None:
    put(ruled, SERVING)
    ruled.makes("eve")
    with ruled.open("eve") as context:
        before = worlds.dump(context)
        with pytest.raises(NotPermitted):
            checkout(context, MODEL)
        (refusal,) = worlds.only_refused(context, before)
    assert refusal.member == ""


def test_another_members_review_opens_the_way_to_prod(company_anywhere: Company, tiny: Path) -> None:
    company = company_anywhere
    company.enroll("bob", "carol")
    company.grant("bob", "push,promote", "vision/")
    company.grant("carol", "pull", "vision/")
    put(company, REVIEWED)
    company.publish(tiny, by="bob")
    company.refused("bob", catalog.alias, f"{MODEL}:1", "prod", error=PolicyDenied)
    with company.open("bob") as context:
        attesting.attest_value(context, MODEL, "https://example.com/review/v1", {})
    company.refused("bob", catalog.alias, f"{MODEL}:1", "prod", error=PolicyDenied)
    with company.open("carol") as context:
        attesting.attest_value(context, MODEL, "https://example.com/review/v1", {})
    with company.open("bob") as context:
        catalog.alias(context, f"{MODEL}:1", "prod")
    assert company.read("carol", f"{MODEL}:prod")
    company.clean()


def test_only_admins_set_policies_and_only_valid_ones(ruled: Company, tmp_path: Path) -> None:
    ruled.refused("bob", policies.put, SERVING)
    with ruled.open() as context:
        before = worlds.dump(context)
        for text in ("forbid", 'forbid (principal, action == Action::"fly", resource);', "permit(); " * 3):
            with pytest.raises(InvalidPolicy):
                policies.put(context, text)
            (tmp_path / "rules.cedar").write_text(text)
            with pytest.raises(InvalidPolicy):
                policies.read_text(tmp_path / "rules.cedar")
        assert worlds.dump(context) == before
    (tmp_path / "rules.cedar").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="UTF-8"):
        policies.read_text(tmp_path / "rules.cedar")


def test_policies_are_shown_with_their_history(ruled: Company, tmp_path: Path) -> None:
    (tmp_path / "rules.cedar").write_text(SERVING)
    with ruled.open() as context:
        assert (policies.show(context), policies.history(context)) == ("", [])
        for text in (policies.read_text(tmp_path / "rules.cedar"), REVIEWED, "  \n"):
            policies.put(context, text)
        assert policies.show(context) == ""
        found = policies.history(context)
    assert [(one["text"], one["in_force"]) for one in found] == [
        ("", True),
        (REVIEWED, False),
        (SERVING, False),
    ]
    assert [one["seq"] for one in found] == sorted((one["seq"] for one in found), reverse=True)


def test_a_question_is_answered_as_the_door_would(ruled: Company) -> None:
    put(ruled, SERVING)
    with ruled.open("carol") as context:
        before = worlds.dump(context)
        on = f"{MODEL}:1"
        no = policies.ask(context, Question("bob", "pull", on))
        assert (no.allowed, no.policy, no.decided_by) == (False, False, ("serving-only",))
        assert no.grants
        yes = policies.ask(context, Question("bob", "pull", on, purpose="serving"))
        assert (yes.allowed, yes.policy, yes.on) == (True, True, on)
        other = policies.ask(context, Question("carol", "pull", on, purpose="serving"))
        assert (other.allowed, other.grants, other.policy) == (False, (), True)
        admin = policies.ask(context, Question("alice", "grant", "vision/", grantee="carol"))
        assert (admin.allowed, admin.grants) == (True, ("admin",))
        what_if = policies.ask(context, Question("bob", "push", on), NOTHING.format("push"))
        assert (what_if.allowed, what_if.decided_by) == (False, ("nothing",))
        assert policies.ask(context, Question("bob", "pull", on), "").allowed
        assert worlds.dump(context) == before  # asking changes nothing


def test_questions_that_make_no_sense(ruled: Company) -> None:
    with ruled.open() as context:
        members.disable(context, "carol")
        for question, error in (
            (Question("bob", "fly", MODEL), InvalidInput),
            (Question("nobody", "pull", MODEL), MemberNotFound),
            (Question("carol", "pull", MODEL), MemberNotFound),
            (Question("bob", "pull", f"{MODEL}:7"), ReferenceNotFound),
            (Question("bob", "grant", "vision"), InvalidInput),
        ):
            with pytest.raises(error):
                policies.ask(context, question)
        with pytest.raises(InvalidPolicy):
            policies.ask(context, Question("bob", "pull", MODEL), "forbid")
