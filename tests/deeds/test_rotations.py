"""Rotations: who is out stays out, who remains reads on, and what was superseded is destroyed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry import access, members, vaults
from registry.context import Context
from registry.errors import BadEncryption, Conflict, Disabled, NotPermitted
from registry.records.law_rows import blob_of
from support import worlds
from support.company import MODEL, OTHER, REMAIN, Company

WAYS_OUT: dict[str, Callable[[Context], members.Changed]] = {
    "revoke": lambda one: access.revoke(one, "bob", ["pull"], MODEL),
    "disable": lambda one: members.disable(one, "bob", "has left"),
}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_who_is_out_opens_nothing_new_and_the_others_all(staffed: Company, way: str) -> None:
    before, keys, blobs = staffed.sealed(), staffed.blob_keys(), staffed.blobs()
    known = staffed.vault_key("bob", MODEL)  # bob keeps whatever he could open
    with staffed.open() as context:
        law = context.law()
        gone = {share.sealed.sha256 for share in law.state.vaults[MODEL].shares.values()}
        done = WAYS_OUT[way](context)
    assert (done.rotated, done.resealed) == ((MODEL,), len(keys))
    after = staffed.sealed()
    assert (gone | set(keys.values())) & after.keys() == set()
    assert before.keys() - after.keys() == gone | set(keys.values())
    assert staffed.blobs() == blobs  # no blob is encrypted again unless it is asked for
    with pytest.raises(BadEncryption):
        staffed.vault_key("bob", MODEL)
    _opens_nothing(staffed, known)
    with pytest.raises(NotPermitted if way == "revoke" else Disabled):
        staffed.read("bob")
    assert staffed.readers(*REMAIN) == set(REMAIN)
    staffed.clean()


def _opens_nothing(company: Company, key: Any) -> None:
    """A vault's old private half opens no sealed key of the model's blobs."""
    found = company.sealed()
    with company.open() as context:
        rows = [row for row in worlds.dump(context)["blobs"] if row["model"] == MODEL]
        assert rows
        for row in rows:
            with pytest.raises(BadEncryption):
                vaults.open_blob_key(
                    context.config.registry_id, MODEL, blob_of(row), found[row["sealed"]], key
                )


def test_leaving_a_team_takes_what_the_team_could_open(staffed_anywhere: Company) -> None:
    company = staffed_anywhere
    before = company.epochs()
    with company.open() as context:
        members.join_team(context, "ml", "bob")
        done = members.leave_team(context, "ml", "dave")
    assert done.rotated == ("ml", MODEL)
    after = company.epochs()
    assert {name for name in after if after[name] > before[name]} == {"ml", MODEL}
    assert company.readers("bob", *REMAIN) == {"alice", "bob", "carol"}
    company.revoke("bob", "pull", MODEL)
    assert company.readers("bob") == {"bob"}  # by way of the team
    company.clean()


def test_a_revoked_namespace_rotates_every_model_in_it(staffed: Company, tiny: Path) -> None:
    staffed.publish(tiny, "audio/net")
    before = staffed.epochs()
    done = staffed.revoke("carol", "pull", "vision/")
    after = staffed.epochs()
    moved = {name for name in after if after[name] > before[name]}
    assert moved == set(done.rotated) == {"vision/", MODEL, OTHER}
    assert done.resealed == 4
    for ref in (MODEL, OTHER):
        assert "carol" not in staffed.readers("alice", "carol", ref=ref)
    assert staffed.readers("bob", *REMAIN) == {"alice", "bob", "dave"}
    staffed.clean()


def test_what_gives_no_key_rotates_nothing(staffed: Company) -> None:
    """Taking back a right to push, or one of two rights to read, changes nobody's keys."""
    before = staffed.epochs()
    staffed.grant("bob", "push,grant", MODEL)
    assert staffed.revoke("bob", "push", MODEL).rotated == ()
    assert staffed.revoke("bob", "pull", MODEL).rotated == ()
    assert staffed.readers("bob") == {"bob"}  # whoever may grant may pull
    assert staffed.epochs() == before
    assert staffed.revoke("bob", "grant", MODEL).rotated == (MODEL,)
    assert staffed.readers("bob") == set()


def test_an_admin_who_is_disabled_opens_nothing(staffed: Company) -> None:
    staffed.enroll("frank", role="admin")
    assert staffed.readers("frank", ref=OTHER) == {"frank"}
    with staffed.open("frank") as context:
        members.disable(context, "alice")
        with pytest.raises(Conflict, match="last admin"):
            members.disable(context, "frank")
        assert context.law().state.active("frank")
    for vault in ("/", "vision/", MODEL, OTHER):
        with pytest.raises(BadEncryption):
            staffed.vault_key("alice", vault)
    assert staffed.readers("bob", "carol", "dave", "frank") == {"bob", "carol", "dave", "frank"}


def test_rights_that_rotate(staffed: Company) -> None:
    with staffed.open() as context:
        for vault, expected in (
            (MODEL, (MODEL,)),
            ("vision/", ("vision/", MODEL, OTHER)),
            ("ml", ("ml", MODEL)),
        ):
            assert access.rotate(context, vault).rotated == expected
        assert set(access.rotate(context, "/").rotated) == {"/", "ml", "vision/", MODEL, OTHER}
    staffed.refused("carol", access.rotate, MODEL)
    staffed.grant("bob", "grant", MODEL)
    with staffed.open("bob") as context:
        assert access.rotate(context, MODEL).rotated == (MODEL,)
    staffed.refused("bob", access.rotate, "ml")
    assert staffed.readers("bob", *REMAIN) == {"bob", *REMAIN}
    staffed.clean()
