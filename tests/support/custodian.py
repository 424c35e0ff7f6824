"""The keys that acts of the law hand over, really sealed, for laws without a client around them.

A custodian makes what ``law.need`` derives and keeps every private half, so that the next act can be made
as well. What it makes is right; a forger then changes one thing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from copy import copy

from msgspec.structs import replace

from registry import acts
from registry.crypto import possession
from registry.crypto.checkpoint import LedgerKey
from registry.crypto.identity import Identity, PublicIdentity
from registry.crypto.sealing import DEFAULT, SealingPrivateKey, SealingPublicKey
from registry.law.custody import Need
from registry.law.law import Law
from registry.law.state import ROOT
from registry.vaults import PublicVault, Reader, Sealer

Blobs = Callable[[str], Iterable[acts.Blob]]  # the blobs of a model


class Custodian:
    """Holds the private half of every vault that it began, and the key of every blob."""

    def __init__(self, release: SealingPublicKey, suite: str = DEFAULT) -> None:
        self._release = release
        self._suite = suite
        self.private: dict[tuple[str, int], SealingPrivateKey] = {}  # by vault and epoch
        self.blob_keys: dict[str, bytes] = {}  # by content
        self.sealed: dict[str, bytes] = {}  # everything ever sealed, by SHA-256
        self._registry_id = ""

    def copy(self) -> Custodian:
        """One that knows as much."""
        other = copy(self)
        other.private, other.sealed = dict(self.private), dict(self.sealed)
        other.blob_keys = dict(self.blob_keys)
        return other

    def found(self, identity: Identity, key: LedgerKey) -> acts.Genesis:
        """A genesis body. Its share of the root names no registry: the act has no digest yet."""
        made = self._begin(ROOT, 1, [(Reader.member(identity.public), False)])
        return acts.Genesis(
            name=identity.name,
            admin=possession.prove(identity),
            ledger=key.public.raw,
            release=acts.Release(self._release.suite, self._release.to_bytes()),
            custody=acts.Custody(vaults=(made,)),
        )

    def serve(self, registry_id: str) -> None:
        """From now on seal for this registry."""
        self._registry_id = registry_id

    def custody(self, law: Law, body: acts.LawBody, need: Need, blobs: Blobs = lambda _: ()) -> acts.Custody:
        """Exactly what ``need`` asks for."""
        made: list[acts.Vault] = []
        for name, readers in need.begin.items():
            old = law.state.vaults.get(name)
            shared = [(self._reader(law, body, who, made), limited) for who, limited in readers.items()]
            made.append(self._begin(name, old.epoch + 1 if old else 1, shared))
        handed = tuple(self.handed(law, *one, body=body) for one in sorted(need.add))
        rotated = [vault for vault in made if vault.epoch > 1 and "/" in vault.name[:-1]]
        kept = [acts.Kept(one.name, self.rekeyed(one, blob)) for one in rotated for blob in blobs(one.name)]
        return acts.Custody(tuple(made), handed, tuple(kept))

    def handed(
        self, law: Law, vault: str, reader: str, limited: bool, body: acts.LawBody | None = None
    ) -> acts.Handed:
        """One more share of a vault's present epoch."""
        public = public_of(law, vault)
        key = self.private[vault, public.epoch]
        share = self._share(public, key, self._reader(law, body, reader, ()), limited)
        return acts.Handed(vault, public.epoch, share)

    def blob(self, vault: PublicVault, content: str, size: int, sha256: str) -> acts.Blob:
        """A blob of ``size`` bytes of ciphertext, its key sealed to the vault."""
        key = self.blob_keys.setdefault(content, secrets.token_bytes(32))
        name = f"push-{secrets.token_hex(8)}"
        with_key = self._sealer()
        sealed = with_key.blob_key(vault, name, key)
        self.sealed |= with_key.sealed
        return acts.Blob(
            id=name,
            format=acts.BLOB_FORMAT,
            size=size,
            sha256=sha256,
            content=content,
            epoch=vault.epoch,
            key=sealed,
        )

    def rekeyed(self, vault: acts.Vault, blob: acts.Blob) -> acts.Blob:
        """The blob, its key sealed to a new epoch."""
        public = SealingPublicKey.from_bytes(vault.suite, vault.public)
        sealer = self._sealer()
        key = sealer.blob_key(
            PublicVault(vault.name, vault.epoch, public), blob.id, self.blob_keys[blob.content]
        )
        self.sealed |= sealer.sealed
        return replace(blob, epoch=vault.epoch, key=key)

    def _begin(self, name: str, epoch: int, readers: Iterable[tuple[Reader, bool]]) -> acts.Vault:
        key = self.private[name, epoch] = SealingPrivateKey.generate(self._suite)
        vault = PublicVault(name, epoch, key.public)
        shares = tuple(self._share(vault, key, reader, limited) for reader, limited in readers)
        return acts.Vault(name, epoch, key.suite, key.public.to_bytes(), shares)

    def _share(self, vault: PublicVault, key: SealingPrivateKey, to: Reader, limited: bool) -> acts.Share:
        sealer = self._sealer()
        share = sealer.share(vault, key, to, limited=limited)
        self.sealed |= sealer.sealed
        return share

    def _sealer(self) -> Sealer:
        return Sealer(self._registry_id, self._release)

    def _reader(self, law: Law, body: acts.LawBody | None, name: str, begun: Iterable[acts.Vault]) -> Reader:
        for vault in begun:
            if vault.name == name:
                public = SealingPublicKey.from_bytes(vault.suite, vault.public)
                return Reader.vault(name, vault.epoch, public)
        if name in law.state.vaults:
            known = public_of(law, name)
            return Reader.vault(name, known.epoch, known.public)
        return Reader.member(_identity(law, body, name))


def public_of(law: Law, vault: str) -> PublicVault:
    """The public side of a vault's present epoch."""
    state = law.state.vaults[vault]
    return PublicVault(vault, state.epoch, SealingPublicKey.from_bytes(state.suite, state.public))


def named(sealed: Mapping[str, bytes], body: acts.Body) -> dict[str, bytes]:
    """The sealed keys that an act names, as far as they are known."""
    return {one.sha256: sealed[one.sha256] for one in acts.sealed_in(body) if one.sha256 in sealed}


def _identity(law: Law, body: acts.LawBody | None, name: str) -> PublicIdentity:
    if isinstance(body, acts.Enroll | acts.Replace) and body.name == name:
        return possession.verify(body.identity)
    identity = law.state.member(name).identity()
    assert identity is not None
    return identity
