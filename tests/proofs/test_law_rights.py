"""Rights: from role, grants and teams, at any position of the law and any time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry import acts
from registry.errors import Disabled, MemberNotFound, NotPermitted
from registry.law.rights import Reason, longest, require, require_admin, terms, why
from registry.law.state import Term
from support.scribe import Scribe

MODEL = "vision/net"


@pytest.fixture
def scribe() -> Scribe:
    """bob and carol are members, dan an admin, eve an auditor; bob is in team ml; vision/net is there."""
    made = Scribe()
    made.enroll("bob", "carol")
    made.enroll("dan", role="admin")
    made.enroll("eve", role="auditor")
    made.add(acts.Team("ml"))
    made.add(acts.TeamAdd("ml", "bob"))
    made.add(acts.Create(MODEL))
    return made


def may(scribe: Scribe, name: str, action: str, target: str, at: int | None = None) -> bool:
    return bool(why(scribe.law.state, name, action, target, scribe.time, at))


def allowed(scribe: Scribe, name: str) -> set[tuple[str, str]]:
    """Everything that the member may do, of what these tests name."""
    targets = ("vision/", MODEL, "vision/other", "audio/", "audio/vad")
    return {
        (action, target) for action in acts.ACTIONS for target in targets if may(scribe, name, action, target)
    }


def test_nobody_but_an_admin_may_anything_at_first(scribe: Scribe) -> None:
    assert allowed(scribe, "bob") == allowed(scribe, "carol") == allowed(scribe, "eve") == set()
    assert len(allowed(scribe, "dan")) == len(allowed(scribe, "root")) == 20
    assert why(scribe.law.state, "dan", "pull", MODEL, scribe.time) == [Reason("dan", "pull", "/")]


@pytest.mark.parametrize(
    ("target", "covered"),
    [
        ("vision/", {"vision/", MODEL, "vision/other"}),  # also what comes later
        (MODEL, {MODEL}),
        ("audio/vad", {"audio/vad"}),  # a model that is not there yet
    ],
)
@pytest.mark.parametrize("action", ["pull", "push", "promote"])
def test_a_grant_covers_its_target_and_what_is_in_it(
    scribe: Scribe, action: acts.Action, target: str, covered: set[str]
) -> None:
    scribe.add(acts.Grant("carol", (action,), target))
    assert allowed(scribe, "carol") == {(action, place) for place in covered}
    assert allowed(scribe, "bob") == set()


def test_whoever_may_grant_may_pull(scribe: Scribe) -> None:
    """They hold the key that they hand on."""
    scribe.add(acts.Grant("carol", ("grant",), MODEL))
    assert allowed(scribe, "carol") == {("grant", MODEL), ("pull", MODEL)}
    (reason,) = why(scribe.law.state, "carol", "pull", MODEL, scribe.time)
    assert str(reason) == f"grant on {MODEL} granted to carol"


def test_a_push_right_is_no_pull_right(scribe: Scribe) -> None:
    scribe.add(acts.Grant("carol", ("push",), "vision/"))
    with pytest.raises(NotPermitted, match="carol may not pull") as caught:
        require(scribe.law.state, "carol", "pull", MODEL, scribe.time)
    assert caught.value.hint == f"ask an admin for: registry grant carol pull {MODEL}"


def test_a_team_passes_its_grants_to_who_is_in_it(scribe: Scribe) -> None:
    scribe.add(acts.Grant("ml", ("pull",), MODEL))
    (reason,) = why(scribe.law.state, "bob", "pull", MODEL, scribe.time)
    assert reason == Reason("ml", "pull", MODEL)
    assert not may(scribe, "carol", "pull", MODEL)
    scribe.add(acts.TeamAdd("ml", "carol"))
    assert may(scribe, "carol", "pull", MODEL)
    scribe.add(acts.TeamRemove("ml", "bob"))
    assert not may(scribe, "bob", "pull", MODEL)


def test_every_reason_is_told(scribe: Scribe) -> None:
    scribe.add(acts.Grant("bob", ("pull", "grant"), MODEL))
    scribe.add(acts.Grant("ml", ("pull",), "vision/"))
    found = why(scribe.law.state, "bob", "pull", MODEL, scribe.time)
    assert {(one.grantee, one.action, one.target) for one in found} == {
        ("bob", "pull", MODEL), ("bob", "grant", MODEL), ("ml", "pull", "vision/"),
    }  # fmt: skip


def test_a_grant_ends_at_its_time_and_not_before(scribe: Scribe) -> None:
    end = scribe.now + timedelta(hours=1)
    scribe.add(acts.Grant("carol", ("pull",), MODEL, acts.timestamp(end)))
    state = scribe.law.state
    assert why(state, "carol", "pull", MODEL, acts.timestamp(end - timedelta(microseconds=1)))
    assert not why(state, "carol", "pull", MODEL, acts.timestamp(end))
    assert terms(state, "carol", MODEL) == {"pull": Term(acts.timestamp(end))}


def test_a_revocation_takes_back_what_it_names(scribe: Scribe) -> None:
    scribe.add(acts.Grant("carol", ("pull", "push"), MODEL))
    scribe.add(acts.Grant("carol", ("push",), "vision/"))
    scribe.add(acts.Revoke("carol", ("push",), MODEL))
    assert terms(scribe.law.state, "carol", MODEL) == {"pull": Term(None)}
    assert may(scribe, "carol", "push", MODEL)  # by the namespace
    scribe.add(acts.Revoke("carol", ("push",), "vision/"))
    assert allowed(scribe, "carol") == {("pull", MODEL)}


def test_rights_at_an_earlier_law_are_those_of_then(scribe: Scribe) -> None:
    """An act signed before a revocation stays good; one signed before the grant was never."""
    state = scribe.law.state
    before = state.position
    scribe.add(acts.Grant("ml", ("push",), MODEL))
    granted = state.position
    scribe.add(acts.TeamRemove("ml", "bob"))
    left = state.position
    scribe.add(acts.TeamAdd("ml", "bob"))
    back = state.position
    scribe.add(acts.Revoke("ml", ("push",), MODEL))
    revoked = state.position
    found = {at: may(scribe, "bob", "push", MODEL, at) for at in (before, granted, left, back, revoked)}
    assert found == {before: False, granted: True, left: False, back: True, revoked: False}
    assert not may(scribe, "bob", "push", MODEL)
    assert state.teams_of("bob", left) == []
    assert state.teams_of("bob", granted) == ["ml"]


def test_a_disabled_member_may_nothing_and_could_before(scribe: Scribe) -> None:
    scribe.add(acts.Grant("carol", ("pull",), MODEL))
    state, then = scribe.law.state, scribe.law.state.position
    scribe.add(acts.Disable("carol"))
    scribe.add(acts.Disable("dan"))
    assert allowed(scribe, "carol") == allowed(scribe, "dan") == set()
    assert may(scribe, "carol", "pull", MODEL, then)
    assert may(scribe, "dan", "grant", MODEL, then)
    keyid = scribe.members["carol"].signing.keyid
    with pytest.raises(Disabled):
        state.signer(keyid)
    assert state.signer(keyid, then).name == "carol"


def test_who_signs_under_a_key_depends_on_the_position(scribe: Scribe) -> None:
    state = scribe.law.state
    old, then = scribe.members["bob"].signing.keyid, state.position
    scribe.replace("bob")
    new = scribe.members["bob"].signing.keyid
    assert state.signer(new).name == state.signer(old, then).name == "bob"
    with pytest.raises(NotPermitted, match="another key"):
        state.signer(old)
    with pytest.raises(NotPermitted, match="another key"):
        state.signer(new, then)
    with pytest.raises(Disabled):
        state.signer(old, 1)  # before bob was enrolled: nobody's access


def test_strangers_are_not_found(scribe: Scribe) -> None:
    state = scribe.law.state
    with pytest.raises(MemberNotFound):
        state.member("mallory")
    with pytest.raises(NotPermitted, match="not a member"):
        state.signer("0" * 64)
    assert not may(scribe, "mallory", "pull", MODEL)
    assert not state.active("mallory")


def test_only_admins_are_admins(scribe: Scribe) -> None:
    for name in ("root", "dan"):
        require_admin(scribe.law.state, name, "do this")
    for name in ("bob", "eve"):
        with pytest.raises(NotPermitted, match="only an admin may do this"):
            require_admin(scribe.law.state, name, "do this")


def test_the_longest_reason_counts() -> None:
    def reason(until: str | None) -> Reason:
        return Reason("bob", "grant", MODEL, until)

    assert longest([reason("2026"), reason("2027")]) == Term("2027")
    assert longest([reason("2026"), reason(None), reason("2027")]) == Term(None)
