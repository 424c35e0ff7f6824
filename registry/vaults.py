"""The secrets around vaults: blob keys sealed to a vault, a vault's private half sealed to its readers.

What is sealed lies beside the ledger: the acts carry its SHA-256 (``acts.Sealed``), a ``Sealer`` collects
the bytes. HPKE's ``info`` binds each to its place, so that none can be moved to another.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from registry import acts
from registry.crypto import sealing
from registry.crypto.identity import PublicIdentity
from registry.crypto.sealing import SealingPrivateKey, SealingPublicKey
from registry.errors import BadEncryption

_VAULT = "vault"  # the recipient in a blob key's info: whoever holds the vault of that model and epoch


@dataclass(frozen=True)
class Reader:
    """To whom a share is sealed. ``ident`` is a member's key id, or a vault's name and epoch."""

    name: str
    ident: str
    public: SealingPublicKey

    @classmethod
    def member(cls, identity: PublicIdentity) -> Reader:
        return cls(identity.name, identity.signing.keyid, identity.sealing)

    @classmethod
    def vault(cls, name: str, epoch: int, public: SealingPublicKey) -> Reader:
        return cls(name, vault_ident(name, epoch), public)


@dataclass(frozen=True)
class PublicVault:
    """The public side of a vault's epoch: what blob keys are sealed to."""

    name: str
    epoch: int
    public: SealingPublicKey


class Sealer:
    """Seals, and keeps the ciphertexts by their SHA-256: what travels beside the act."""

    def __init__(self, registry_id: str, release: SealingPublicKey) -> None:
        self._registry_id = registry_id
        self._release = release
        self.sealed: dict[str, bytes] = {}

    def share(self, vault: PublicVault, key: SealingPrivateKey, to: Reader, *, limited: bool) -> acts.Share:
        """The private half of ``vault`` for one reader; ``limited``: under the release key, too."""
        info = _share_info(self._registry_id, "vault-share", vault.name, vault.epoch, to.ident)
        inner = sealing.seal(key.to_secret(), to.public, info)
        data = inner.ciphertext
        if limited:
            outer = _share_info(self._registry_id, "release", vault.name, vault.epoch, to.ident)
            data = sealing.seal(data, self._release, outer).ciphertext
        return acts.Share(to.name, self._keep(inner.suite, data), limited)

    def blob_key(self, vault: PublicVault, blob: str, key: bytes) -> acts.Sealed:
        """A blob's key for whoever holds the vault."""
        info = _blob_info(self._registry_id, vault.name, vault.epoch, blob)
        sealed = sealing.seal(key, vault.public, info)
        return self._keep(sealed.suite, sealed.ciphertext)

    def _keep(self, suite: str, ciphertext: bytes) -> acts.Sealed:
        digest = hashlib.sha256(ciphertext).hexdigest()
        self.sealed[digest] = ciphertext
        return acts.Sealed(suite=suite, sha256=digest)


def vault_ident(name: str, epoch: int) -> str:
    """How a vault is named as the reader of another."""
    return f"{name}#{epoch}"


def open_share(
    registry_id: str, vault: PublicVault, share: bytes, suite: str, key: SealingPrivateKey, ident: str
) -> SealingPrivateKey:
    """The vault's private half, by the private key of the reader ``ident``. Raises BadEncryption, Malformed.

    Whoever sealed the share may have sealed anything: it has to fit the public half that the law names.
    """
    info = _share_info(registry_id, "vault-share", vault.name, vault.epoch, ident)
    secret = sealing.open_sealed(sealing.Sealed(suite, share), key, info)
    opened = SealingPrivateKey.from_secret(vault.public.suite, secret)
    if not hmac.compare_digest(opened.public.raw, vault.public.raw):
        raise BadEncryption("the share is not of this vault's key", on=vault_ident(vault.name, vault.epoch))
    return opened


def uncover(
    registry_id: str, vault: str, epoch: int, ident: str, share: bytes, release: SealingPrivateKey
) -> bytes:
    """A limited share without its outer layer. Raises BadEncryption."""
    info = _share_info(registry_id, "release", vault, epoch, ident)
    return sealing.open_sealed(sealing.Sealed(release.suite, share), release, info)


def open_blob_key(
    registry_id: str, model: str, blob: acts.Blob, sealed: bytes, vault: SealingPrivateKey
) -> bytes:
    """The blob's key. Raises BadEncryption."""
    if not hmac.compare_digest(hashlib.sha256(sealed).hexdigest(), blob.key.sha256):
        raise BadEncryption("the sealed key is not the one that the act names", on=blob.id)
    info = _blob_info(registry_id, model, blob.epoch, blob.id)
    return sealing.open_sealed(sealing.Sealed(blob.key.suite, sealed), vault, info)


def _share_info(registry_id: str, purpose: str, vault: str, epoch: int, ident: str) -> bytes:
    # The root's first epoch is part of the genesis act, whose digest is the registry id: it names none.
    registry_id = "" if (vault, epoch) == ("/", 1) else registry_id
    return sealing.info_for(
        registry_id=registry_id, purpose=purpose, model=vault, epoch=epoch, recipient=ident
    )


def _blob_info(registry_id: str, model: str, epoch: int, blob: str) -> bytes:
    # The blob's id is bound too: a key sealed for one blob cannot be passed off as another's.
    return sealing.info_for(
        registry_id=registry_id, purpose="blob-key", model=model, epoch=epoch, recipient=f"{_VAULT}:{blob}"
    )
