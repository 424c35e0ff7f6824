"""Shares and blob keys: each opens for its reader, in its place, and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from registry import acts, vaults
from registry.crypto.checkpoint import LedgerKey
from registry.crypto.identity import Identity
from registry.crypto.sealing import CLASSIC, HYBRID, SUITES, SealingPrivateKey
from registry.errors import BadEncryption, Malformed
from registry.vaults import PublicVault, Reader, Sealer

REGISTRY, OTHER_REGISTRY = "ab" * 32, "cd" * 32
DOOR, OTHER_DOOR = LedgerKey.generate(), LedgerKey.generate()
ALICE, BOB = Identity.generate("alice"), Identity.generate("bob")
KEY, OTHER_KEY = SealingPrivateKey.generate(), SealingPrivateKey.generate()
VAULT = PublicVault("vision/net", 3, KEY.public)
ABOVE_KEY = SealingPrivateKey.generate()
ABOVE = PublicVault("vision/", 2, ABOVE_KEY.public)
TO_ALICE = Reader.member(ALICE.public)
TO_ABOVE = Reader.vault(ABOVE.name, ABOVE.epoch, ABOVE.public)


def sealed(to: Reader, *, limited: bool = False, vault: PublicVault = VAULT) -> tuple[acts.Share, bytes]:
    """A share of the vault, and its bytes."""
    sealer = Sealer(REGISTRY, DOOR.release().public)
    share = sealer.share(vault, KEY, to, limited=limited)
    (data,) = sealer.sealed.values()
    return share, data


def opened(data: bytes, **changes: Any) -> SealingPrivateKey:
    """The share for alice, opened in its place, or with one thing changed."""
    values = {
        "registry_id": REGISTRY,
        "vault": VAULT,
        "share": data,
        "suite": HYBRID,
        "key": ALICE.sealing,
        "ident": ALICE.signing.keyid,
    }
    return vaults.open_share(**{**values, **changes})


# --- shares -----------------------------------------------------------------------------------


def test_a_share_opens_for_its_reader() -> None:
    share, data = sealed(TO_ALICE)
    assert opened(data).to_secret() == KEY.to_secret()
    assert share.sealed == acts.Sealed(HYBRID, hashlib.sha256(data).hexdigest())
    assert (share.recipient, share.limited) == ("alice", False)


def test_a_share_opens_for_the_vault_above() -> None:
    _, data = sealed(TO_ABOVE)
    assert opened(data, key=ABOVE_KEY, ident="vision/#2").public == KEY.public


MOVED: dict[str, dict[str, Any]] = {
    "another registry": {"registry_id": OTHER_REGISTRY},
    "no registry": {"registry_id": ""},
    "another vault": {"vault": PublicVault("vision/other", 3, KEY.public)},
    "the namespace": {"vault": PublicVault("vision/", 3, KEY.public)},
    "an earlier epoch": {"vault": PublicVault("vision/net", 2, KEY.public)},
    "a later epoch": {"vault": PublicVault("vision/net", 4, KEY.public)},
    "another reader's key": {"key": BOB.sealing},
    "another reader's name": {"ident": BOB.signing.keyid},
    "a member's name for a key id": {"ident": "alice"},
    "a vault's place for a member's": {"ident": "vision/#2"},
    "another suite": {"suite": CLASSIC},
}


@pytest.mark.parametrize("where", MOVED)
def test_a_share_opens_in_no_other_place(where: str) -> None:
    _, data = sealed(TO_ALICE)
    with pytest.raises(BadEncryption):
        opened(data, **MOVED[where])


@pytest.mark.parametrize("ident", ["vision/#1", "vision/#3", "vision#2", "vision/", "/#2"])
def test_a_vaults_share_is_for_one_epoch_of_the_vault_above(ident: str) -> None:
    _, data = sealed(TO_ABOVE)
    with pytest.raises(BadEncryption):
        opened(data, key=ABOVE_KEY, ident=ident)


def test_a_share_of_another_key_than_the_laws_public_half_is_refused() -> None:
    """Who sealed it had the right place and the right reader, and gave another key than the act shows."""
    sealer = Sealer(REGISTRY, DOOR.release().public)
    sealer.share(VAULT, OTHER_KEY, TO_ALICE, limited=False)
    (data,) = sealer.sealed.values()
    with pytest.raises(BadEncryption, match="not of this vault's key"):
        opened(data)


def test_a_share_that_holds_no_key_is_refused() -> None:
    from registry.crypto import sealing

    info = sealing.info_for(
        registry_id=REGISTRY,
        purpose="vault-share",
        model=VAULT.name,
        epoch=VAULT.epoch,
        recipient=ALICE.signing.keyid,
    )
    data = sealing.seal(b"no key at all", ALICE.sealing.public, info).ciphertext
    with pytest.raises(Malformed):
        opened(data)


@pytest.mark.parametrize("at", [0, 40, -1])
def test_a_changed_share_is_refused(at: int) -> None:
    data = bytearray(sealed(TO_ALICE)[1])
    data[at] ^= 1
    with pytest.raises(BadEncryption):
        opened(bytes(data))


@pytest.mark.parametrize("data", [b"", b"short", bytes(2000)])
def test_what_is_no_share_is_refused(data: bytes) -> None:
    with pytest.raises(BadEncryption):
        opened(data)


def test_two_shares_of_one_vault_tell_nothing_of_each_other() -> None:
    assert sealed(TO_ALICE)[1] != sealed(TO_ALICE)[1]


# --- limited shares ---------------------------------------------------------------------------


def uncovered(data: bytes, door: LedgerKey = DOOR, **changes: Any) -> bytes:
    place = {"registry_id": REGISTRY, "vault": VAULT.name, "epoch": VAULT.epoch, "ident": ALICE.signing.keyid}
    return vaults.uncover(**{**place, **changes}, share=data, release=door.release())


def test_a_limited_share_opens_once_the_door_has_uncovered_it() -> None:
    share, data = sealed(TO_ALICE, limited=True)
    assert share.limited
    assert opened(uncovered(data)).public == KEY.public


def test_a_limited_share_does_not_open_by_its_readers_key_alone() -> None:
    _, data = sealed(TO_ALICE, limited=True)
    with pytest.raises(BadEncryption):
        opened(data)


def test_the_door_alone_does_not_open_a_limited_share() -> None:
    """It takes off its own layer; what is below is for the reader."""
    _, data = sealed(TO_ALICE, limited=True)
    with pytest.raises(BadEncryption):
        opened(uncovered(data), key=DOOR.release())
    with pytest.raises(BadEncryption):
        opened(data, key=DOOR.release())


def test_another_doors_release_key_uncovers_nothing() -> None:
    _, data = sealed(TO_ALICE, limited=True)
    with pytest.raises(BadEncryption):
        uncovered(data, OTHER_DOOR)


@pytest.mark.parametrize(
    "changes",
    [
        {"registry_id": OTHER_REGISTRY},
        {"vault": "vision/other"},
        {"epoch": 4},
        {"ident": BOB.signing.keyid},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_limited_share_is_uncovered_in_its_place_alone(changes: dict[str, Any]) -> None:
    """Else whoever has a running grant on one model could have the door uncover the share of another."""
    _, data = sealed(TO_ALICE, limited=True)
    with pytest.raises(BadEncryption):
        uncovered(data, **changes)


def test_an_unlimited_share_has_no_outer_layer() -> None:
    _, data = sealed(TO_ALICE)
    with pytest.raises(BadEncryption):
        uncovered(data)


# --- the root's first epoch -------------------------------------------------------------------


def test_the_roots_first_share_names_no_registry_and_every_other_does() -> None:
    """The genesis act's digest is the registry's id, so a share within it cannot name it."""
    for epoch, opens in ((1, True), (2, False)):
        vault = PublicVault("/", epoch, KEY.public)
        sealer = Sealer("", DOOR.release().public)
        sealer.share(vault, KEY, TO_ALICE, limited=False)
        (data,) = sealer.sealed.values()
        if opens:
            assert opened(data, vault=vault).public == KEY.public
        else:
            with pytest.raises(BadEncryption):
                opened(data, vault=vault)


# --- blob keys --------------------------------------------------------------------------------

BLOB_KEY = bytes(range(32))


def blob(name: str = "blob-1") -> tuple[acts.Blob, bytes]:
    sealer = Sealer(REGISTRY, DOOR.release().public)
    key = sealer.blob_key(VAULT, name, BLOB_KEY)
    (data,) = sealer.sealed.values()
    made = acts.Blob(name, acts.BLOB_FORMAT, 9, "ab" * 32, "cd" * 32, VAULT.epoch, key)
    return made, data


def test_a_blobs_key_opens_with_the_vaults() -> None:
    made, data = blob()
    assert vaults.open_blob_key(REGISTRY, VAULT.name, made, data, KEY) == BLOB_KEY


def _of(change: Callable[[acts.Blob], acts.Blob]) -> Callable[[acts.Blob, bytes], Any]:
    return lambda made, data: vaults.open_blob_key(REGISTRY, VAULT.name, change(made), data, KEY)


BLOB_MOVES: dict[str, Callable[[acts.Blob, bytes], Any]] = {
    "another registry": lambda made, data: vaults.open_blob_key(OTHER_REGISTRY, VAULT.name, made, data, KEY),
    "another model": lambda made, data: vaults.open_blob_key(REGISTRY, "vision/other", made, data, KEY),
    "another vault's key": lambda made, data: vaults.open_blob_key(
        REGISTRY, VAULT.name, made, data, OTHER_KEY
    ),
    "another epoch": _of(lambda made: replace(made, epoch=4)),
    "another blob": _of(lambda made: replace(made, id="blob-2")),
    "another suite": _of(lambda made: replace(made, key=replace(made.key, suite=CLASSIC))),
    "another digest": _of(lambda made: replace(made, key=replace(made.key, sha256="0" * 64))),
    "other bytes": lambda made, data: vaults.open_blob_key(
        REGISTRY, VAULT.name, made, data[:-1] + bytes([data[-1] ^ 1]), KEY
    ),
}


@pytest.mark.parametrize("where", BLOB_MOVES)
def test_a_blobs_key_opens_in_no_other_place(where: str) -> None:
    made, data = blob()
    with pytest.raises(BadEncryption):
        BLOB_MOVES[where](made, data)


def test_a_share_is_no_blob_key_and_a_blob_key_no_share() -> None:
    """Two purposes: what is sealed for the one is not taken for the other."""
    to_vault = Reader("vision/net", "vault:blob-1", KEY.public)
    share, data = sealed(to_vault)
    made = replace(blob()[0], key=share.sealed)
    with pytest.raises(BadEncryption):
        vaults.open_blob_key(REGISTRY, VAULT.name, made, data, KEY)


# --- the release key --------------------------------------------------------------------------


def test_the_release_key_follows_from_the_ledgers_key() -> None:
    again = LedgerKey.from_pem(DOOR.to_pem(b"passphrase"), b"passphrase")
    first, second = DOOR.release(), again.release()
    assert first.to_secret() == second.to_secret()
    assert first.public == second.public
    assert first.suite == HYBRID


def test_another_ledger_key_has_another_release_key() -> None:
    mine, theirs = DOOR.release(), OTHER_DOOR.release()
    assert mine.public.raw[:1184] != theirs.public.raw[:1184]  # ML-KEM's part
    assert mine.public.raw[1184:] != theirs.public.raw[1184:]  # X25519's


def test_the_release_key_is_hkdf_of_the_seed() -> None:
    """RFC 5869 written out with hmac: extract with a salt of zeros, expand to 96 bytes."""
    import hmac

    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    loaded = load_pem_private_key(DOOR.to_pem(), None)
    seed = loaded.private_bytes_raw()  # type: ignore[union-attr]
    pseudo = hmac.digest(bytes(32), seed, "sha256")
    stream, block = b"", b""
    for count in range(1, 4):
        block = hmac.digest(pseudo, block + b"hallmark-registry release key v1" + bytes([count]), "sha256")
        stream += block
    assert DOOR.release().to_secret() == stream
    assert seed not in stream


@pytest.mark.parametrize("suite", SUITES)
def test_vaults_of_either_suite_can_be_shared(suite: str) -> None:
    key = SealingPrivateKey.generate(suite)
    vault = PublicVault("vision/net", 1, key.public)
    sealer = Sealer(REGISTRY, DOOR.release().public)
    share = sealer.share(vault, key, TO_ALICE, limited=True)
    inner = uncovered(sealer.sealed[share.sealed.sha256], vault=vault.name, epoch=1)
    assert opened(inner, vault=vault).to_secret() == key.to_secret()
