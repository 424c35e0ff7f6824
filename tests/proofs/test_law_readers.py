"""Random laws against a plain model: who has the right holds the key, and nobody else ever did.

The model knows members, teams and grants, and no vaults. What members know is gathered share by share:
whoever could once open an epoch of a vault counts as knowing it for ever, as somebody who copied the
database each day and kept every key would.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from registry import acts
from registry.crypto import possession
from registry.crypto.identity import Identity
from registry.errors import Conflict, Denied, InvalidInput, NotFound
from registry.law.law import from_genesis
from registry.law.paths import path
from registry.law.rights import why
from support.scribe import Scribe

REFUSED = (Conflict, Denied, InvalidInput, NotFound)
PEOPLE = ("ann", "ben", "cid", "dot")
TEAMS = ("ml", "ops")
MODELS = ("x/one", "x/two", "y/one")
PLACES = ("x/", "y/", *MODELS)
ACTIONS = st.lists(st.sampled_from(acts.ACTIONS), min_size=1, unique=True).map(
    lambda some: tuple(action for action in acts.ACTIONS if action in some)
)
people, teams, places = st.sampled_from(PEOPLE), st.sampled_from(TEAMS), st.sampled_from(PLACES)
IDENTITIES = {name: [Identity.generate(name) for _ in range(6)] for name in PEOPLE}


class Laws(RuleBasedStateMachine):
    """Acts by root, admitted or refused; a plain model beside."""

    def __init__(self) -> None:
        super().__init__()
        self.scribe = Scribe()
        self.roles = {"root": "admin"}
        self.disabled: set[str] = set()
        self.inside: dict[str, set[str]] = {}
        self.granted: dict[tuple[str, str], set[str]] = defaultdict(set)  # grantee and place to actions
        self.used: dict[str, int] = dict.fromkeys(PEOPLE, 0)
        self.known: dict[str, set[tuple[str, int]]] = defaultdict(set)  # identity to epochs of vaults
        self.learn()
        self.populate()

    def populate(self) -> None:
        """Enough to begin with that leaving and revoking happen, too."""
        for name in PEOPLE[:2]:
            self.enroll(name, "member")
            self.create_team(TEAMS[0])
            self.join(TEAMS[0], name)
        self.grant(TEAMS[0], ("pull",), PLACES[0])
        self.grant(PEOPLE[1], ("pull",), MODELS[0])

    def add(self, body: Any, by: str = "root", identity: Identity | None = None) -> bool:
        before = self.facts()
        with suppress(*REFUSED):
            self.scribe.add(body, by)
            if identity is not None:
                self.scribe.members[identity.name] = identity
            self.learn()
            return True
        assert self.facts() == before  # an act that is refused leaves the law as it was
        return False

    def facts(self) -> tuple[object, ...]:
        """All that the law says, as values."""
        law, state = self.scribe.law, self.scribe.law.state
        grants = {
            (target, grantee, action): timeline.changes()
            for target, held in state.grants.items()
            for grantee, actions in held.items()
            for action, timeline in actions.items()
            if timeline.changes()
        }
        inside = {
            (team, name): timeline.changes()
            for team, there in state.teams.items()
            for name, timeline in there.items()
            if timeline.changes()
        }
        keys = {name: member.keys.changes() for name, member in state.members.items()}
        teams, vaults = set(state.teams), dict(state.vaults)
        return law.head, law.seq, state.position, keys, dict(state.keyids), teams, inside, grants, vaults

    def learn(self) -> None:
        """Every identity that counts follows the shares that there are now."""
        for vault, epoch in self.scribe.epochs().items():
            for name, identity in self.scribe.members.items():
                if path(self.scribe.law.state, name, vault, self.scribe.time):
                    self.known[identity.signing.keyid].add((vault, epoch))

    def fresh(self, name: str) -> Identity | None:
        number = self.used[name]
        self.used[name] += number < 6
        return IDENTITIES[name][number] if number < 6 else None

    @rule(name=people, role=st.sampled_from(("member", "member", "member", "admin", "auditor")))
    def enroll(self, name: str, role: Any) -> None:
        identity = self.fresh(name)
        if identity and self.add(acts.Enroll(name, possession.prove(identity), role), identity=identity):
            self.roles[name] = role

    @rule(name=people)
    def disable(self, name: str) -> None:
        if self.add(acts.Disable(name)):
            self.disabled.add(name)

    @rule(name=people, own=st.booleans())
    def replace(self, name: str, own: bool) -> None:
        identity = self.fresh(name)
        by = name if own and name in self.scribe.members else "root"
        known = identity is not None and name in self.scribe.members
        if identity and known:
            self.add(acts.Replace(name, possession.prove(identity)), by, identity)

    @rule(team=teams)
    def create_team(self, team: str) -> None:
        if self.add(acts.Team(team)):
            self.inside[team] = set()

    @rule(team=teams, name=people)
    def join(self, team: str, name: str) -> None:
        if self.add(acts.TeamAdd(team, name)):
            self.inside[team].add(name)

    @rule(team=teams, name=people)
    def leave(self, team: str, name: str) -> None:
        if self.add(acts.TeamRemove(team, name)):
            self.inside[team].discard(name)

    @rule(who=people | teams, actions=ACTIONS, place=places)
    def grant(self, who: str, actions: Any, place: str) -> None:
        if self.add(acts.Grant(who, actions, place)):
            self.granted[who, place] |= set(actions)

    @rule(who=people | teams, actions=ACTIONS, place=places)
    def revoke(self, who: str, actions: Any, place: str) -> None:
        if self.add(acts.Revoke(who, actions, place)):
            self.granted[who, place] -= set(actions)

    @rule(model=st.sampled_from(MODELS))
    def create(self, model: str) -> None:
        self.add(acts.Create(model))

    @rule(vault=st.sampled_from(("/", *TEAMS, *PLACES)))
    def rotate(self, vault: str) -> None:
        self.add(acts.Rotate(vault))

    def may_read(self, name: str, vault: str) -> bool:
        """The plain rules."""
        if name not in self.roles or name in self.disabled:
            return False
        if self.roles[name] == "admin":
            return True
        if vault in TEAMS:
            return name in self.inside[vault]
        holders = [name, *(team for team, there in self.inside.items() if name in there)]
        above = {vault, f"{vault.partition('/')[0]}/"}
        return vault != "/" and any(
            self.granted[holder, place] & {"pull", "grant"} for holder in holders for place in above
        )

    @invariant()
    def the_rights_are_those_of_the_model(self) -> None:
        state, time = self.scribe.law.state, self.scribe.time
        for name in PEOPLE:
            for place in PLACES:
                assert bool(why(state, name, "pull", place, time)) == self.may_read(name, place)

    @invariant()
    def who_may_read_can_and_who_may_not_never_could(self) -> None:
        """In the present epoch of every vault."""
        for vault, epoch in self.scribe.epochs().items():
            for name in self.scribe.members:
                keyid = self.scribe.members[name].signing.keyid
                there = bool(path(self.scribe.law.state, name, vault, self.scribe.time))
                assert there == self.may_read(name, vault), (name, vault)
                assert ((vault, epoch) in self.known[keyid]) == there, (name, vault)

    @invariant()
    def a_key_that_an_admin_replaced_knows_no_present_epoch(self) -> None:
        present = set(self.scribe.epochs().items())
        counting = {identity.signing.keyid for identity in self.scribe.members.values()}
        own = self.own_successors()
        for keyid, epochs in self.known.items():
            if keyid not in counting and keyid not in own:
                assert not epochs & present

    def own_successors(self) -> set[str]:
        """Keys that their owner replaced: what they could open, their owner still may."""
        found = set()
        for envelope in self.scribe.envelopes:
            act = acts.decode(envelope.payload)
            if isinstance(act.body, acts.Replace) and act.header.actor in self.known:
                position = self.scribe.law.position(act)
                if self.scribe.law.state.signer(act.header.actor, position).name == act.body.name:
                    found.add(act.header.actor)
        return found

    def teardown(self) -> None:
        """A replay of the envelopes is the same law."""
        first, *rest = self.scribe.envelopes
        law = from_genesis(first.to_bytes(), self.scribe.registry_id)
        for seq, envelope in enumerate(rest, 1):
            law.follow(envelope.to_bytes(), seq)
        assert law.head == self.scribe.law.head
        assert law.state.vaults == self.scribe.law.state.vaults
        assert law.state.sealed_to == self.scribe.law.state.sealed_to


Laws.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestLaws = Laws.TestCase
