"""What the law says after each of its acts: members, teams, grants, vaults, policies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from registry import acts
from registry.crypto.identity import PublicIdentity
from registry.errors import Disabled, MemberNotFound, NotPermitted
from registry.law.timeline import Timeline

ROOT = "/"  # the vault of all admins
T = TypeVar("T")


@dataclass(frozen=True)
class Term:
    """How long a grant lasts: until a time (RFC 3339, exclusive), or for ever."""

    until: str | None

    def lasts(self, time: str) -> bool:
        return self.until is None or time < self.until


@dataclass(frozen=True)
class Member:
    """A person or a service. ``keys`` is None from the position on at which access was ended."""

    name: str
    role: str
    keys: Timeline[PublicIdentity] = field(default_factory=Timeline, compare=False)

    def identity(self, at: int | None = None) -> PublicIdentity | None:
        """The keys that count at a position of the law."""
        return self.keys.at(at)


@dataclass(frozen=True)
class VaultState:
    """A vault's present epoch, and to whom its private half is sealed: by reader, and which are limited."""

    name: str
    epoch: int
    suite: str
    public: bytes
    shares: dict[str, acts.Share] = field(default_factory=dict)
    limited: set[str] = field(default_factory=set)


class State:
    """The facts at every position of the law. Position n is after its n-th act; genesis is the first."""

    def __init__(self) -> None:
        self.position = 0
        self.members: dict[str, Member] = {}
        self.keyids: dict[str, str] = {}  # every key id that ever counted, to the member's name
        self.teams: dict[str, dict[str, Timeline[bool]]] = {}
        self.joined: dict[str, set[str]] = defaultdict(set)  # member to the teams ever joined
        # target to grantee to action
        self.grants: dict[str, dict[str, dict[str, Timeline[Term]]]] = defaultdict(dict)
        self.held: dict[str, set[str]] = defaultdict(set)  # grantee to the targets ever granted
        self.vaults: dict[str, VaultState] = {}
        self.sealed_to: dict[str, set[str]] = defaultdict(set)  # reader to the vaults sealed to it
        self.policies: Timeline[str] = Timeline()
        self._undo: list[Callable[[], object]] = []

    # --- asking -------------------------------------------------------------------------------

    def member(self, name: str) -> Member:
        """The member of this name, whether active or not. Raises MemberNotFound."""
        if name not in self.members:
            raise MemberNotFound("there is no such member", on=name, hint="'registry member list' names them")
        return self.members[name]

    def active(self, name: str, at: int | None = None) -> bool:
        """Whether a member of this name is enrolled and not disabled."""
        return name in self.members and self.members[name].identity(at) is not None

    def admins(self) -> Iterator[str]:
        """The active admins."""
        return (name for name, one in self.members.items() if one.role == "admin" and self.active(name))

    def signer(self, keyid: str, at: int | None = None) -> Member:
        """Who acts under this key. Raises NotPermitted for a stranger or a replaced key, or Disabled."""
        member = self.members.get(self.keyids.get(keyid, ""))
        if member is None:
            raise NotPermitted(
                "this identity is not a member of the registry",
                on=f"key {keyid[:16]}",
                hint="ask an admin to enroll it, or use another with --identity",
            )
        identity = member.identity(at)
        if identity is None:
            raise Disabled("the member is disabled", on=member.name, hint="ask an admin")
        if identity.signing.keyid != keyid:
            raise NotPermitted(
                f"{member.name} has another key by now",
                on=f"key {keyid[:16]}",
                hint="use the newest identity file",
            )
        return member

    def holder(self, keyid: str) -> PublicIdentity | None:
        """Whose key this is or was, whether it still counts or not."""
        member = self.members.get(self.keyids.get(keyid, ""))
        for _, identity in member.keys.changes() if member else ():
            if identity is not None and identity.signing.keyid == keyid:
                return identity
        return None

    def has_team(self, name: str) -> bool:
        return name in self.teams

    def teams_of(self, name: str, at: int | None = None) -> list[str]:
        """The teams that the member is in, by name."""
        return sorted(team for team in self.joined.get(name, ()) if self.teams[team][name].at(at))

    def members_of(self, team: str) -> list[str]:
        """The active members of a team, by name."""
        return sorted(name for name, there in self.teams[team].items() if there.at() and self.active(name))

    def term(self, target: str, grantee: str, action: str, at: int | None = None) -> Term | None:
        """The grant, whether it still lasts or not; None where there is none or it was revoked."""
        timeline = self.grants.get(target, {}).get(grantee, {}).get(action)
        return timeline.at(at) if timeline else None

    # --- changing: tentative until kept --------------------------------------------------------

    def put(self, timeline: Timeline[T], value: T | None) -> None:
        """Change a fact with the next act of the law."""
        timeline.put(self.position + 1, value)
        self._undo.append(timeline.drop)

    def add(self, mapping: dict[str, T], name: str, value: T) -> None:
        """Name something new with the next act of the law."""
        mapping[name] = value
        self._undo.append(lambda: mapping.pop(name))

    def forget(self) -> None:
        """The act was not admitted after all."""
        while self._undo:
            self._undo.pop()()

    def keep(self, custody: acts.Custody) -> None:
        """The act is admitted, with the keys that it hands over."""
        self._undo.clear()
        self.position += 1
        for vault in custody.vaults:
            self.begin(vault)
        for handed in custody.shares:
            self._seal(self.vaults[handed.vault], handed.share)

    def begin(self, vault: acts.Vault) -> None:
        """Put a vault's epoch, with all its shares, in the place of the one before."""
        old = self.vaults.get(vault.name)
        for reader in old.shares if old else ():
            self.sealed_to[reader].discard(vault.name)
        self.vaults[vault.name] = VaultState(vault.name, vault.epoch, vault.suite, vault.public)
        for share in vault.shares:
            self._seal(self.vaults[vault.name], share)

    def _seal(self, vault: VaultState, share: acts.Share) -> None:
        vault.shares[share.recipient] = share
        (vault.limited.add if share.limited else vault.limited.discard)(share.recipient)
        self.sealed_to[share.recipient].add(vault.name)
