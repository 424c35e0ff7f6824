"""How a set of policies is read, who decided, and that doubt denies."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.asking import (
    ADMIN,
    ALICE,
    BOB,
    DAVE,
    LINEAGE,
    WEDNESDAY,
    ask,
    decide,
    example,
    facts,
    forbid,
    promote,
    version,
)
from registry.errors import PolicyDenied
from registry.policy.engine import NO_POLICY, Policies, Verdict
from registry.policy.words import Attestation, Client, Request, Who

ACTIONS = ("pull", "push", "promote", "attest")
OVERFLOW = "resource.size * 4611686018427387904 * 4 == 0"  # valid by its types; fails for sizes above 0


def _permit(scope: str, id: str = "allowed") -> str:
    return f'@id("{id}") permit ({scope});'


@pytest.mark.parametrize("policies", [NO_POLICY, Policies.parse("// none"), Policies.parse(forbid("false"))])
@pytest.mark.parametrize("action", ACTIONS)
def test_what_no_policy_mentions_is_allowed(policies: Policies, action: str) -> None:
    assert policies.decide(ask(action)) == Verdict(True)
    assert policies.decide(ask("grant", "vision/", grantee="ml")).allowed
    policies.require(ask(action))


def test_forbids_alone_close_only_what_they_name() -> None:
    text = forbid('resource in Model::"vision/secret"')
    assert decide(text, ask(on=version("vision/secret"))) == Verdict(False, ("door",))
    assert decide(text, ask(on=version("vision/open"))) == Verdict(True)
    assert decide(text, ask("push", version("vision/secret"))) == Verdict(True)


def test_with_a_permit_the_rest_is_denied() -> None:
    text = _permit('principal == Member::"bob", action, resource') + forbid("resource.number == 4")
    assert decide(text, ask()) == Verdict(True, ("allowed",))
    assert decide(text, ask(principal=ADMIN)) == Verdict(False)
    assert decide(text, ask(on=version(number=4))) == Verdict(False, ("door",))


def test_a_permit_beside_a_forbid_is_no_permit_for_all() -> None:
    """The permit that stands in for none must not be added to a set that has one of its own."""
    text = forbid("false") + _permit('principal, action == Action::"push", resource')
    assert not decide(text, ask("pull")).allowed
    assert decide(text, ask("push")).allowed


def test_all_that_forbid_are_named_in_their_order() -> None:
    text = forbid("true", id="z") + forbid("false", id="m") + "forbid (principal, action, resource);"
    text += forbid("true", id="a")
    assert decide(text, ask()).decided_by == ("z", "policy 3", "a")


def test_a_forbid_that_cannot_be_evaluated_denies() -> None:
    verdict = decide(forbid("false", id="fine") + forbid(OVERFLOW, id="broken"), ask())
    assert (verdict.allowed, verdict.decided_by) == (False, ("broken",))
    assert "overflow" in verdict.errors[0]
    assert "policy 'broken'" in verdict.errors[0]
    assert decide(forbid(OVERFLOW), ask(on=version(size=0))) == Verdict(False, ("door",))
    assert decide(forbid(OVERFLOW), ask("push")) == Verdict(True)  # not asked, so nothing fails


def test_a_permit_that_cannot_be_evaluated_denies_beside_one_that_holds() -> None:
    broken = f'@id("broken") permit (principal, action == Action::"pull", resource) when {{ {OVERFLOW} }};'
    verdict = decide(_permit("principal, action, resource") + broken, ask())
    assert (verdict.allowed, verdict.decided_by) == (False, ("broken",))


def test_a_forbid_that_holds_is_named_beside_one_that_fails() -> None:
    verdict = decide(forbid(OVERFLOW, id="broken") + forbid("true", id="holds"), ask())
    assert (verdict.allowed, verdict.decided_by) == (False, ("holds",))
    assert len(verdict.errors) == 1


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(ask("fly"), id="unknown-action"),
        pytest.param(ask("pull", "vision/"), id="pull-of-a-namespace"),
        pytest.param(ask("grant"), id="grant-on-a-version"),
        pytest.param(ask("grant", "vision/"), id="grant-to-nobody"),
        pytest.param(ask("grant", "vision/", grantee="ml", actions=frozenset({"fly"})), id="no-such-right"),
        pytest.param(ask(principal=Who("bob", "king")), id="unknown-role"),
        pytest.param(ask(on=version(size=1 << 63)), id="size-beyond-64-bits"),
        pytest.param(ask(on=version(quantization=[facts(mode="other")])), id="unknown-mode"),
        pytest.param(ask(principal=Who("\ud800", "member")), id="half-a-surrogate-pair"),
        pytest.param(ask(purpose="\udfff"), id="half-a-surrogate-pair-in-the-context"),
        pytest.param(
            ask(time=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9)))), id="a-time-before-the-year-1"
        ),
        pytest.param(ask(principal=replace(ALICE, teams=frozenset({"qa"}))), id="one-name-two-members"),
    ],
)
def test_a_request_that_makes_no_sense_is_denied(request_: Request) -> None:
    verdict = decide(forbid("false"), request_)
    assert (verdict.allowed, verdict.decided_by) == (False, ())
    assert verdict.errors != ()


def test_the_same_member_may_ask_publish_and_attest() -> None:
    own = version(attestations=[Attestation(LINEAGE, ALICE), Attestation("x", ALICE)])
    assert decide(forbid("principal != resource.publisher"), ask(on=own, principal=ALICE)).allowed


def test_a_denial_names_the_policies_and_what_was_asked() -> None:
    with pytest.raises(PolicyDenied) as caught:
        example("prod-needs-int8").require(promote(version(attestations=[])))
    assert caught.value.message == "forbidden by policy 'prod-needs-lineage'"
    assert caught.value.on == "bob: promote vision/resnet50:3 as prod"
    asked = "--as bob --action promote --on vision/resnet50:3 --alias prod"
    assert caught.value.hint == f"registry policy explain {asked}"


def test_a_denial_says_why_where_no_policy_forbids() -> None:
    with pytest.raises(PolicyDenied, match="no policy permits it"):
        Policies.parse(_permit('principal, action == Action::"push", resource')).require(ask())
    with pytest.raises(PolicyDenied, match=r"denied by policy 'door': .*overflow"):
        Policies.parse(forbid(OVERFLOW)).require(ask())


def test_what_is_said_of_a_version_is_read_anew() -> None:
    """Entities are kept by what they say: a later attestation, or a team left, decides at once."""
    policies, before = example("team-signed"), version()
    assert policies.decide(ask(on=before)).allowed
    assert not policies.decide(ask(on=replace(before, publisher=replace(ALICE, teams=frozenset())))).allowed
    late = replace(before, attestations=[])
    assert not example("prod-needs-int8").decide(promote(late)).allowed
    late = replace(before, attestations=[Attestation(LINEAGE, DAVE)])
    assert example("prod-needs-int8").decide(promote(late)).allowed


def test_metadata_labels_models_and_moments_can_be_asked() -> None:
    text = forbid(
        'resource.metadata.hasTag("license") && resource.metadata.getTag("license") == "MIT" &&'
        ' resource has label && resource.label like "1.*" && resource.model.name == "resnet50" &&'
        ' resource.model.namespace.name == "vision" && resource.number == 3 &&'
        ' context.time.now.toDate() == datetime("2026-11-18") && context.time.minute == 59 &&'
        ' context.time.now.toTime() == duration("12h59m59s999ms")'
    )
    time = WEDNESDAY.replace(minute=59, second=59, microsecond=999_999)
    asked = ask(on=version(label="1.4"), time=time)
    assert decide(text, asked).decided_by == ("door",)
    assert decide(text, replace(asked, on=version(label="2.4"))).allowed
    assert decide(text, replace(asked, on=version(label="1.4", metadata={}))).allowed


def test_threads_share_one_set() -> None:
    policies, verdicts = example("prod-needs-int8"), []
    work = [threading.Thread(target=lambda: verdicts.append(policies.decide(promote()))) for _ in range(8)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert verdicts == [Verdict(True)] * 8


NAMES = st.one_of(
    st.text(),
    st.text(st.characters()),  # halves of surrogate pairs too
    st.text("\"\\\n\r\t\0`'{}[]():;,. /@?=*é\u2028", min_size=1),
    st.sampled_from(["__entity", "__extn", "policy `policy1`", 'x", "y": "z', "\ufeff", "a" * 5000]),
)
PEOPLE = st.builds(Who, NAMES, st.sampled_from(["member", "admin"]), st.frozensets(NAMES, max_size=3))


@given(
    who=PEOPLE,
    publisher=PEOPLE,
    signed=st.lists(st.builds(Attestation, NAMES, PEOPLE), max_size=3),
    metadata=st.dictionaries(NAMES, NAMES, max_size=3),
    words=st.tuples(NAMES, NAMES, NAMES, NAMES),
    action=st.one_of(NAMES, st.sampled_from(ACTIONS)),
    time=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-12))])),
)
def test_no_name_breaks_a_decision(
    who: Who,
    publisher: Who,
    signed: list[Attestation],
    metadata: dict[str, str],
    words: tuple[str, str, str, str],
    action: str,
    time: datetime,
) -> None:
    model, label, alias, host = words
    on = version(model, label=label, publisher=publisher, attestations=signed, metadata=metadata)
    text = forbid("false") + forbid(OVERFLOW, "attest", id="broken")
    asked = ask(action, on, principal=who, time=time, client=Client(host, host), purpose=label, alias=alias)
    verdict = decide(text, asked)
    assert verdict.allowed == (verdict.errors == ())


@given(name=st.text(st.characters(codec="utf-8")), other=st.text(st.characters(codec="utf-8")))
def test_names_arrive_as_they_are(name: str, other: str) -> None:
    """Quotes, backslashes and control characters included: equal where they are equal, and only there."""
    differ = forbid("principal.name != context.client.program || resource.model.name != principal.name")
    asked = ask(on=version(f"vision/{name}x"), principal=Who(f"{name}x", "member"))
    assert decide(differ, replace(asked, client=Client(f"{name}x", "h"))).allowed
    assert decide(differ, replace(asked, client=Client(f"{other}x", "h"))).allowed == (name == other)


def test_a_name_never_becomes_cedar_text() -> None:
    text = forbid('principal == Member::"bob" || principal in Team::"qa"')
    assert not decide(text, ask(principal=BOB)).allowed
    for name in ('bob"', 'eve" || Member::"bob', "bob\\", "bob\n", "\\u{62}ob", "Bob"):
        assert decide(text, ask(principal=Who(name, "member", frozenset({'x", Team::"qa'})))).allowed
