"""Who can do what, and why: the grants that stand, and what follows from roles, teams and namespaces."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from registry import access, members
from registry.errors import InvalidInput, MemberNotFound
from support.company import MODEL, OTHER, Company


def test_the_grants_that_stand(staffed: Company) -> None:
    until = staffed.at(hours=1)
    staffed.grant("bob", "push,promote", "vision/", until=until)
    with staffed.open() as context:
        found = access.grants(context)
        told = {(one["grantee"], one["kind"], one["action"], one["target"], one["until"]) for one in found}
        assert told == {
            ("carol", "member", "pull", "vision/", None),
            ("bob", "member", "push", "vision/", until),
            ("bob", "member", "promote", "vision/", until),
            ("ml", "team", "pull", MODEL, None),
            ("bob", "member", "pull", MODEL, None),
        }
        assert {one["state"] for one in found} == {"lasts"}
        assert len(access.grants(context, member="bob")) == 3
        assert [one["grantee"] for one in access.grants(context, on="vision/")] == ["bob", "bob", "carol"]
        assert [one["kind"] for one in access.grants(context, member="ml", on=MODEL)] == ["team"]
        assert access.grants(context, member="dave") == []  # a team's grants are the team's
    staffed.revoke("bob", "promote", "vision/")
    staffed.late = timedelta(hours=2)
    with staffed.open() as context:
        ended = [one for one in access.grants(context, member="bob") if one["state"] == "ended"]
        assert [(one["action"], one["target"]) for one in ended] == [("push", "vision/")]
        with pytest.raises(MemberNotFound):
            access.grants(context, member="nobody")
        with pytest.raises(InvalidInput):
            access.grants(context, on="vision")


def test_who_can_pull_this_and_why(staffed: Company) -> None:
    with staffed.open() as context:
        found = {one["member"]: one for one in access.effective(context, on=MODEL) if one["action"] == "pull"}
    assert found.keys() == staffed.readers("alice", "bob", "carol", "dave")
    assert found["alice"]["why"] == ["alice is an admin"]
    assert found["bob"]["why"] == [f"pull on {MODEL} granted to bob"]
    assert found["carol"]["why"] == ["pull on vision/ granted to carol"]
    assert found["dave"]["why"] == [f"pull on {MODEL} granted to ml (as member of team ml)"]


def test_what_one_member_can_do_and_why(staffed: Company) -> None:
    until = staffed.at(hours=1)
    staffed.grant("dave", "grant", "vision/", until=until)
    with staffed.open() as context:
        found = {(one["action"], one["target"]): one for one in access.effective(context, "dave")}
    assert found.keys() == {
        (action, target) for action in ("pull", "grant") for target in ("vision/", MODEL, OTHER)
    }
    assert len(found["pull", MODEL]["why"]) == 2
    assert found["pull", MODEL]["until"] is None  # the team's grant lasts
    assert found["pull", OTHER]["until"] == until
    staffed.late = timedelta(hours=2)
    with staffed.open() as context:
        assert [(one["action"], one["target"]) for one in access.effective(context, "dave")] == [
            ("pull", MODEL)
        ]


def test_what_a_team_can_do_is_what_its_members_can(staffed: Company) -> None:
    with staffed.open() as context:
        members.join_team(context, "ml", "carol")
        found = {(one["member"], one["target"]) for one in access.effective(context, "ml", MODEL)}
        assert found == {("carol", MODEL), ("dave", MODEL)}
        members.disable(context, "dave")
        assert {one["member"] for one in access.effective(context, "ml")} == {"carol"}
        assert access.effective(context, "dave") == []
        with pytest.raises(MemberNotFound):
            access.effective(context, "nobody")


def test_a_model_that_does_not_exist_yet_can_be_asked_about(staffed: Company, tiny: Path) -> None:
    with staffed.open() as context:
        found = {one["member"] for one in access.effective(context, on="vision/later")}
    assert found == {"alice", "carol"}
    staffed.publish(tiny, "vision/later")
    assert staffed.readers("alice", "bob", "carol", "dave", ref="vision/later") == found
