"""Receipts and checkpoints, verified with hashlib and cryptography alone: nothing of ours is asked.

The tree is RFC 6962 section 2.1 as it stands there, recursive; RFC 9162 has the same one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from registry import acts, ledger, vaults
from registry.authority import Receipt
from registry.errors import BadEncryption, BadRelease
from registry.keyring import open_links
from registry.records.database import reading
from support.custodian import public_of
from support.publisher import MODEL, Publisher


class WrongLength(Exception):
    """The path has more or fewer nodes than the place in the tree needs."""


def tree_hash(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    cut = 1
    while cut * 2 < len(leaves):
        cut *= 2
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:cut]) + tree_hash(leaves[cut:])).digest()


def root_by_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2)."""
    node, first, last = hashlib.sha256(b"\x00" + leaf).digest(), index, size - 1
    for sibling in path:
        if not last:
            raise WrongLength
        if first & 1 or first == last:
            node = hashlib.sha256(b"\x01" + sibling + node).digest()
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\x01" + node + sibling).digest()
        first, last = first >> 1, last >> 1
    if last:
        raise WrongLength
    return node


def read_note(alice: Publisher, note: str) -> tuple[str, int, bytes]:
    """Origin, size and root of a C2SP signed note, its one Ed25519 signature verified."""
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    name, encoded = signatures.removeprefix("\u2014 ").strip().split(" ")
    signature = base64.b64decode(encoded)
    public = alice.key.public.raw
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    assert signature[:4] == key_id
    Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], text.encode())
    origin, size, root = text.splitlines()[:3]
    assert origin == name
    return origin, int(size), base64.b64decode(root)


def check_receipt(alice: Publisher, receipt: Receipt) -> None:
    """All that a receipt claims, from raw bytes."""
    origin, size, root = read_note(alice, receipt.note)
    genesis = hashlib.sha256(alice.genesis.payload).hexdigest()
    assert origin == f"hallmark-registry/{genesis}"
    entry = receipt.proof.entry
    assert root_by_path(entry.envelope, entry.seq, size, list(receipt.proof.path)) == root


def check_envelope(envelope: bytes, public_key: bytes) -> dict[str, object]:
    """The statement in a DSSE envelope, its ECDSA signature verified."""
    parsed = json.loads(envelope)
    payload = base64.b64decode(parsed["payload"])
    kind = parsed["payloadType"].encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    (signature,) = parsed["signatures"]
    assert signature["keyid"] == hashlib.sha256(public_key).hexdigest()
    key = serialization.load_der_public_key(public_key)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(base64.b64decode(signature["sig"]), signed, ec.ECDSA(hashes.SHA256()))
    statement: dict[str, object] = json.loads(payload)
    return statement


def test_a_receipt_stands_by_itself(alice: Publisher) -> None:
    pull, alias = alice.about(acts.Pull, 1, purpose="run"), alice.about(acts.Alias, 1, name="x")
    for body in (alice.push(), alias, pull):
        receipt = alice.admit(body)
        check_receipt(alice, receipt)
        statement = check_envelope(receipt.proof.entry.envelope, alice.identity.signing.verifying.spki)
        assert statement["predicateType"] == f"https://hallmark-registry/{body.kind}/v1"


@pytest.mark.parametrize("flaw", ["entry", "path", "order", "place"])
def test_a_receipt_with_a_flaw_does_not(alice: Publisher, flaw: str) -> None:
    """The independent check can fail, so its success above says something."""
    receipt = alice.admit(alice.push())
    _, size, root = read_note(alice, receipt.note)
    entry, path = receipt.proof.entry, list(receipt.proof.path)
    leaf, index = entry.envelope, entry.seq
    if flaw == "entry":
        leaf += b" "
    elif flaw == "path":
        path[0] = bytes(32)
    elif flaw == "order":
        path.reverse()
    else:
        index -= 1
    with suppress(WrongLength):
        assert root_by_path(leaf, index, size, path) != root


def test_the_checkpoint_is_the_tree_of_all_envelopes(alice: Publisher) -> None:
    """At every size of the ledger, not only at powers of two."""
    for _ in range(12):
        receipt = alice.admit(alice.about(acts.Pull, 1, purpose="run"))
        leaves = alice.envelopes()
        _, size, root = read_note(alice, receipt.note)
        assert size == len(leaves)
        assert root == tree_hash(leaves)


def test_every_entry_can_be_proven_later(alice: Publisher) -> None:
    leaves = alice.envelopes()
    with reading(alice.authority.engine) as connection:
        for seq, leaf in enumerate(leaves):
            proof = ledger.prove(connection, seq, len(leaves))
            assert proof.entry.envelope == leaf
            assert root_by_path(leaf, seq, len(leaves), list(proof.path)) == tree_hash(leaves)


def test_the_ledger_holds_the_exact_bytes_that_were_signed(alice: Publisher) -> None:
    envelope = alice.sign(alice.push())
    alice.submit(envelope)
    assert alice.envelopes()[-1] == envelope.to_bytes()


def test_a_receipt_extends_the_checkpoint_that_the_client_knew(alice: Publisher) -> None:
    """The consistency proof, by the definition: both trees from the same leaves, and the proof's nodes."""
    from registry.crypto import merkle

    leaves = alice.envelopes()
    for known in range(1, len(leaves) + 1):
        receipt = alice.submit(alice.sign(alice.about(acts.Pull, 1, purpose="run")), known=known)
        leaves = alice.envelopes()
        old, new = tree_hash(leaves[:known]), tree_hash(leaves)
        merkle.verify_consistency(known, old, len(leaves), new, list(receipt.consistency))


WAYS = {
    "alice": [("alice", "/"), ("/", "vision/"), ("vision/", MODEL)],
    "bob": [("bob", MODEL)],
}


@pytest.mark.parametrize("name", WAYS)
def test_a_pull_brings_the_way_from_ones_own_key_to_the_model(alice: Publisher, name: str) -> None:
    """Link by link, each opened by the key of the one before it; and at its end the blobs' keys."""
    me = alice.members[name]
    receipt = alice.admit(alice.about(acts.Pull, 1, purpose="run"), by=me)
    assert [(link.reader, link.vault) for link in receipt.shares] == WAYS[name]
    key = open_links(me, alice.law(), receipt.shares, MODEL)
    for blob in alice.blobs_of(MODEL):
        sealed = alice.custodian.sealed[blob.key.sha256]
        opened = vaults.open_blob_key(alice.authority.registry_id, MODEL, blob, sealed, key)
        assert opened == alice.custodian.blob_keys[blob.content]


def test_the_way_leads_through_a_team(alice: Publisher) -> None:
    carol = alice.members["carol"]
    pull = alice.about(acts.Pull, 1, "audio/vad", purpose="run")
    links = alice.admit(pull, by=carol).shares
    shown = [(link.reader, link.vault) for link in links]
    assert shown == [("carol", "ml"), ("ml", "audio/"), ("audio/", "audio/vad")]
    open_links(carol, alice.law(), links, "audio/vad")


@pytest.mark.parametrize("flaw", ["left out", "turned round", "another's", "swapped", "changed"])
def test_a_way_with_a_flaw_leads_nowhere(alice: Publisher, flaw: str) -> None:
    links = list(alice.admit(alice.about(acts.Pull, 1, purpose="run")).shares)
    if flaw == "left out":
        del links[1]
    elif flaw == "turned round":
        links.reverse()
    elif flaw == "another's":
        links = list(alice.admit(alice.about(acts.Pull, 1, purpose="run"), by=alice.members["bob"]).shares)
    elif flaw == "swapped":
        links[1], links[2] = (
            replace(links[1], share=links[2].share),
            replace(links[2], share=links[1].share),
        )
    else:
        links[2] = replace(links[2], share=bytes(len(links[2].share)))
    with pytest.raises((BadRelease, BadEncryption)):
        open_links(alice.identity, alice.law(), links, MODEL)


def test_only_a_pull_brings_shares(alice: Publisher) -> None:
    for body in (alice.about(acts.Alias, 1, name="x"), alice.push()):
        assert alice.admit(body).shares == ()
    assert alice.rotate(MODEL).shares == ()


def test_a_limited_share_comes_without_its_outer_layer(alice: Publisher) -> None:
    """What lies in the database opens with no key of the member's; what the door hands out does."""
    dora = alice.members["dora"]
    alice.grant("dora", ("pull",), MODEL, alice.now + timedelta(hours=1))
    law = alice.law()
    share = law.state.vaults[MODEL].shares["dora"]
    assert share.limited
    (link,) = alice.admit(alice.about(acts.Pull, 1, purpose="run"), by=dora).shares
    place = (alice.authority.registry_id, public_of(law, MODEL))
    known = (dora.sealing.suite, dora.sealing, dora.signing.keyid)
    opened = vaults.open_share(*place, link.share, *known)
    assert opened.public == public_of(law, MODEL).public
    with pytest.raises(BadEncryption):
        vaults.open_share(*place, alice.custodian.sealed[share.sealed.sha256], *known)


def test_the_door_uncovers_nothing_after_the_grants_end(alice: Publisher) -> None:
    from registry.authority import shares
    from registry.errors import NotPermitted

    alice.grant("dora", ("pull",), MODEL, alice.now + timedelta(hours=1))
    alice.grant("bob", ("grant",), "audio/vad", alice.now + timedelta(hours=1))
    dora, bob = (alice.members[name].signing.keyid for name in ("dora", "bob"))
    assert len(shares(alice.authority, dora, MODEL, alice.now)) == 1
    assert len(shares(alice.authority, bob, "audio/vad", alice.now)) == 1
    alice.now += timedelta(hours=1)
    for keyid, vault in ((dora, MODEL), (bob, "audio/vad")):
        with pytest.raises((NotPermitted, BadRelease)):
            shares(alice.authority, keyid, vault, alice.now)


def test_the_way_to_a_vault_is_for_who_may_grant_there(alice: Publisher) -> None:
    """carol pulls from audio/ as one of ml; the team's key and what it opens is not hers to hand on."""
    from registry.authority import shares
    from registry.errors import Denied, RegistryError

    known = alice.authority
    carol, dora = (alice.members[name].signing.keyid for name in ("carol", "dora"))
    assert len(shares(known, alice.keyid, "audio/vad", alice.now)) == 3
    assert [link.vault for link in shares(known, carol, "ml", alice.now)] == ["ml"]
    with pytest.raises(Denied):
        shares(known, carol, "audio/vad", alice.now)
    for vault in ("/", "vision/", MODEL, "ml"):
        with pytest.raises(RegistryError):
            shares(known, dora, vault, alice.now)
    with pytest.raises(RegistryError):
        shares(known, "0" * 64, MODEL, alice.now)


def test_a_push_ends_its_own_lease_only_when_it_is_admitted(alice: Publisher) -> None:
    from registry import authority
    from registry.errors import VersionTaken
    from registry.records import leases

    def active() -> frozenset[str]:
        with reading(alice.authority.engine) as connection:
            return leases.active(connection, alice.now)

    for push in ("mine", "other"):
        authority.permit(alice.authority, alice.keyid, MODEL, push, alice.now)
    with pytest.raises(VersionTaken):
        alice.submit(alice.sign(alice.push(number=9)), push="mine")
    assert active() == {"mine", "other"}
    alice.submit(alice.sign(alice.push()), push="mine")
    assert active() == {"other"}
