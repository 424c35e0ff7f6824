"""Attacks on sealed keys, blob rows and attestations: exchanged for others that are genuine, or withheld."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from registry import acts, vaults
from registry.crypto import dsse
from registry.crypto.checkpoint import LedgerKey
from registry.errors import BadEncryption, PolicyDenied, Untrusted
from registry.records import tables
from registry.release import release
from registry.ritual import Ritual
from support.attacks import entry_of, found, late, reads_as_before, refused
from support.story import REVIEW, STORY
from support.victim import MODEL, OTHER, REF, VERSION, Victim

_PATHS = {  # the shares on a reader's way to the model, as vault and reader
    "alice": [("/", "alice"), ("vision/", "/"), (MODEL, "vision/")],
    "bob": [("ml", "bob"), ("vision/", "ml"), (MODEL, "vision/")],
    "carol": [(MODEL, "carol")],
}
_SHARES = sorted({link for links in _PATHS.values() for link in links})


def _refused_for(victim: Victim, who: str, step: int) -> None:
    with victim.open(who) as context, pytest.raises(Untrusted) as caught:
        release(context, REF, "verify", Ritual())
    assert (caught.value.code, caught.value.exit_code) == ("bad-encryption", 5)
    assert (caught.value.step or "").startswith(f"{step} ")


def _replace(victim: Victim, digest: str, ciphertext: bytes, **values: Any) -> None:
    where = tables.sealed.c.sha256 == digest
    victim.execute(sa.update(tables.sealed).where(where).values(ciphertext=ciphertext, **values))


def _ciphertext(victim: Victim, digest: str) -> bytes:
    return bytes(victim.row(tables.sealed, sha256=digest)["ciphertext"])


@pytest.mark.parametrize("how", ["changed", "deleted"])
@pytest.mark.parametrize("share", _SHARES, ids="-".join)
def test_a_share_changed_or_deleted_is_refused_to_whom_it_leads(
    victim: Victim, share: tuple[str, str], how: str
) -> None:
    digest = victim.sealed(*share)
    if how == "changed":
        data = _ciphertext(victim, digest)
        _replace(victim, digest, bytes([data[0] ^ 1]) + data[1:])
    else:
        victim.execute(sa.delete(tables.sealed).where(tables.sealed.c.sha256 == digest))
    for who, links in _PATHS.items():
        if share in links:
            _refused_for(victim, who, 8)
        else:
            with victim.open(who) as context:
                release(context, REF, "verify", Ritual())
    assert found(victim, digest, blobs=True) == {"key-changed" if how == "changed" else "key-missing"}


def _older(victim: Victim, vault: str, reader: str) -> bytes:
    (row,) = [
        row
        for row in victim.older["shares"]
        if (row["vault"], row["recipient"], row["epoch"]) == (vault, reader, 1)
    ]
    (kept,) = [one for one in victim.older["sealed"] if one["sha256"] == row["sealed"]]
    return bytes(kept["ciphertext"])


SWAPS = {
    "another-members": lambda victim: _ciphertext(victim, victim.sealed("ml", "bob")),
    "an-older-epochs": lambda victim: _older(victim, MODEL, "vision/"),
    "another-vaults": lambda victim: _ciphertext(victim, victim.sealed(OTHER, "vision/")),
    "a-blobs": lambda victim: _ciphertext(victim, victim.rows["blobs"][0]["sealed"]),
}


@pytest.mark.parametrize("swap", SWAPS)
def test_a_share_swapped_for_another_genuine_one_is_refused(victim: Victim, swap: str) -> None:
    digest = victim.sealed(MODEL, "vision/")
    _replace(victim, digest, SWAPS[swap](victim))
    refused(victim, 8, "bad-encryption")
    _refused_for(victim, "bob", 8)
    assert found(victim, digest, blobs=True) == {"key-changed"}


def test_two_shares_exchanged_are_refused(victim: Victim) -> None:
    first, second = victim.sealed(MODEL, "vision/"), victim.sealed(OTHER, "vision/")
    data = [_ciphertext(victim, digest) for digest in (first, second)]
    _replace(victim, first, data[1])
    _replace(victim, second, data[0])
    refused(victim, 8, "bad-encryption")


def test_a_share_row_led_to_another_share_changes_nothing(victim: Victim) -> None:
    """The row is for people: which sealed key leads on is what the act says."""
    where = sa.and_(tables.shares.c.vault == MODEL, tables.shares.c.recipient == "carol")
    victim.execute(sa.update(tables.shares).where(where).values(sealed=victim.sealed("ml", "bob")))
    reads_as_before(victim)
    assert "row-differs" in found(victim, "shares.sealed")


# --- a share that lasts for a day -----------------------------------------------------------------


def _uncovered(victim: Victim, release_key: Any) -> bytes:
    """What is left of carol's share under the release key's layer."""
    with victim.open("carol") as context:
        registry_id, keyid = context.config.registry_id, context.keyid
    share = _ciphertext(victim, victim.sealed(MODEL, "carol"))
    return vaults.uncover(registry_id, MODEL, 2, keyid, share, release_key)


def test_a_limited_share_opens_with_the_release_key_alone(victim: Victim) -> None:
    """Whoever writes the database has none: not the key of another ledger, not the reader's own."""
    with victim.open() as context:
        door = context.authority.key.release()
    assert _uncovered(victim, door)
    with victim.open("carol") as context:
        others = (LedgerKey.generate().release(), context.identity.sealing)
    for key in others:
        with pytest.raises(BadEncryption):
            _uncovered(victim, key)


@pytest.mark.parametrize("when", ["while-it-lasts", "after-its-end"])
def test_a_limited_share_uncovered_in_the_table_helps_nobody(victim: Victim, when: str) -> None:
    """As if the writer had got the release key for once: an uncovered share is not what the act names."""
    digest = victim.sealed(MODEL, "carol")
    with victim.open() as context:
        _replace(victim, digest, _uncovered(victim, context.authority.key.release()))
    where = sa.and_(tables.shares.c.vault == MODEL, tables.shares.c.recipient == "carol")
    victim.execute(sa.update(tables.shares).where(where).values(limited=False))
    if when == "after-its-end":
        late(victim, "carol", may=False)
        late(victim, "bob", may=True)
    else:
        _refused_for(victim, "carol", 8)
    assert found(victim, digest, blobs=True) == {"key-changed"}


def test_a_grant_ends_by_itself(victim: Victim) -> None:
    """The control: nobody touched anything, and a day went by."""
    late(victim, "carol", may=False)
    late(victim, "bob", may=True)


# --- blob rows ------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("id",), ("id", "sha256"), ("id", "sha256", "sealed", "epoch", "seq")])
@pytest.mark.parametrize("source", [(MODEL, 1), (OTHER, 1)], ids=["older", "another-models"])
def test_a_blob_row_pointed_to_another_blob_is_refused(
    victim: Victim, source: tuple[str, int], names: tuple[str, ...]
) -> None:
    model, number = source
    row = victim.row(tables.blobs, id=victim.blob("weights.data", number, model))
    where = tables.blobs.c.id == victim.blob("weights.data")
    aside = sa.update(tables.blobs).where(tables.blobs.c.id == row["id"]).values(id="aside")
    values = {name: row[name] for name in names}
    victim.execute(aside, sa.update(tables.blobs).where(where).values(values))
    refused(victim, 5, "bad-reference")
    assert "row-differs" in found(victim, "blobs.")


# --- further attestations -------------------------------------------------------------------------

_ATTEST = STORY.index("attest")
_REVIEW = tables.attestations.c.type == REVIEW


def _serve(victim: Victim) -> None:
    with victim.open("bob") as context:
        release(context, REF, "serving", Ritual())


def _policy_denies(victim: Victim) -> None:
    with victim.open("bob") as context, pytest.raises(PolicyDenied) as caught:
        release(context, REF, "serving", Ritual())
    assert caught.value.exit_code == 4


def test_a_reviewed_version_is_served(victim: Victim) -> None:
    """The control: the policy asks for a review, and this version has one."""
    _serve(victim)


@pytest.mark.parametrize("how", ["another-statement", "another-type", "another-signer"])
def test_an_attestation_exchanged_is_refused(victim: Victim, how: str) -> None:
    other = victim.row(
        tables.attestations, model=MODEL, number=VERSION, position=0, seq=entry_of(victim, "push", 2)
    )
    values = {
        "another-statement": {"envelope": other["envelope"]},
        "another-type": {"type": "https://example.org/audit/v1"},
        "another-signer": {"signer": "0" * 64},
    }[how]
    victim.execute(sa.update(tables.attestations).where(_REVIEW).values(values))
    refused(victim, 5, "bad-reference")
    assert "row-differs" in found(victim, "attestations.")


def test_an_attestation_signed_by_somebody_else_in_its_act_is_refused(victim: Victim) -> None:
    envelope = dsse.Envelope.from_bytes(victim.rows["acts"][_ATTEST]["envelope"])
    said = acts.decode(envelope.payload)
    with victim.open("carol") as context:
        forged = dsse.sign(acts.encode(said.header, said.body), context.identity.signing).to_bytes()
    victim.execute(sa.update(tables.acts).where(tables.acts.c.seq == _ATTEST).values(envelope=forged))
    refused(victim, 3, "bad-proof")


def test_an_attestation_whose_row_is_gone_allows_nothing(victim: Victim) -> None:
    """The reader still finds the act; the door looks for the row."""
    victim.execute(sa.delete(tables.attestations).where(_REVIEW))
    _policy_denies(victim)
    victim.passes()  # nothing asks for it
    assert found(victim, "attestations ") == {"row-missing"}


def test_a_withheld_attestation_denies_what_asks_for_it(victim: Victim) -> None:
    """Row and index both: what the threat model grants. Less is known, so less is allowed."""
    victim.execute(
        sa.delete(tables.attestations).where(_REVIEW),
        sa.update(tables.acts).where(tables.acts.c.seq == _ATTEST).values(kind="pull"),
    )
    _policy_denies(victim)
    victim.passes()
    assert found(victim, f"entry {_ATTEST}, acts.kind") == {"index-differs"}


def test_an_attestation_of_another_version_does_not_count(victim: Victim) -> None:
    """Bob's review of version 2, as a row of version 1: the policy asks for that version's own."""
    row = {**victim.row(tables.attestations, type=REVIEW), "number": 1}
    victim.execute(sa.insert(tables.attestations).values(row))
    with victim.open("bob") as context, pytest.raises(Untrusted) as caught:
        release(context, f"{MODEL}:1", "serving", Ritual())
    assert caught.value.code == "bad-reference"
