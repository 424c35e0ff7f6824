"""The law of a generated company: each act extends it as the door would let it, with the keys that follow."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from benchmarks.ledgers import keys, versions
from benchmarks.ledgers.chance import stream
from benchmarks.ledgers.company import ADMIN, Company, Member
from benchmarks.ledgers.jobs import Job
from registry import acts
from registry.acts import Act
from registry.crypto import dsse, possession, sealing
from registry.law.custody import Need
from registry.law.law import Law, from_genesis
from registry.law.state import ROOT

_SHARE, _LIMITED = 1232, 2352  # bytes of a sealed share
_SUITE = sealing.DEFAULT


class Lawmaker:
    """Writes the acts of the law. What they seal is as long as a real sealed key, and opens nothing."""

    def __init__(self, seed: str, time: str, client: acts.Client) -> None:
        self._seed = seed
        self._labels: dict[str, tuple[int, tuple[object, ...]]] = {}
        self.genesis = self._genesis(time, client)
        self.registry_id = acts.decode(self.genesis.payload).digest
        self.law: Law = from_genesis(self.genesis.to_bytes(), self.registry_id)
        self.count = 1

    def _genesis(self, time: str, client: acts.Client) -> dsse.Envelope:
        identity, ledger = keys.identity(self._seed, ADMIN), keys.ledger(self._seed)
        release = ledger.release().public
        vault = self._vault(ROOT, 1, {ADMIN: False})
        body = acts.Genesis(
            name=ADMIN,
            admin=possession.prove(identity),
            ledger=ledger.public.raw,
            release=acts.Release(release.suite, release.to_bytes()),
            custody=acts.Custody(vaults=(vault,)),
        )
        header = acts.Header("", identity.signing.keyid, time, self._nonce("genesis"), "", client)
        return dsse.sign(acts.encode(header, body), identity.signing)

    def add(self, company: Company, body: Any, by: Member, time: str, client: acts.Client, seq: int) -> Job:
        """The next act of the law. Raises what the law raises where it may not be."""
        nonce, keyid = self._nonce("law", self.count), company.keyid(by)
        header = acts.Header(self.registry_id, keyid, time, nonce, self.law.head, client)
        need = self.law.need(Act(header=header, body=body, digest=""), by.name)
        if need.begin or need.add:
            body = replace(body, custody=self._custody(company, need))
        payload, law = acts.encode(header, body), self.law.head
        act = Act(header=header, body=body, digest=hashlib.sha256(payload).hexdigest())
        self.law.extend(act, by.name, seq)
        self.count += 1
        return Job(seq, by.name, by.generation, time, law, client, payload)

    def shares(self) -> Iterator[tuple[str, bytes]]:
        """The sealed shares that count, with their SHA-256."""
        for vault in self.law.state.vaults.values():
            for share in vault.shares.values():
                size, words = self._labels[share.sealed.sha256]
                yield share.sealed.sha256, stream(self._seed, size, *words)

    def _custody(self, company: Company, need: Need) -> acts.Custody:
        vaults, state = [], self.law.state
        for name, readers in need.begin.items():
            epoch = state.vaults[name].epoch + 1 if name in state.vaults else 1
            vaults.append(self._vault(name, epoch, dict(readers)))
        handed = (
            acts.Handed(vault, state.vaults[vault].epoch, self._share(vault, reader, limited))
            for vault, reader, limited in sorted(need.add)
        )
        kept = (one for vault in vaults if vault.epoch > 1 for one in self._kept(company, vault))
        return acts.Custody(tuple(vaults), tuple(handed), tuple(kept))

    def _vault(self, name: str, epoch: int, readers: dict[str, bool]) -> acts.Vault:
        public = keys.vault(self._seed, name, epoch)
        shares = (self._share(name, reader, limited) for reader, limited in sorted(readers.items()))
        return acts.Vault(name, epoch, public.suite, public.to_bytes(), tuple(shares))

    def _share(self, vault: str, reader: str, limited: bool) -> acts.Share:
        size = _LIMITED if limited else _SHARE
        words = ("share", vault, reader, len(self._labels))
        digest = hashlib.sha256(stream(self._seed, size, *words)).hexdigest()
        self._labels[digest] = size, words
        return acts.Share(reader, acts.Sealed(_SUITE, digest), limited)

    def _kept(self, company: Company, vault: acts.Vault) -> Iterator[acts.Kept]:
        model = company.by_name.get(vault.name)
        for content, blob in model.blobs.items() if model else ():
            again = versions.sealed(self._seed, vault.name, content, vault.epoch)
            key = acts.Sealed(_SUITE, hashlib.sha256(again).hexdigest())
            yield acts.Kept(vault.name, replace(blob, epoch=vault.epoch, key=key))

    def keep(self, company: Company, payload: bytes) -> None:
        """After an act was added: the company's blobs are those that it sealed anew."""
        body = acts.decode(payload).body
        if isinstance(body, acts.LawBody):
            for one in body.custody.blobs:
                company.by_name[one.model].blobs[one.blob.content] = one.blob

    def _nonce(self, *words: object) -> str:
        return stream(self._seed, 16, "nonce", *words).hex()
