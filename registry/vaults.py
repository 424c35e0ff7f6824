"""A model's vault and the secrets sealed around it: blob keys to the vault, the vault to members."""

from __future__ import annotations

from collections.abc import Iterable

from registry import acts
from registry.crypto import sealing
from registry.crypto.identity import Identity, PublicIdentity
from registry.crypto.sealing import SealingPrivateKey, SealingPublicKey

FIRST_EPOCH = 1
_VAULT = "vault"  # the recipient in a blob key's info: whoever holds the vault of that model and epoch


def create(registry_id: str, model: str, recipients: Iterable[PublicIdentity]) -> acts.Vault:
    """A new model's vault: a fresh key pair, its private half sealed to each recipient, then forgotten."""
    key = SealingPrivateKey.generate()
    secret = key.to_secret()
    shares = []
    for member in recipients:
        info = _share_info(registry_id, model, FIRST_EPOCH, member.signing.keyid)
        shares.append(acts.Share(member.signing.keyid, _part(sealing.seal(secret, member.sealing, info))))
    return acts.Vault(FIRST_EPOCH, key.suite, key.public.to_bytes(), tuple(shares))


def open_share(
    registry_id: str, model: str, vault: tuple[int, str], share: acts.Sealed, identity: Identity
) -> SealingPrivateKey:
    """The vault's private half. ``vault`` is (epoch, suite). Raises BadEncryption or Malformed."""
    epoch, suite = vault
    info = _share_info(registry_id, model, epoch, identity.signing.verifying.keyid)
    secret = sealing.open_sealed(_sealed(share), identity.sealing, info)
    return SealingPrivateKey.from_secret(suite, secret)


def seal_blob_key(
    registry_id: str, model: str, vault: tuple[int, str, bytes], blob: str, key: bytes
) -> acts.Sealed:
    """A blob's key for whoever holds the vault. ``vault`` is (epoch, suite, public half)."""
    epoch, suite, public = vault
    to = SealingPublicKey.from_bytes(suite, public)
    return _part(sealing.seal(key, to, _blob_info(registry_id, model, epoch, blob)))


def open_blob_key(registry_id: str, model: str, blob: acts.Blob, vault: SealingPrivateKey) -> bytes:
    """The blob's key. Raises BadEncryption."""
    info = _blob_info(registry_id, model, blob.epoch, blob.id)
    return sealing.open_sealed(_sealed(blob.key), vault, info)


def _share_info(registry_id: str, model: str, epoch: int, keyid: str) -> bytes:
    return sealing.info_for(
        registry_id=registry_id, purpose="vault-share", model=model, epoch=epoch, recipient=keyid
    )


def _blob_info(registry_id: str, model: str, epoch: int, blob: str) -> bytes:
    # The blob's id is bound too: a key sealed for one blob cannot be passed off as another's.
    return sealing.info_for(
        registry_id=registry_id, purpose="blob-key", model=model, epoch=epoch, recipient=f"{_VAULT}:{blob}"
    )


def _part(sealed: sealing.Sealed) -> acts.Sealed:
    return acts.Sealed(suite=sealed.suite, ciphertext=sealed.ciphertext)


def _sealed(part: acts.Sealed) -> sealing.Sealed:
    return sealing.Sealed(part.suite, part.ciphertext)
