"""Acts by who may make them, with other keys than must follow: refused by name, whoever would gain by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from registry import acts, checkout, keyring
from registry.crypto.sealing import SealingPrivateKey
from registry.errors import (
    BadEncryption,
    Conflict,
    Malformed,
    NotPermitted,
)
from registry.records import sealed
from registry.records.database import reading
from registry.vaults import Reader, Sealer
from support import courtroom, forging
from support.courtroom import MODEL, Court, Database
from support.forging import Brought, Forgery, bare

FORGERIES: dict[str, Forgery] = {}
forgery = forging.table(FORGERIES)
GRANT = acts.Grant(grantee="nobody", actions=("pull",), target=MODEL)
REVOKE = acts.Revoke(grantee="bob", actions=("pull",), target=MODEL)
change = msgspec.structs.replace


def sealer(court: Court) -> Sealer:
    law = court.root.law()
    return Sealer(law.registry_id, law.release)


def share(court: Court, vault: str, to: str) -> tuple[acts.Handed, dict[str, bytes]]:
    """One more share of a vault, made by root as it should be."""
    law, made = court.root.law(), sealer(court)
    public, key = keyring.public(law, vault), keyring.unlock(court.root, law, vault)
    given = made.share(public, key, Reader.member(court.known(to).public), limited=False)
    return acts.Handed(vault, public.epoch, given), made.sealed


def without(body: Any, **custody: Any) -> Any:
    """The act with parts of its custody replaced."""
    return change(body, custody=change(body.custody, **custody))


def named(body: Any, keys: dict[str, bytes]) -> dict[str, bytes]:
    """Those of the keys that the act still names."""
    return {one.sha256: keys[one.sha256] for one in acts.sealed_in(body) if one.sha256 in keys}


def held(court: Court, body: Any, keys: dict[str, bytes], again: tuple[acts.Share, ...]) -> dict[str, bytes]:
    with reading(court.engine) as connection:
        return keys | sealed.get(connection, [one.sealed.sha256 for one in again])


def signed(court: Court, body: Any, keys: dict[str, bytes], by: str = "root") -> Brought:
    return court.sign(by, body), named(body, keys)


# --- who reads ------------------------------------------------------------------------------------


@forgery(Malformed, "hands a key to others")
def a_grant_that_leaves_the_grantee_out(court: Court) -> Brought:
    return bare(court, "root", GRANT)


@forgery(Malformed, "hands a key to others")
def a_grant_that_adds_the_granter_as_a_reader(court: Court) -> Brought:
    body = acts.Grant(grantee="bob", actions=("push",), target=MODEL)
    handed, keys = share(court, MODEL, "gus")
    handed = change(handed, share=change(handed.share, recipient="stranger"))
    return signed(court, change(body, custody=acts.Custody(shares=(handed,))), keys)


@forgery(Malformed, "hands a key to others")
def a_grant_to_push_that_hands_over_the_key(court: Court) -> Brought:
    body = acts.Grant(grantee="nobody", actions=("push",), target=MODEL)
    handed, keys = share(court, MODEL, "nobody")
    return signed(court, change(body, custody=acts.Custody(shares=(handed,))), keys)


@forgery(Malformed, "hands a key to others")
def a_grant_that_hands_over_the_key_above_as_well(court: Court) -> Brought:
    body, keys = court.whole(GRANT)
    handed, more = share(court, "vision/", "nobody")
    return signed(court, without(body, shares=(*body.custody.shares, handed)), keys | more)


@forgery(Malformed, "hands a key to others")
def a_grant_until_a_time_whose_share_has_no_end(court: Court) -> Brought:
    handed, keys = share(court, MODEL, "nobody")
    body = change(GRANT, until=court.at(minutes=9), custody=acts.Custody(shares=(handed,)))
    return signed(court, body, keys)


@forgery(Malformed, "hands a key to others")
def a_grant_whose_share_is_given_twice(court: Court) -> Brought:
    body, keys = court.whole(GRANT)
    handed, more = share(court, MODEL, "nobody")
    return signed(court, without(body, shares=(*body.custody.shares, handed)), keys | more)


@forgery(Malformed, "another epoch")
def a_grant_of_the_key_of_an_epoch_before(court: Court) -> Brought:
    handed, keys = share(court, MODEL, "nobody")
    court.enact("root", acts.Rotate(vault=MODEL))
    return signed(court, change(GRANT, custody=acts.Custody(shares=(handed,))), keys)


@forgery(Malformed, "hands a key to others")
def an_enrollment_of_an_admin_without_the_root_key(court: Court) -> Brought:
    return bare(court, "root", acts.Enroll(name="eve", identity=court.proof("eve"), role="admin"))


@forgery(Malformed, "hands a key to others")
def an_enrollment_of_a_member_with_the_root_key(court: Court) -> Brought:
    handed, keys = share(court, "/", "eve")
    body = acts.Enroll(name="eve", identity=court.proof("eve"), role="member")
    return signed(court, change(body, custody=acts.Custody(shares=(handed,))), keys)


@forgery(Malformed, "hands a key to others")
def a_joining_of_a_team_without_its_key(court: Court) -> Brought:
    return bare(court, "root", acts.TeamAdd(team="ml", name="bob"))


@forgery(Malformed, "hands a key to others")
def a_replacement_of_ones_key_that_leaves_a_vault_behind(court: Court) -> Brought:
    return bare(court, "bob", acts.Replace(name="bob", identity=court.proof("bob-2")))


@forgery(Malformed, "begins other vaults")
def a_creation_without_keys(court: Court) -> Brought:
    return bare(court, "root", acts.Create("vision/other"))


@forgery(Malformed, "seals vision/other to others")
def a_creation_with_its_maker_as_a_reader(court: Court) -> Brought:
    """Who may push and not pull makes the key, and must not keep a share of it."""
    body, keys = court.whole(acts.Create("vision/other"))
    (vault,) = body.custody.vaults
    mine = change(vault.shares[0], recipient="pusher")
    forged = without(body, vaults=(change(vault, shares=(*vault.shares, mine)),))
    return signed(court, forged, keys, by="pusher")


# --- epochs ---------------------------------------------------------------------------------------


@forgery(Malformed, "begins other vaults")
def a_revocation_that_keeps_the_epoch(court: Court) -> Brought:
    return bare(court, "root", REVOKE)


@forgery(Malformed, "out of turn")
def a_revocation_whose_new_epoch_is_the_old_one(court: Court) -> Brought:
    body, keys = court.whole(REVOKE)
    (vault,) = body.custody.vaults
    return signed(court, without(body, vaults=(change(vault, epoch=1),)), keys)


@forgery(Malformed, "out of turn")
def a_revocation_that_skips_an_epoch(court: Court) -> Brought:
    body, keys = court.whole(REVOKE)
    (vault,) = body.custody.vaults
    return signed(court, without(body, vaults=(change(vault, epoch=3),)), keys)


@forgery(Malformed, "keeps its key")
def a_revocation_whose_new_epoch_has_the_old_key(court: Court) -> Brought:
    body, keys = court.whole(REVOKE)
    (vault,) = body.custody.vaults
    old = court.root.law().state.vaults[MODEL].public
    return signed(court, without(body, vaults=(change(vault, public=old),)), keys)


@forgery(Malformed, "seals vision/net to others")
def a_revocation_after_which_the_revoked_still_reads(court: Court) -> Brought:
    body, keys = court.whole(REVOKE)
    (vault,) = body.custody.vaults
    bobs = change(vault.shares[0], recipient="bob", sealed=change(vault.shares[0].sealed, sha256="5a" * 32))
    return signed(court, without(body, vaults=(change(vault, shares=(*vault.shares, bobs)),)), keys)


@forgery(Malformed, "seals vision/net to others")
def a_revocation_that_shuts_out_somebody_else(court: Court) -> Brought:
    body, keys = court.whole(REVOKE)
    (vault,) = body.custody.vaults
    left = tuple(one for one in vault.shares if one.recipient != "gus")
    return signed(court, without(body, vaults=(change(vault, shares=left),)), keys)


@forgery(Malformed, "seals vision/net to others")
def a_rotation_that_gives_a_limited_reader_a_share_without_end(court: Court) -> Brought:
    body, keys = court.whole(acts.Rotate(vault=MODEL))
    (vault,) = body.custody.vaults
    freed = tuple(change(one, limited=False) for one in vault.shares)
    return signed(court, without(body, vaults=(change(vault, shares=freed),)), keys)


@forgery(Malformed, "begins other vaults")
def a_rotation_of_a_namespace_that_leaves_its_model_behind(court: Court) -> Brought:
    """The model's key was sealed to the namespace's: whoever had that has the model's as well."""
    body, keys = court.whole(acts.Rotate(vault="vision/"))
    left = tuple(vault for vault in body.custody.vaults if vault.name != MODEL)
    return signed(court, without(body, vaults=left, blobs=()), keys)


@forgery(Malformed, "begins other vaults")
def a_departure_from_a_team_that_keeps_its_keys(court: Court) -> Brought:
    return bare(court, "root", acts.TeamRemove(team="ml", name="mel"))


@forgery(Malformed, "begins other vaults")
def a_disabling_that_keeps_the_keys(court: Court) -> Brought:
    return bare(court, "root", acts.Disable(name="bob"))


@forgery(Malformed, "begins other vaults")
def a_replacement_of_a_lost_key_that_keeps_the_vaults(court: Court) -> Brought:
    """Somebody may have found it."""
    handed, keys = share(court, MODEL, "bob-2")
    body = acts.Replace(name="bob", identity=court.proof("bob-2"))
    return signed(court, change(body, custody=acts.Custody(shares=(handed,))), keys)


@forgery(Malformed, "begins other vaults")
def a_grant_that_rotates_without_need(court: Court) -> Brought:
    rotated, keys = court.whole(acts.Rotate(vault=MODEL))
    body = acts.Grant(grantee="nobody", actions=("push",), target=MODEL)
    return signed(court, change(body, custody=rotated.custody), keys)


@forgery(Malformed, "out of turn")
def a_rotation_that_replays_older_custody(court: Court) -> Brought:
    body, keys = court.whole(acts.Rotate(vault=MODEL))
    court.admit("root", body, keys)
    court.enact("root", acts.Rotate(vault=MODEL))
    return signed(court, body, keys)


@forgery(Conflict, "there already")
def a_rotation_that_hands_over_what_it_supersedes(court: Court) -> Brought:
    """What should be destroyed would stay."""
    body, keys = court.whole(acts.Rotate(vault=MODEL))
    old = court.root.law().state.vaults[MODEL].shares
    (vault,) = body.custody.vaults
    again = tuple(old.get(one.recipient, one) for one in vault.shares)
    return signed(court, without(body, vaults=(change(vault, shares=again),)), held(court, body, keys, again))


@forgery(Malformed, "")
def a_vault_whose_public_key_is_none(court: Court) -> Brought:
    body, keys = court.whole(acts.Rotate(vault=MODEL))
    (vault,) = body.custody.vaults
    return signed(court, without(body, vaults=(change(vault, public=b"x"),)), keys)


@forgery(Malformed, "")
def a_vault_of_an_unknown_suite(court: Court) -> Brought:
    body, keys = court.whole(acts.Rotate(vault=MODEL))
    (vault,) = body.custody.vaults
    return signed(court, without(body, vaults=(change(vault, suite="rot13"),)), keys)


# --- the tests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused_by_name(court: Court, name: str) -> None:
    forging.refuse(court, FORGERIES[name])


def test_every_forgery_is_refused_on_postgresql_too(tmp_path: Path, postgres_url: str) -> None:
    with courtroom.build(tmp_path / "home", Database(postgres_url)) as court:
        for one in FORGERIES.values():
            with courtroom.undone(court):
                forging.refuse(court, one)


@pytest.mark.parametrize("body", [GRANT, REVOKE, acts.Rotate(vault=MODEL), acts.Rotate(vault="vision/")])
def test_the_honest_acts_that_the_forgeries_were_made_of_are_admitted(court: Court, body: Any) -> None:
    court.admit("root", *court.whole(body))


@pytest.mark.parametrize("to", ["the old key", "the key of another", "another vault's key"])
def test_a_share_that_the_door_cannot_judge_opens_nothing(court: Court, to: str) -> None:
    """What is inside a sealed key only its reader sees. It fits the vault and the reader, or is refused."""
    law, made = court.root.law(), sealer(court)
    public, key = keyring.public(law, MODEL), keyring.unlock(court.root, law, MODEL)
    reader = {"the old key": "old", "the key of another": "stranger"}.get(to, "old-2")
    if to == "another vault's key":
        key = SealingPrivateKey.generate()
    given = made.share(public, key, Reader.member(court.known(reader).public), limited=False)
    handed = acts.Handed(MODEL, public.epoch, change(given, recipient="old"))
    grant = acts.Grant(grantee="old", actions=("pull",), target=MODEL)
    court.admit("root", change(grant, custody=acts.Custody(shares=(handed,))), made.sealed)
    with pytest.raises(BadEncryption) as caught:
        checkout.checkout(court.by("old-2"), f"{MODEL}:1")
    assert caught.value.step == "8 (release)"
    with pytest.raises(NotPermitted):
        checkout.checkout(court.by("stranger"), f"{MODEL}:1")
