"""The acts that say who may do what: together, in order, the registry's law.

Each names the one before it (``Header.law``), so nobody can leave one out. Those that change who reads a
vault bring the keys that follow from it (``Custody``).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from registry.acts.parts import (
    Action,
    Custody,
    Envelope,
    Model,
    Name,
    Part,
    Release,
    Role,
    Target,
    Text,
    Time,
    VaultName,
)

POLICY_LIMIT = 256 << 10  # characters
Actions = Annotated[tuple[Action, ...], Meta(min_length=1, max_length=4)]


class OfMember(Part, frozen=True):
    """An act about one member."""

    name: Name

    @property
    def target(self) -> str:
        return self.name


class OfTeam(Part, frozen=True):
    """An act about one team."""

    team: Name

    @property
    def target(self) -> str:
        return self.team


class Genesis(Part, frozen=True, kw_only=True):
    """The first act: names the first admin, the ledger's Ed25519 key (32 raw bytes) and the release key."""

    kind: ClassVar[str] = "genesis"
    name: Name
    admin: Envelope  # the public identity, proven (see ``crypto.possession``)
    ledger: Annotated[bytes, Meta(min_length=32, max_length=32)]
    release: Release
    custody: Custody

    @property
    def target(self) -> str:
        return self.name


class Enroll(OfMember, frozen=True):
    """Makes somebody a member. ``identity`` is their own signed statement of their keys."""

    kind: ClassVar[str] = "enroll"
    identity: Envelope
    role: Role
    custody: Custody = Custody()


class Disable(OfMember, frozen=True):
    """Ends a member's access. What they signed before stays valid."""

    kind: ClassVar[str] = "disable"
    reason: Text = ""
    custody: Custody = Custody()


class Replace(OfMember, frozen=True):
    """Gives a member new keys: by themselves with the old key, or by an admin where it is lost."""

    kind: ClassVar[str] = "replace"
    identity: Envelope
    custody: Custody = Custody()


class Team(OfTeam, frozen=True):
    """Creates a team."""

    kind: ClassVar[str] = "team"
    custody: Custody = Custody()


class TeamAdd(OfTeam, frozen=True):
    """Takes a member into a team."""

    kind: ClassVar[str] = "team-add"
    name: Name
    custody: Custody = Custody()


class TeamRemove(OfTeam, frozen=True):
    """Takes a member out of a team."""

    kind: ClassVar[str] = "team-remove"
    name: Name
    custody: Custody = Custody()


class Grant(Part, frozen=True):
    """Allows actions on a namespace or a model, for ever or until a time."""

    kind: ClassVar[str] = "grant"
    grantee: Name
    actions: Actions
    target: Target
    until: Time | None = None
    custody: Custody = Custody()


class Revoke(Part, frozen=True):
    """Takes grants back."""

    kind: ClassVar[str] = "revoke"
    grantee: Name
    actions: Actions
    target: Target
    custody: Custody = Custody()


class Create(Part, frozen=True):
    """Opens a model, and its namespace where that is new, for pushes and grants."""

    kind: ClassVar[str] = "create"
    model: Model
    custody: Custody = Custody()

    @property
    def target(self) -> str:
        return self.model


class Rotate(Part, frozen=True):
    """Begins a new epoch of a vault, and of every vault sealed to it."""

    kind: ClassVar[str] = "rotate"
    vault: VaultName
    custody: Custody = Custody()

    @property
    def target(self) -> str:
        return self.vault


class Policy(Part, frozen=True):
    """Sets the policies, Cedar text, in place of those before. No text: none."""

    kind: ClassVar[str] = "policy"
    text: Annotated[str, Meta(max_length=POLICY_LIMIT, pattern=r"^[^\x00]*\Z")]

    @property
    def target(self) -> str:
        return "/"

    @property
    def custody(self) -> Custody:
        return Custody()


LawBody = (
    Genesis
    | Enroll
    | Disable
    | Replace
    | Team
    | TeamAdd
    | TeamRemove
    | Grant
    | Revoke
    | Create
    | Rotate
    | Policy
)
LAW_BODIES: tuple[type[LawBody], ...] = (
    Genesis,
    Enroll,
    Disable,
    Replace,
    Team,
    TeamAdd,
    TeamRemove,
    Grant,
    Revoke,
    Create,
    Rotate,
    Policy,
)
LAW = frozenset(body.kind for body in LAW_BODIES)
