"""Rotations that lose or change a blob, and acts beside which other sealed keys lie than they name."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import msgspec
import pytest

from registry import acts, keyring
from registry.errors import (
    BadReference,
    Conflict,
    InvalidInput,
    Malformed,
    Outdated,
    VersionTaken,
)
from registry.records import queries, sealed
from registry.records.database import reading
from registry.records.law_rows import blob_of
from registry.vaults import Reader, Sealer
from support import courtroom, forging
from support.courtroom import MODEL, OTHER, Court, Database
from support.forging import Brought, Forgery

FORGERIES: dict[str, Forgery] = {}
forgery = forging.table(FORGERIES)
GRANT = acts.Grant(grantee="nobody", actions=("pull",), target=MODEL)
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


# --- blobs ----------------------------------------------------------------------------------------


def rotated(court: Court, **blob: Any) -> Brought:
    """A rotation that changes the one blob of the model."""
    body, keys = court.whole(acts.Rotate(vault=MODEL))
    (kept,) = body.custody.blobs
    return signed(court, without(body, blobs=(change(kept, blob=change(kept.blob, **blob)),)), keys)


@forgery(Outdated, "other blobs")
def a_rotation_that_omits_a_blob(court: Court) -> Brought:
    body, keys = court.whole(acts.Rotate(vault=MODEL))
    return signed(court, without(body, blobs=()), keys)


@forgery(BadReference, "changes a blob")
def a_rotation_that_moves_a_blob_to_another_id(court: Court) -> Brought:
    return rotated(court, id="another-blob")


@forgery(BadReference, "changes a blob")
def a_rotation_that_changes_a_blobs_digest(court: Court) -> Brought:
    return rotated(court, sha256="5a" * 32)


@forgery(BadReference, "changes a blob")
def a_rotation_that_changes_a_blobs_size(court: Court) -> Brought:
    return rotated(court, size=7)


@forgery(BadReference, "changes a blob")
def a_rotation_that_leaves_a_blob_in_the_old_epoch(court: Court) -> Brought:
    return rotated(court, epoch=1)


@forgery(Outdated, "other blobs")
def a_rotation_that_says_a_blob_holds_something_else(court: Court) -> Brought:
    return rotated(court, content="5a" * 32)


@forgery(Malformed, "twice")
def a_rotation_that_seals_a_blob_twice(court: Court) -> Brought:
    """The first of the two would be held against nothing."""
    body, keys = court.whole(acts.Rotate(vault=MODEL))
    (kept,) = body.custody.blobs
    made = sealer(court)
    key = made.blob_key(keyring.public(court.root.law(), MODEL), kept.blob.id, secrets.token_bytes(32))
    other = change(kept, blob=change(kept.blob, sha256="5a" * 32, key=key))
    return signed(court, without(body, blobs=(other, kept)), keys | made.sealed)


@forgery(Conflict, "there already")
def a_rotation_that_keeps_a_blobs_sealed_key(court: Court) -> Brought:
    """Who was revoked, and took the vault's old key with them, would open it still."""
    body, keys = court.whole(acts.Rotate(vault=MODEL))
    with reading(court.engine) as connection:
        (row,) = queries.blobs_of(connection, MODEL)
        keys |= sealed.get(connection, [row["sealed"]])
    (kept,) = body.custody.blobs
    again = change(kept, blob=change(kept.blob, key=blob_of(row).key))
    return signed(court, without(body, blobs=(again,)), keys)


@forgery(Malformed, "whose vault stays")
def a_rotation_that_reseals_another_models_blob(court: Court) -> Brought:
    court.admit("root", *court.push("root", OTHER))
    other, more = court.whole(acts.Rotate(vault=OTHER))
    body, keys = court.whole(acts.Rotate(vault=MODEL))
    return signed(court, without(body, blobs=body.custody.blobs + other.custody.blobs), keys | more)


@forgery(VersionTaken, "another epoch")
def a_push_sealed_to_the_epoch_before(court: Court) -> Brought:
    push, keys = court.push("pusher")
    court.enact("root", acts.Rotate(vault=MODEL))
    return court.sign("pusher", push), keys


@forgery(Conflict, "there already")
def a_push_that_takes_the_blob_of_another_model(court: Court) -> Brought:
    court.admit("root", *court.push("root", OTHER))
    with reading(court.engine) as connection:
        (theirs,) = queries.blobs_of(connection, OTHER)
    push, keys = court.push("pusher")
    return court.sign("pusher", change(push, blobs=(change(push.blobs[0], id=theirs["id"]),))), keys


# --- what lies beside the act ---------------------------------------------------------------------


@forgery(InvalidInput, "not those that the act names")
def a_grant_without_the_sealed_key_that_it_names(court: Court) -> Brought:
    body, _ = court.whole(GRANT)
    return court.sign("root", body), {}


@forgery(InvalidInput, "not those that the act names")
def a_grant_with_a_sealed_key_that_it_does_not_name(court: Court) -> Brought:
    body, keys = court.whole(GRANT)
    _, more = share(court, MODEL, "nobody")
    return court.sign("root", body), keys | more


@forgery(InvalidInput, "not what its digest says")
def a_grant_with_another_sealed_key_under_the_digest(court: Court) -> Brought:
    body, keys = court.whole(GRANT)
    return court.sign("root", body), dict.fromkeys(keys, b"another")


@forgery(Conflict, "there already")
def a_push_that_names_a_sealed_key_of_another_act(court: Court) -> Brought:
    push, _ = court.push("pusher")
    with reading(court.engine) as connection:
        (row,) = queries.blobs_of(connection, MODEL)
        keys = sealed.get(connection, [row["sealed"]])
    blob = change(push.blobs[0], key=blob_of(row).key)
    return court.sign("pusher", change(push, blobs=(blob,))), keys


# --- the tests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused_by_name(court: Court, name: str) -> None:
    forging.refuse(court, FORGERIES[name])


def test_every_forgery_is_refused_on_postgresql_too(tmp_path: Path, postgres_url: str) -> None:
    with courtroom.build(tmp_path / "home", Database(postgres_url)) as court:
        for one in FORGERIES.values():
            with courtroom.undone(court):
                forging.refuse(court, one)
