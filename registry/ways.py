"""The way from a member to a vault, as sealed shares: what a release consists of."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from registry import vaults
from registry.crypto.checkpoint import LedgerKey
from registry.errors import BadRelease
from registry.law.law import Law
from registry.law.paths import path
from registry.records import sealed


@dataclass(frozen=True)
class Link:
    """One share on the way: ``reader`` opens it, and has the key of ``vault``."""

    vault: str
    reader: str
    share: bytes  # sealed to the reader, and to nobody else any more


def way(
    connection: sa.Connection, law: Law, key: LedgerKey, name: str, vault: str, time: str
) -> tuple[Link, ...]:
    """The shares from a member's own to the vault's, limited ones uncovered. Raises BadRelease."""
    links = path(law.state, name, vault, time)
    if not links:
        raise BadRelease("no share leads to the key", on=f"{name} to {vault}", hint="run 'registry fsck'")
    digests = {link: law.state.vaults[link[1]].shares[link[0]].sealed.sha256 for link in links}
    found = sealed.get(connection, digests.values())
    return tuple(_link(law, key, link, found[digests[link]]) for link in links)


def _link(law: Law, key: LedgerKey, link: tuple[str, str], share: bytes) -> Link:
    reader, vault = link
    state = law.state.vaults[vault]
    if state.shares[reader].limited:
        share = vaults.uncover(law.registry_id, vault, state.epoch, ident(law, reader), share, key.release())
    return Link(vault, reader, share)


def ident(law: Law, reader: str) -> str:
    """How the reader of a share is named in HPKE's ``info``: by key id, or by vault and epoch."""
    if reader in law.state.vaults:
        return vaults.vault_ident(reader, law.state.vaults[reader].epoch)
    identity = law.state.member(reader).identity()
    if identity is None:
        raise BadRelease("the reader of a share is disabled", on=reader)
    return identity.signing.keyid
