"""Who may do what, written once more, from the specification and from nothing else.

- Members are enrolled as member, admin or auditor, and are disabled for good. Names are never used again.
- An admin may do everything. An auditor takes no grant and joins no team.
- A grant allows a member or a team pull, push, promote or grant on a namespace (``NS/``: every model in it,
  later ones too) or on one model, for ever or until a time (exclusive). A later grant of the same takes its
  place. Whoever may grant may pull.
- Admins and holders of ``grant`` on the target, or on its namespace, grant and revoke there; a grant does not
  outlast the right of who gives it.
- A disabled member, and a stranger, may nothing.
- Nobody ends their own right to read: they would be making, and could keep, the keys that lock them out.

Each ``..._faults`` method tells why a deed must be refused: every reason that holds, as ``denied``,
``conflict``, ``missing`` or ``invalid``; none: it must succeed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

DENIED, CONFLICT, MISSING, INVALID = "denied", "conflict", "missing", "invalid"
Faults = set[str]
End = datetime | None  # None: for ever


@dataclass
class Person:
    """A member, once enrolled."""

    role: str
    active: bool = True


@dataclass
class Rules:
    """The facts, and what follows from them."""

    people: dict[str, Person] = field(default_factory=dict)
    teams: dict[str, set[str]] = field(default_factory=dict)
    grants: dict[tuple[str, str, str], End] = field(default_factory=dict)  # grantee, action, target
    models: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)  # namespaces and models that have keys

    # --- asking -------------------------------------------------------------------------------

    def admin(self, name: str) -> bool:
        """Whether somebody is an admin, and not disabled."""
        return self.active(name) and self.people[name].role == "admin"

    def active(self, name: str) -> bool:
        """Whether somebody is a member, and not disabled."""
        return name in self.people and self.people[name].active

    def standing(self, name: str, action: str, target: str) -> Iterator[End]:
        """The ends of every grant, over or not, that is about this."""
        wanted = {action, "grant"} if action == "pull" else {action}
        where = {target, target.partition("/")[0] + "/"}
        who = {name} | {team for team, inside in self.teams.items() if name in inside}
        for (grantee, granted, place), end in self.grants.items():
            if grantee in who and granted in wanted and place in where:
                yield end

    def ends(self, name: str, action: str, target: str, now: datetime) -> list[End]:
        """When each right to an action ends; empty where there is none."""
        if not self.active(name):
            return []
        if self.people[name].role == "admin":
            return [None]
        return [end for end in self.standing(name, action, target) if end is None or now < end]

    def may(self, name: str, action: str, target: str, now: datetime) -> bool:
        """Whether somebody may do this now."""
        return bool(self.ends(name, action, target, now))

    def keeps(self, name: str, model: str, now: datetime) -> bool:
        """Whether somebody reads the model without the door's help, from a copy of everything."""
        return None in self.ends(name, "pull", model, now)

    def never(self, name: str, model: str) -> bool:
        """Whether no right to read is left, not even one that is over by time alone."""
        if not self.active(name):
            return True
        return self.people[name].role != "admin" and not list(self.standing(name, "pull", model))

    # --- what must be refused -----------------------------------------------------------------

    def _admins_only(self, actor: str) -> Faults:
        return set() if self.admin(actor) else {DENIED}

    def _right(self, actor: str, action: str, target: str, now: datetime) -> Faults:
        return set() if self.may(actor, action, target, now) else {DENIED}

    def _taken(self, name: str) -> Faults:
        return {CONFLICT} if name in self.people or name in self.teams else set()

    def enroll_faults(self, actor: str, name: str) -> Faults:
        return self._admins_only(actor) | self._taken(name)

    def disable_faults(self, actor: str, name: str) -> Faults:
        found = self._admins_only(actor)
        if name not in self.people:
            return found | {MISSING}
        found |= {DENIED} if actor == name else set()
        last = self.admin(name) and sum(self.admin(one) for one in self.people) == 1
        return found | ({CONFLICT} if last or not self.active(name) else set())

    def replace_faults(self, actor: str, name: str) -> Faults:
        found = self._admins_only(actor) if actor != name or not self.active(actor) else set()
        if name not in self.people:
            return found | {MISSING}
        return found | (set() if self.active(name) else {CONFLICT})

    def team_faults(self, actor: str, team: str) -> Faults:
        return self._admins_only(actor) | self._taken(team)

    def join_faults(self, actor: str, team: str, name: str) -> Faults:
        found = self._admins_only(actor)
        if team not in self.teams or name not in self.people:
            return found | {MISSING}
        if name in self.teams[team] or not self.active(name):
            found.add(CONFLICT)
        return found | ({DENIED} if self.people[name].role == "auditor" else set())

    def leave_faults(self, actor: str, team: str, name: str) -> Faults:
        return self._admins_only(actor) | (set() if name in self.teams.get(team, ()) else {MISSING})

    def grant_faults(self, actor: str, grantee: str, target: str, until: End, now: datetime) -> Faults:
        own = self.ends(actor, "grant", target, now)
        found = set() if own else {DENIED}
        if own and None not in own and (until is None or until > max(end for end in own if end)):
            found.add(DENIED)
        if until is not None and until <= now:
            found.add(INVALID)
        if grantee in self.teams:
            return found
        if grantee not in self.people:
            return found | {MISSING}
        if not self.active(grantee):
            found.add(CONFLICT)
        return found | ({DENIED} if self.people[grantee].role == "auditor" else set())

    def revoke_faults(
        self, actor: str, grantee: str, actions: Iterable[str], target: str, now: datetime
    ) -> Faults:
        gone = {(grantee, action, target) for action in actions}
        found = self._right(actor, "grant", target, now) | (
            set() if gone <= self.grants.keys() else {MISSING}
        )
        rest = {key: end for key, end in self.grants.items() if key not in gone}
        after = Rules(self.people, self.teams, rest)
        return found | (set() if after.may(actor, "pull", target, now) else {DENIED})

    def rotate_faults(self, actor: str, vault: str, now: datetime) -> Faults:
        if vault == "/" or "/" not in vault:
            known = vault == "/" or vault in self.teams
            return self._admins_only(actor) | (set() if known else {MISSING})
        missing = set() if vault in self.places else {MISSING}
        return self._right(actor, "grant", vault, now) | missing

    def push_faults(self, actor: str, model: str, aliases: Iterable[str], now: datetime) -> Faults:
        promoting = self._right(actor, "promote", model, now) if list(aliases) else set()
        return self._right(actor, "push", model, now) | promoting

    def promote_faults(self, actor: str, model: str, now: datetime) -> Faults:
        return self._right(actor, "promote", model, now)

    def pull_faults(self, actor: str, model: str, now: datetime) -> Faults:
        return self._right(actor, "pull", model, now)

    # --- what a deed changes -------------------------------------------------------------------

    def grant(self, grantee: str, actions: Iterable[str], target: str, until: End) -> None:
        """Note a grant; a right to read brings keys into being, also where no model is yet."""
        for action in actions:
            self.grants[grantee, action, target] = until
            if action in ("pull", "grant"):
                self.open(target)

    def revoke(self, grantee: str, actions: Iterable[str], target: str) -> None:
        """Note that a grant was taken back."""
        for action in actions:
            del self.grants[grantee, action, target]

    def open(self, target: str) -> None:
        """A namespace or a model, with its namespace, has keys."""
        self.places |= {target, target.partition("/")[0] + "/"}
