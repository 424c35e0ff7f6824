"""How a member's own key leads to a vault: through a share of theirs, of a team's, or of the vault above."""

from __future__ import annotations

from collections.abc import Iterator

from registry.law.state import ROOT, State

Link = tuple[str, str]  # reader, and the vault whose share the reader holds


def path(state: State, name: str, vault: str, time: str) -> list[Link]:
    """From the member to the vault, link by link; empty where there is no way.

    A limited share counts as long as a grant behind it lasts: afterwards the door uncovers it no more.
    """
    if vault not in state.vaults:
        return []
    for reader in (name, *_through(state, name, vault)):
        if not _usable(state, vault, reader, time):
            continue
        if reader == name:
            return [(name, vault)]
        if before := path(state, name, reader, time):
            return [*before, (reader, vault)]
    return []


def _through(state: State, name: str, vault: str) -> Iterator[str]:
    if "/" in vault and vault != ROOT:
        yield from state.teams_of(name)
        if not vault.endswith("/"):
            yield f"{vault.partition('/')[0]}/"
    if vault != ROOT:
        yield ROOT


def _usable(state: State, vault: str, reader: str, time: str) -> bool:
    share = state.vaults[vault].shares.get(reader)
    if share is None or not share.limited:
        return share is not None
    terms = (state.term(vault, reader, action) for action in ("pull", "grant"))
    return any(term is not None and term.lasts(time) for term in terms)
