"""Grants: who may do what, for how long, and that a yes carries the key and a no does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from registry import access, catalog, members
from registry.checkout import checkout
from registry.context import Context
from registry.errors import (
    BadEncryption,
    Conflict,
    GrantNotFound,
    InvalidInput,
    MemberNotFound,
    NotPermitted,
)
from registry.push import push
from support.company import MODEL, Company

PEOPLE = ("bob", "carol", "dave")


def test_a_grant_on_a_namespace_covers_models_that_come_later(company_anywhere: Company, tiny: Path) -> None:
    company = company_anywhere
    company.enroll(*PEOPLE)
    company.team("ml", "bob")
    company.grant("ml", "pull", "vision/")
    company.grant("carol", "pull", "audio/")
    company.publish(tiny, "vision/later")
    company.publish(tiny, "audio/later")
    assert company.readers(*PEOPLE, ref="vision/later") == {"bob"}
    assert company.readers(*PEOPLE, ref="audio/later") == {"carol"}
    assert company.read("bob", "vision/later")["note.txt"] == b"first"
    company.clean()


def test_a_grant_on_a_model_that_is_still_to_come(company: Company, tiny: Path) -> None:
    company.enroll(*PEOPLE)
    company.grant("bob", "pull", MODEL)
    company.grant("carol", "push", MODEL)
    assert company.publish(tiny, by="carol") == 1
    company.publish(tiny, "vision/other")
    assert company.readers(*PEOPLE) == {"bob"}
    assert company.readers(*PEOPLE, ref="vision/other") == set()
    company.clean()


def test_a_grant_on_one_model_opens_no_other(company: Company, tiny: Path) -> None:
    company.enroll("bob")
    for ref in (MODEL, "vision/other", "audio/net"):
        company.publish(tiny, ref)
    company.grant("bob", "pull", MODEL)
    assert company.readers("bob") == {"bob"}
    for vault in ("vision/other", "audio/net", "vision/", "/"):
        with pytest.raises(BadEncryption):
            company.vault_key("bob", vault)
    for ref in ("vision/other", "audio/net"):
        company.refused("bob", checkout, ref)


DEEDS: dict[str, Callable[[Context, Path], object]] = {
    "pull": lambda context, source: checkout(context, MODEL),
    "push": lambda context, source: push(context, source, MODEL),
    "promote": lambda context, source: catalog.alias(context, f"{MODEL}:1", "prod"),
    "grant": lambda context, source: access.grant(context, "carol", ["pull"], MODEL),
}
IMPLIED = {"grant": {"pull"}}


@pytest.mark.parametrize("target", ["vision/", MODEL])
@pytest.mark.parametrize("granted", DEEDS)
def test_each_action_allows_itself_and_no_other(
    company: Company, tiny: Path, granted: str, target: str
) -> None:
    company.enroll("bob", "carol")
    company.publish(tiny)
    company.grant("bob", granted, target)
    for name, deed in DEEDS.items():
        if name == granted or name in IMPLIED.get(granted, ()):
            with company.open("bob") as context:
                deed(context, tiny)
        else:
            company.refused("bob", deed, tiny)
    company.clean()


def test_a_push_that_moves_an_alias_needs_both_rights(company: Company, tiny: Path) -> None:
    company.enroll("bob")
    company.publish(tiny)
    company.grant("bob", "push", "vision/")
    company.refused("bob", partial(push, path=tiny, ref=MODEL, aliases=["prod"]))
    company.grant("bob", "promote", MODEL)
    with company.open("bob") as context:
        assert push(context, tiny, MODEL, aliases=["prod"]).ref.version == 2


def test_a_build_machine_cannot_read_what_it_uploaded_yesterday(
    company_anywhere: Company, tiny: Path
) -> None:
    company = company_anywhere
    company.enroll("build", "carol")
    company.grant("build", "push", "vision/")
    company.grant("carol", "pull", "vision/")
    assert company.publish(tiny, by="build") == 1
    (tiny / "note.txt").write_text("second")
    assert company.publish(tiny, by="build") == 2
    for ref in (MODEL, f"{MODEL}:1"):
        company.refused("build", checkout, ref)
    for vault in (MODEL, "vision/", "/"):
        with pytest.raises(BadEncryption):
            company.vault_key("build", vault)
    assert company.read("carol")["note.txt"] == b"second"
    company.clean()


def test_whoever_may_grant_passes_on_what_they_have_and_no_more(company: Company, tiny: Path) -> None:
    company.enroll(*PEOPLE)
    company.publish(tiny)
    company.publish(tiny, "vision/other")
    company.publish(tiny, "audio/net")
    company.grant("bob", "grant", "vision/")
    company.grant("carol", "pull,grant", MODEL, by="bob")
    company.grant("dave", "pull", MODEL, by="carol")
    assert company.readers(*PEOPLE) == set(PEOPLE)
    for target in ("vision/", "vision/other", "audio/net"):
        company.refused("carol", access.grant, "dave", ["pull"], target)
    company.refused("bob", access.grant, "dave", ["pull"], "audio/")
    company.refused("bob", members.create_team, "mine")
    company.refused("bob", members.disable, "carol")
    company.revoke("dave", "pull", MODEL, by="bob")
    assert company.readers(*PEOPLE) == {"bob", "carol"}
    company.clean()


def test_a_grant_that_ends_ends_by_itself(company_anywhere: Company, tiny: Path) -> None:
    company = company_anywhere
    company.enroll("bob", "carol")
    company.team("ml", "carol")
    company.publish(tiny)
    company.grant("bob", "pull", MODEL, until=company.at(hours=1))
    company.grant("ml", "pull", "vision/", until=company.at(hours=1))
    assert company.readers("bob", "carol") == {"bob", "carol"}
    for name in ("bob", "carol"):
        with pytest.raises(BadEncryption):  # the outer layer is the door's to take off
            company.vault_key(name, MODEL)
    company.late = timedelta(hours=1)
    assert company.readers("bob", "carol") == set()
    for name in ("bob", "carol"):
        company.refused(name, checkout, MODEL)
    company.clean()


def test_a_grant_is_prolonged_and_made_to_last(company: Company, tiny: Path) -> None:
    company.enroll("bob")
    company.publish(tiny)
    company.grant("bob", "pull", MODEL, until=company.at(hours=1))
    company.late = timedelta(hours=2)
    assert company.readers("bob") == set()
    company.grant("bob", "pull", MODEL, until=company.at(hours=1))
    assert company.readers("bob") == {"bob"}
    company.late = timedelta(hours=4)
    assert company.readers("bob") == set()
    company.grant("bob", "pull", MODEL)
    company.late = timedelta(days=400)
    assert company.readers("bob") == {"bob"}
    company.clean()


def test_nobody_grants_for_longer_than_they_may_themselves(company: Company, tiny: Path) -> None:
    company.enroll("bob", "carol")
    company.publish(tiny)
    friday, monday = company.at(hours=1), company.at(hours=2)
    company.grant("bob", "grant", MODEL, until=friday)
    for until in (None, monday):
        company.refused("bob", access.grant, "carol", ["pull"], MODEL, until)
    company.grant("carol", "pull", MODEL, by="bob", until=friday)
    assert company.readers("carol") == {"carol"}


def test_requests_that_make_no_sense(company: Company, tiny: Path) -> None:
    company.enroll("bob")
    company.enroll("eve", role="auditor")
    company.publish(tiny)
    company.grant("bob", "push", MODEL)
    with company.open() as context:
        for actions, target, error in (
            (["fly"], MODEL, InvalidInput),
            ([], MODEL, InvalidInput),
            (["pull"], "vision", InvalidInput),
            (["pull"], f"{MODEL}:1", InvalidInput),
            (["pull"], "vis ion/", InvalidInput),
        ):
            with pytest.raises(error):
                access.grant(context, "bob", actions, target)
        with pytest.raises(InvalidInput, match="end before it begins"):
            access.grant(context, "bob", ["pull"], MODEL, company.at(hours=-1))
        with pytest.raises(MemberNotFound):
            access.grant(context, "nobody", ["pull"], MODEL)
        with pytest.raises(NotPermitted, match="auditor"):
            access.grant(context, "eve", ["pull"], MODEL)
        for actions, target in ((["pull"], MODEL), (["push"], "vision/"), (["push", "pull"], MODEL)):
            with pytest.raises(GrantNotFound):
                access.revoke(context, "bob", actions, target)
        with pytest.raises(MemberNotFound):
            access.rotate(context, "nowhere/")
        members.disable(context, "bob")
        with pytest.raises(Conflict, match="disabled"):
            access.grant(context, "bob", ["pull"], MODEL)
    company.clean()
