"""The ready questions, in stories that have one point each: who left, what ended, what was claimed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from registry import acts, attesting, catalog, members, push, refusals
from registry.audit import blast, denials, dossier, questions, stale
from registry.checkout import checkout
from registry.context import Context
from registry.errors import NotPermitted
from support.company import MODEL, OTHER, Company

Rights = set[tuple[str, str, str]]


def unused(company: Company, days: int = 90) -> Rights:
    with company.open() as context:
        rows = stale.stale_grants(context, days).rows
    return {(row["grantee"], row["action"], row["on"]) for row in rows}


def radius(company: Company, name: str, since: str | None = None) -> blast.Blast:
    with company.open() as context:
        return blast.blast_radius(context, name)


def reached(found: blast.Blast, how: str) -> set[str]:
    return {str(one.version) for one in found.of(how)}


def claim(context: Context, child: str, parent: str) -> None:
    """A statement that one version was made from another. Nobody believes it for being there."""
    _, digest = catalog.resolve(context, parent)
    said = {"parent": {"reference": parent, "digest": f"sha256:{digest}"}}
    attesting.attest_value(context, child, acts.RECIPE, said)


def pull(company: Company, name: str, ref: str = MODEL) -> None:
    with company.open(name) as context:
        checkout(context, ref)


# --- rights that nobody uses ------------------------------------------------------------------


def test_a_teams_right_is_used_by_its_members_while_they_are_in_it(company: Company, tiny: Path) -> None:
    company.enroll("dave", "erin")
    company.team("ml", "dave")
    company.grant("ml", "pull", MODEL)
    company.publish(tiny)
    company.late = timedelta(days=80)
    pull(company, "dave")
    company.late = timedelta(days=100)
    assert ("ml", "pull", MODEL) not in unused(company)
    with company.open() as context:
        members.leave_team(context, "ml", "dave")
        members.join_team(context, "ml", "erin")
    company.grant("dave", "pull", MODEL)
    pull(company, "dave")  # by a right of dave's own
    assert ("ml", "pull", MODEL) not in unused(company)
    company.late = timedelta(days=175)
    assert ("ml", "pull", MODEL) in unused(company)
    with company.open() as context:
        (row,) = [one for one in stale.stale_grants(context, 90).rows if one["grantee"] == "ml"]
    assert (row["days"], row["last_used_by"], row["kind"]) == (95, "dave", "team")
    pull(company, "erin")
    assert ("ml", "pull", MODEL) not in unused(company)


def test_a_push_that_moves_an_alias_uses_promote(company: Company, tiny: Path) -> None:
    company.enroll("bob")
    company.grant("bob", "push,promote", "vision/")
    company.late = timedelta(days=100)
    assert unused(company) >= {("bob", "push", "vision/"), ("bob", "promote", "vision/")}
    with company.open("bob") as context:
        push.push(context, tiny, MODEL)
    assert ("bob", "promote", "vision/") in unused(company)
    assert ("bob", "push", "vision/") not in unused(company)
    with company.open("bob") as context:
        push.push(context, tiny, MODEL, aliases=["prod"])
    assert ("bob", "promote", "vision/") not in unused(company)
    company.late = timedelta(days=200)
    with company.open() as context:
        found = {
            one["action"]: one for one in stale.stale_grants(context, 90).rows if one["grantee"] == "bob"
        }
    assert (found["promote"]["days"], found["push"]["days"]) == (100, 100)


def test_what_ended_or_is_void_is_no_right(company: Company) -> None:
    company.enroll("bob", "carol", "dave")
    company.grant("bob", "pull", "vision/", until=company.at(days=50))
    company.grant("carol", "pull", "vision/")
    company.grant("dave", "pull", "vision/")
    company.late = timedelta(days=95)
    with company.open() as context:
        members.disable(context, "carol")
    company.grant("dave", "pull", "vision/")  # renewed, so young
    assert unused(company) == set()
    company.late = timedelta(days=190)
    assert unused(company) == {("dave", "pull", "vision/"), ("alice", "admin", "/")}


# --- a stolen key -----------------------------------------------------------------------------


@pytest.fixture
def granted(company: Company, tiny: Path) -> Company:
    """bob reads MODEL directly, carol the namespace, dave by way of team ml."""
    company.enroll("bob", "carol", "dave")
    company.team("ml", "dave")
    company.grant("carol", "pull", "vision/")
    company.grant("ml", "pull", MODEL)
    company.grant("bob", "pull", MODEL)
    company.publish(tiny)
    return company


def test_the_radius_of_each_right(granted: Company, tiny: Path) -> None:
    company = granted
    company.publish(tiny, OTHER)
    for name in ("bob", "dave"):
        assert reached(radius(company, name), blast.OPENED) == {f"{MODEL}:1"}
    assert reached(radius(company, "carol"), blast.OPENED) == {f"{MODEL}:1", f"{OTHER}:1"}
    found = radius(company, "alice")
    assert reached(found, blast.SIGNED) == reached(found, blast.OPENED) == {f"{MODEL}:1", f"{OTHER}:1"}
    assert found.law["enroll"] == 3
    company.revoke("bob", "pull", MODEL)
    with company.open() as context:
        members.leave_team(context, "ml", "dave")
    company.publish(tiny)
    for name in ("bob", "dave"):  # what came later is sealed to other keys
        assert reached(radius(company, name), blast.OPENED) == {f"{MODEL}:1"}
    assert reached(radius(company, "carol"), blast.OPENED) == {f"{MODEL}:1", f"{MODEL}:2", f"{OTHER}:1"}


def test_a_right_to_push_opens_nothing(company: Company, tiny: Path) -> None:
    company.enroll("build")
    company.grant("build", "push,promote", "vision/")
    company.publish(tiny)
    company.publish(tiny, by="build")
    found = radius(company, "build")
    assert reached(found, blast.SIGNED) == {f"{MODEL}:2"}
    assert reached(found, blast.OPENED) == set()


def test_a_grant_that_ended_by_itself(company: Company, tiny: Path) -> None:
    company.enroll("bob")
    company.publish(tiny)
    company.grant("bob", "pull", "vision/", until=company.at(days=1))
    company.late = timedelta(days=2)
    company.publish(tiny)
    found = radius(company, "bob")
    assert reached(found, blast.OPENED) == {f"{MODEL}:1"}
    (right,) = found.rights
    assert right.end == right.held.until
    assert right.models == 1


def test_every_key_of_a_member_counts_and_says_until_when(company: Company, tiny: Path) -> None:
    company.enroll("bob")
    company.grant("bob", "push", "vision/")
    company.publish(tiny, by="bob")
    with company.open() as context:
        members.replace_lost(context, "bob", company.makes("bob", "new"))
    (company.root / "new.pem").replace(company.root / "bob.pem")
    company.publish(tiny, by="bob")
    found = radius(company, "bob")
    assert reached(found, blast.SIGNED) == {f"{MODEL}:1", f"{MODEL}:2"}
    first, second = found.keys
    assert first["until"] == second["since"]
    assert first["until_entry"] == second["since_entry"]
    assert second["until"] is None


def test_since_when_the_key_was_stolen(company: Company, tiny: Path) -> None:
    company.enroll("bob", "carol")
    company.grant("bob", "push", "vision/")
    company.grant("carol", "pull", "vision/")
    company.publish(tiny, by="bob")
    company.revoke("carol", "pull", "vision/")
    company.late = timedelta(days=10)
    stolen = company.now()
    company.publish(tiny, by="bob")
    with company.open() as context:
        found = blast.blast_radius(context, "bob", stolen)
        assert reached(found, blast.SIGNED) == {f"{MODEL}:2"}
        assert blast.blast_radius(context, "carol", stolen).rights == []
        assert reached(blast.blast_radius(context, "carol"), blast.OPENED) == {f"{MODEL}:1"}


def test_kinship_goes_down_through_others_and_in_circles(granted: Company, tiny: Path) -> None:
    company = granted
    company.grant("bob", "push", "vision/")
    (tiny / "note.txt").write_text("second")
    company.publish(tiny, "vision/child")
    (tiny / "note.txt").write_text("third")
    company.publish(tiny, "vision/grandchild")
    (tiny / "note.txt").write_text("fourth")
    company.publish(tiny, "vision/stranger", by="bob")
    with company.open() as context:
        claim(context, "vision/child:1", "vision/stranger:1")
        claim(context, "vision/grandchild:1", "vision/child:1")
        claim(context, "vision/stranger:1", "vision/grandchild:1")  # a circle
        claim(context, "vision/child:1", "vision/child:1")
    found = radius(company, "bob")
    assert reached(found, blast.SIGNED) == {"vision/stranger:1"}
    assert reached(found, blast.DESCENDS) == {"vision/child:1", "vision/grandchild:1"}
    assert {str(one.version): one.parent for one in found.of(blast.DESCENDS)} == {
        "vision/child:1": ("vision/stranger", 1),
        "vision/grandchild:1": ("vision/child", 1),
    }


# --- refusals ---------------------------------------------------------------------------------


def test_a_flood_of_refusals_is_counted_in_full(
    company: Company, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "TOLD", 2)
    company.enroll("mallory")
    company.publish(tiny)
    for _ in range(5):
        with company.open("mallory") as context, pytest.raises(NotPermitted):
            checkout(context, MODEL)
    company.late = timedelta(hours=2)
    company.enroll("bob")  # the count is written with the first act after the hour
    with company.open() as context:
        rows = denials.denied(context, denials.Refused()).rows
        found = {row["code"]: row["attempts"] for row in rows if row["member"] == "mallory"}
        assert found == {"not-permitted": 2, "": 3}
        assert denials.denied(context, denials.Refused(code="not-permitted")).rows[0]["attempts"] == 2
    with company.open("bob") as context:
        assert denials.denied(context, denials.Refused()).rows == []


# --- one member -------------------------------------------------------------------------------


def test_a_member_from_first_to_last(granted: Company) -> None:
    company = granted
    pull(company, "dave")
    with company.open() as context:
        members.leave_team(context, "ml", "dave")
        members.disable(context, "dave", reason="left")
        found = dossier.member(context, "dave")
    assert (found.member["state"], found.may) == ("disabled", [])
    assert [(one["action"], one["on"], one["acts"]) for one in found.did] == [("pull", MODEL, 1)]
    (stay,) = found.teams
    assert stay["team"] == "ml"
    assert stay["since"] < stay["until"]
    assert [one["action"] for one in found.about] == ["disable", "team-remove", "team-add", "enroll"]
    assert found.keys[0]["until"] is not None
    assert {one["host"] for one in found.hosts} == {context.client.host}


def test_a_version_that_was_yanked_is_told(granted: Company) -> None:
    with granted.open() as context:
        catalog.yank(context, f"{MODEL}:1", "wrong data")
        assert questions.who_can(context, f"{MODEL}:1").yanked == "wrong data"
        assert questions.who_can(context, MODEL).yanked is None
        last = questions.history(context, MODEL).rows[-1]
    assert (last["action"], last["detail"]) == ("yank", "wrong data")
    assert [one.yanked for one in radius(granted, "bob").of(blast.OPENED)] == [True]
