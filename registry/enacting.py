"""Adding to the law: an act, the keys that must follow from it, and the way through the door.

What must follow is derived from the law (``law.custody``). Here it is made: new key pairs, shares for their
readers, blob keys sealed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from registry import acts, keyring
from registry.authority import Receipt
from registry.context import Context
from registry.crypto import possession
from registry.crypto.identity import PublicIdentity
from registry.crypto.sealing import SealingPrivateKey
from registry.errors import AlreadyExists, Denied, Outdated
from registry.law.custody import Need
from registry.law.law import Law
from registry.rekeying import Rekeyed, rekey
from registry.vaults import PublicVault, Reader, Sealer

_ROUNDS = 100  # times an act is made again; each time somebody else has changed the law


@dataclass(frozen=True)
class Enacted:
    """An act of the law in the ledger, and the blobs whose keys did not open when they were sealed again."""

    receipt: Receipt
    unreadable: tuple[str, ...] = ()


def enact(context: Context, body: acts.LawBody, *, reencrypt: bool = False) -> Enacted:
    """Sign and submit an act of the law with the keys that follow from it.

    ``reencrypt``: blobs whose keys must be sealed again are encrypted again, too, under new keys. Raises
    Denied, Conflict, NotFound, InvalidInput, Untrusted or Unavailable; nothing has changed then.
    """
    for _ in range(_ROUNDS):
        try:
            return _once(context, body, reencrypt)
        except Outdated:
            continue
    raise Outdated("the registry's law kept changing", hint="run the same command again")


def _once(context: Context, body: acts.LawBody, reencrypt: bool) -> Enacted:
    law = context.law()
    header = context.header(law.head)
    made = Made(context, law, body)
    try:
        actor = law.state.signer(context.keyid).name
        need = law.need(acts.Act(header=header, body=body, digest=""), actor)
        rekeyed = made.follow(need, reencrypt=reencrypt)
    except Denied:
        # The door has the word: it refuses the act as well, and puts that on record.
        return Enacted(context.act(body, header=header))
    with rekeyed:
        whole = (
            msgspec.structs.replace(body, custody=made.custody(rekeyed)) if need.begin or need.add else body
        )
        receipt = context.act(whole, header=header, keys=made.sealer.sealed)
        return Enacted(receipt, tuple(rekeyed.unreadable))


class Made:
    """The keys of one act, as they are made."""

    def __init__(self, context: Context, law: Law, body: acts.LawBody) -> None:
        self._context = context
        self._body = body
        self._law = law
        self.sealer = Sealer(context.config.registry_id, law.release)
        self._begun: dict[str, tuple[PublicVault, SealingPrivateKey]] = {}
        self._vaults: list[acts.Vault] = []
        self._shares: list[acts.Handed] = []

    def follow(self, need: Need, *, reencrypt: bool) -> Rekeyed:
        """Make what is needed."""
        for vault, readers in need.begin.items():
            self._begin(vault, readers)
        opened: dict[str, SealingPrivateKey] = {}
        for vault, reader, limited in sorted(need.add):
            if vault not in opened:
                opened[vault] = keyring.unlock(self._context, self._law, vault)
            public = keyring.public(self._law, vault)
            share = self.sealer.share(public, opened[vault], self._reader(reader), limited=limited)
            self._shares.append(acts.Handed(vault, public.epoch, share))
        begun = {name: public for name, (public, _) in self._begun.items()}
        return rekey(self._context, self._law, self.sealer, begun, reencrypt=reencrypt)

    def custody(self, rekeyed: Rekeyed) -> acts.Custody:
        """What the act hands over."""
        return acts.Custody(tuple(self._vaults), tuple(self._shares), tuple(rekeyed.kept))

    def _begin(self, name: str, readers: Mapping[str, bool]) -> None:
        old = self._law.state.vaults.get(name)
        key = SealingPrivateKey.generate()
        vault = PublicVault(name, old.epoch + 1 if old else 1, key.public)
        self._begun[name] = vault, key
        shares = [
            self.sealer.share(vault, key, self._reader(reader), limited=limited)
            for reader, limited in sorted(readers.items())
        ]
        self._vaults.append(acts.Vault(name, vault.epoch, key.suite, key.public.to_bytes(), tuple(shares)))

    def _reader(self, name: str) -> Reader:
        if name in self._begun:
            return _vault_reader(self._begun[name][0])
        if name in self._law.state.vaults:
            return _vault_reader(keyring.public(self._law, name))
        return Reader.member(self._identity(name))

    def _identity(self, name: str) -> PublicIdentity:
        """A member's keys, as they are once the act is admitted."""
        if isinstance(self._body, acts.Enroll | acts.Replace) and self._body.name == name:
            return possession.verify(self._body.identity)
        identity = self._law.state.member(name).identity()
        assert identity is not None  # only active members are readers
        return identity


def create(context: Context, model: str) -> None:
    """Open a model for pushes; no harm where somebody else has just done so."""
    with suppress(AlreadyExists):
        enact(context, acts.Create(model))


def _vault_reader(vault: PublicVault) -> Reader:
    return Reader.vault(vault.name, vault.epoch, vault.public)
