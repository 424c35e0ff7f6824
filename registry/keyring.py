"""Opening vaults with one's own keys: from a share of one's own to the key of a model."""

from __future__ import annotations

from collections.abc import Iterable

from registry import vaults
from registry.authority import shares
from registry.context import Context
from registry.crypto.identity import Identity
from registry.crypto.sealing import SealingPrivateKey, SealingPublicKey
from registry.errors import BadRelease
from registry.law.law import Law
from registry.vaults import PublicVault
from registry.ways import Link, ident


def public(law: Law, vault: str) -> PublicVault:
    """The public side of a vault's present epoch."""
    state = law.state.vaults[vault]
    return PublicVault(vault, state.epoch, SealingPublicKey.from_bytes(state.suite, state.public))


def follow(context: Context, law: Law, links: Iterable[Link], vault: str) -> SealingPrivateKey:
    """The private half of ``vault``, opened link by link. Raises BadEncryption or BadRelease."""
    return open_links(context.identity, law, links, vault)


def open_links(identity: Identity, law: Law, links: Iterable[Link], vault: str) -> SealingPrivateKey:
    """As ``follow``, for an identity."""
    name, key = identity.name, identity.sealing
    for link in links:
        if link.reader != name or link.vault not in law.state.vaults:
            raise BadRelease("the shares of the receipt do not lead on", on=f"{link.reader} to {link.vault}")
        suite = law.state.vaults[link.vault].shares[link.reader].sealed.suite
        named = ident(law, link.reader)
        key = vaults.open_share(law.registry_id, public(law, link.vault), link.share, suite, key, named)
        name = link.vault
    if name != vault:
        raise BadRelease("the receipt brings no key", on=vault)
    return key


def unlock(context: Context, law: Law, vault: str) -> SealingPrivateKey:
    """The private half of a vault that this member may grant on. Raises Denied or Untrusted."""
    return follow(context, law, shares(context.authority, context.keyid, vault, context.now()), vault)
