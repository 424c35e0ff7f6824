"""Members, teams and their keys: enrolling, ending access, replacing what is old or lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry import members
from registry.checkout import checkout, verify
from registry.errors import (
    AlreadyExists,
    BadEncryption,
    BadSignature,
    Conflict,
    Disabled,
    InvalidIdentity,
    InvalidInput,
    MemberNotFound,
    NotPermitted,
)
from registry.push import push
from support import worlds
from support.company import MODEL, Company


def test_an_enrolled_member_may_nothing_until_something_is_granted(company: Company, tiny: Path) -> None:
    company.publish(tiny)
    company.enroll("bob")
    company.refused("bob", checkout, MODEL)
    company.refused("bob", push, tiny, MODEL)
    company.refused("bob", members.add, company.makes("mallory"))
    company.refused("bob", members.disable, "alice")
    company.refused("bob", members.create_team, "mine")
    with company.open() as context:
        assert [one["name"] for one in members.list_members(context)] == ["alice", "bob"]
        shown = members.show(context, "bob")
        assert [shown[name] for name in ("role", "state", "teams")] == ["member", "active", []]
        assert len(shown["keys"]) == 1
        with pytest.raises(MemberNotFound):
            members.show(context, "mallory")


def test_admins_enroll_admins_who_open_everything(company_anywhere: Company, tiny: Path) -> None:
    company = company_anywhere
    company.publish(tiny)
    company.enroll("frank", role="admin")
    assert company.readers("frank") == {"frank"}
    with company.open("frank") as context:
        members.add(context, company.makes("grace"), "admin")
        members.disable(context, "alice")
    assert company.readers("grace") == {"grace"}
    for who in ("/", "vision/", MODEL):
        with pytest.raises(BadEncryption):
            company.vault_key("alice", who)
    with pytest.raises(Disabled):
        company.read("alice")


def test_the_last_admin_stays(company: Company) -> None:
    company.enroll("bob")
    with company.open() as context, pytest.raises(Conflict, match="last admin"):
        members.disable(context, "alice")
    company.enroll("frank", role="admin")
    with company.open() as context:
        members.disable(context, "frank")
        with pytest.raises(Conflict, match="last admin"):
            members.disable(context, "alice")
        with pytest.raises(AlreadyExists):
            members.disable(context, "frank")


def test_an_auditor_sees_the_record_and_no_model(company: Company, tiny: Path) -> None:
    company.publish(tiny)
    company.enroll("eve", role="auditor")
    company.refused("eve", checkout, MODEL)
    with company.open("eve") as context:
        assert [step.number for step in verify(context, MODEL) if step.ok] == list(range(1, 8))
        assert len(members.list_members(context)) == 2
    with company.open() as context:
        members.create_team(context, "ml")
        with pytest.raises(NotPermitted, match="auditor"):
            members.join_team(context, "ml", "eve")


def test_what_was_signed_while_enrolled_stays_valid(company: Company, tiny: Path) -> None:
    company.enroll("build", "bob")
    company.grant("build", "push", "vision/")
    company.grant("bob", "pull", "vision/")
    company.publish(tiny, by="build")
    with company.open() as context:
        members.disable(context, "build")
    company.refused("build", push, tiny, MODEL, error=Disabled)
    with company.open("bob") as context:
        steps = verify(context, MODEL)
        assert all(step.ok for step in steps)
        assert "disabled since" in steps[3].detail
    company.clean()


def test_names_and_keys_are_used_once(company: Company) -> None:
    company.enroll("bob")
    with company.open() as context:
        members.create_team(context, "ml")
        with pytest.raises(AlreadyExists):
            members.add(context, company.root / "bob.pub")
        with pytest.raises(AlreadyExists, match="name"):
            members.add(context, company.makes("bob", "another"))
        with pytest.raises(AlreadyExists):
            members.add(context, company.makes("ml"))
        with pytest.raises(AlreadyExists):
            members.create_team(context, "bob")
        members.disable(context, "bob")
        with pytest.raises(AlreadyExists, match="name"):
            members.add(context, company.makes("bob", "third"))


def test_what_is_no_public_identity_is_refused(company: Company) -> None:
    public = company.makes("bob")
    (company.root / "changed.pub").write_bytes(public.read_bytes().replace(b"A", b"B", 1))
    with company.open() as context:
        before = worlds.dump(context)
        with pytest.raises(InvalidIdentity, match="private"):
            members.add(context, company.file("bob"))
        with pytest.raises((InvalidIdentity, BadSignature)):
            members.add(context, company.root / "changed.pub")
        with pytest.raises(InvalidInput, match="role"):
            members.add(context, public, "king")
        assert worlds.dump(context) == before


def test_teams(company: Company) -> None:
    company.enroll("bob", "carol")
    company.team("ml", "bob", "carol")
    with company.open() as context:
        assert members.list_teams(context) == [{"team": "ml", "members": ["bob", "carol"]}]
        members.leave_team(context, "ml", "carol")
        assert members.list_teams(context) == [{"team": "ml", "members": ["bob"]}]
        with pytest.raises(MemberNotFound):
            members.leave_team(context, "ml", "carol")
        with pytest.raises(AlreadyExists):
            members.join_team(context, "ml", "bob")
        with pytest.raises(MemberNotFound):
            members.join_team(context, "nobody", "bob")
        members.disable(context, "bob")
        assert members.list_teams(context) == [{"team": "ml", "members": []}]
        with pytest.raises(Conflict):
            members.join_team(context, "ml", "bob")
    company.clean()
