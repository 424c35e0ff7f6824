"""A member's keys: replaced by themselves when old, by an admin when lost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from registry import access, identities, members
from registry.checkout import checkout, verify
from registry.context import Context
from registry.errors import (
    AlreadyExists,
    BadEncryption,
    Disabled,
    DiskTrouble,
    InvalidInput,
    MemberNotFound,
    NotPermitted,
)
from support import worlds
from support.company import MODEL, Company


def test_a_member_replaces_their_own_keys_and_reads_on(company_anywhere: Company, tiny: Path) -> None:
    company = company_anywhere
    company.enroll("bob")
    company.team("ml", "bob")
    company.grant("ml", "pull", "audio/")
    company.grant("bob", "pull,push", MODEL)
    company.publish(tiny, by="bob")
    company.publish(tiny, "audio/net")
    epochs, blobs = company.epochs(), company.blobs()
    with company.open("bob") as context:
        done, made = members.replace_own(context, company.root / "bob-2.pem", b"a secret")
        assert (done.rotated, done.resealed) == ((), 0)
        with pytest.raises(NotPermitted, match="another key"):
            checkout(context, MODEL)
    assert (company.epochs(), company.blobs()) == (epochs, blobs)
    fresh = worlds.open_context(company.home, identity_file=made.private, passphrase=b"a secret")
    with fresh as context:
        for ref in (MODEL, "audio/net"):
            assert checkout(context, ref).ref.version == 1
        steps = verify(context, MODEL)
        assert all(step.ok for step in steps)
        assert "replaced since" in steps[3].detail
        assert len(members.show(context, "bob")["keys"]) == 2
    company.clean()


def test_an_admin_replaces_their_own_keys(company: Company, tiny: Path) -> None:
    company.publish(tiny)
    with company.open() as context:
        _, made = members.replace_own(context, company.root / "new.pem", None)
    with worlds.open_context(company.home, identity_file=made.private) as context:
        assert checkout(context, MODEL).ref.version == 1
        members.create_team(context, "ml")


def test_an_old_key_is_replaced_beside_grants_that_have_ended(company: Company, tiny: Path) -> None:
    """Ended shares are nobody's to make again: neither one's own nor those of others stand in the way."""
    company.enroll("bob", "carol")
    company.publish(tiny)
    company.publish(tiny, "audio/net")
    company.grant("bob", "pull", MODEL, until=company.at(hours=1))
    company.grant("bob", "pull", "audio/")
    company.grant("carol", "pull", "audio/", until=company.at(hours=1))
    company.late = timedelta(hours=2)
    with company.open("bob") as context:
        _, made = members.replace_own(context, company.root / "bob-2.pem", None)
    with worlds.open_context(company.home, identity_file=made.private, now=company.now) as context:
        assert checkout(context, "audio/net").ref.version == 1
        with pytest.raises(NotPermitted):
            checkout(context, MODEL)
    company.grant("bob", "pull", MODEL, until=company.at(hours=1))
    with worlds.open_context(company.home, identity_file=made.private, now=company.now) as context:
        assert checkout(context, MODEL).ref.version == 1
    company.clean()


def test_a_replacement_that_is_refused_leaves_no_file(company: Company) -> None:
    company.enroll("bob")
    with company.open() as context:
        members.disable(context, "bob")
    with company.open("bob") as context, pytest.raises(Disabled):
        members.replace_own(context, company.root / "bob-2.pem", None)
    assert not list(company.root.glob("bob-2.*"))


def test_a_replacement_whose_receipt_is_lost_keeps_the_only_key_there_is(
    company: Company, monkeypatch: pytest.MonkeyPatch, tiny: Path
) -> None:
    company.publish(tiny)
    honest = Context.act

    def lose(context: Context, *arguments: object, **options: object) -> None:
        honest(context, *arguments, **options)  # type: ignore[arg-type]
        raise DiskTrouble("the checkpoint cannot be kept")

    monkeypatch.setattr(Context, "act", lose)
    with company.open() as context, pytest.raises(DiskTrouble):
        members.replace_own(context, company.root / "new.pem", None)
    monkeypatch.setattr(Context, "act", honest)
    with worlds.open_context(company.home, identity_file=company.root / "new.pem") as context:
        assert checkout(context, MODEL).ref.version == 1


@pytest.mark.parametrize("reencrypt", [False, True])
def test_a_lost_key_opens_nothing_any_more(company: Company, tiny: Path, reencrypt: bool) -> None:
    company.enroll("bob", "carol")
    company.team("ml", "bob", "carol")
    company.grant("ml", "pull", MODEL)
    company.grant("bob", "pull,grant", "audio/")
    company.publish(tiny)
    company.publish(tiny, "audio/net")
    blobs = company.blobs()
    public = company.makes("bob", "bob-2")
    with company.open() as context:
        done, _ = members.replace_lost(context, "bob", public, reencrypt=reencrypt)
    assert set(done.rotated) == {"ml", MODEL, "audio/", "audio/net"}
    assert (company.blobs().keys() & blobs.keys() == set()) == reencrypt
    for vault in done.rotated:
        with pytest.raises(BadEncryption):
            company.vault_key("bob", vault)
    with company.open("bob") as context, pytest.raises(NotPermitted):
        checkout(context, MODEL)
    for ref in (MODEL, "audio/net"):
        assert company.readers("bob-2", "alice", ref=ref) == {"bob-2", "alice"}
    assert company.readers("carol") == {"carol"}
    with company.open("bob-2") as context:
        access.grant(context, "carol", ["pull"], "audio/net")
    assert company.readers("carol", ref="audio/net") == {"carol"}
    company.clean()


def test_a_lost_key_is_replaced_by_an_admin_and_for_the_right_name(company: Company) -> None:
    company.enroll("bob", "carol")
    public = company.makes("bob", "bob-2")
    company.refused("carol", members.replace_lost, "bob", public)
    with company.open() as context:
        with pytest.raises(InvalidInput, match="another name"):
            members.replace_lost(context, "carol", public)
        with pytest.raises(AlreadyExists):
            members.replace_lost(context, "bob", company.root / "bob.pub")
        with pytest.raises(MemberNotFound):
            members.replace_lost(context, "dave", company.makes("dave"))
    assert identities.read_public(public)
