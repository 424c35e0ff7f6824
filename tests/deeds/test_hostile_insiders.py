"""What somebody with some rights might try by another program than ours, against the keys of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry import access, acts, lawbook, members, vaults
from registry.crypto.sealing import SealingPrivateKey
from registry.errors import BadEncryption, BadProof, NotPermitted
from registry.records import tables
from registry.records.database import reading, writing
from registry.vaults import PublicVault, Sealer
from support import worlds
from support.company import MODEL, OTHER, REMAIN, Company


def test_an_admin_cannot_disable_themselves_and_keep_the_new_keys(company: Company) -> None:
    company.enroll("bob", role="admin")
    company.refused("bob", members.disable, "bob")
    with company.open() as context:
        assert members.disable(context, "bob").rotated == ("/",)


def test_who_may_grant_cannot_revoke_themselves_and_keep_the_new_keys(staffed: Company) -> None:
    staffed.grant("bob", "grant", MODEL)
    staffed.refused("bob", access.revoke, "bob", ["pull", "grant"], MODEL)
    assert staffed.revoke("bob", "grant", MODEL, by="bob").rotated == ()  # bob reads on: nothing begins anew
    assert staffed.revoke("bob", "pull", MODEL).rotated == (MODEL,)


def _junk(sealer: Sealer, vault: PublicVault, blob: str, key: bytes) -> acts.Sealed:
    """The key sealed to nobody who is there."""
    nobody = PublicVault(vault.name, vault.epoch, SealingPrivateKey.generate().public)
    return _honest(sealer, nobody, blob, key)


_honest = Sealer.blob_key


@pytest.mark.parametrize("reencrypt", [False, True])
def test_a_publisher_who_seals_junk_cannot_block_a_revocation(
    staffed: Company, tiny: Path, monkeypatch: pytest.MonkeyPatch, reencrypt: bool
) -> None:
    staffed.enroll("builder")
    staffed.grant("builder", "push", MODEL)
    (tiny / "note.txt").write_text("sealed to nobody")
    with monkeypatch.context() as hostile:
        hostile.setattr(vaults.Sealer, "blob_key", _junk)
        staffed.publish(tiny, MODEL, by="builder")
    with pytest.raises(BadEncryption):
        staffed.read("carol", f"{MODEL}:2")
    done = staffed.revoke("bob", "pull", MODEL, reencrypt=reencrypt)
    assert len(done.unreadable) == 1
    assert done.rotated == (MODEL,)
    assert staffed.readers(*REMAIN, "bob", ref=f"{MODEL}:1") == set(REMAIN)
    staffed.clean()


def test_a_damaged_blob_does_not_block_a_reencryption(staffed: Company) -> None:
    """It stays as it is, with its key: a store that is repaired makes it readable again."""
    with staffed.open() as context:
        name = next(row["id"] for row in worlds.dump(context)["blobs"] if row["model"] == MODEL)
        place = next((staffed.home / "blobs").rglob(name))
        sound = place.read_bytes()
        place.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    done = staffed.revoke("bob", "pull", MODEL, reencrypt=True)
    assert done.unreadable == (name,)
    place.write_bytes(sound)
    assert staffed.readers(*REMAIN) == set(REMAIN)


def test_an_entry_that_was_exchanged_is_proven_anew(staffed: Company) -> None:
    """What is remembered of an entry holds for its bytes alone."""
    with staffed.open() as context:
        law = context.law()
        with reading(context.engine) as connection:
            (push, other) = (
                connection.execute(tables.acts.select().where(tables.acts.c.kind == "push")).mappings().all()
            )
            first = lawbook.recalled(connection, law, [push["seq"]])
            assert lawbook.recalled(connection, law, [push["seq"]]) == first
            assert law.recent[push["seq"]][1] is first[push["seq"]]
        with writing(context.engine) as connection:
            changed = tables.acts.update().where(tables.acts.c.seq == push["seq"])
            connection.execute(changed.values(envelope=other["envelope"]))
        with reading(context.engine) as connection, pytest.raises(BadProof):
            lawbook.recalled(connection, law, [push["seq"]])


def test_a_push_that_moves_an_alias_needs_the_right_to_promote(staffed: Company, tiny: Path) -> None:
    from registry.push import push

    staffed.enroll("builder")
    staffed.grant("builder", "push", OTHER)
    with staffed.open("builder") as context, pytest.raises(NotPermitted, match="may not promote"):
        push(context, tiny, OTHER, aliases=["prod"])
