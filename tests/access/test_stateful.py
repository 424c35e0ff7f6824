"""Random lives of a registry: every deed is refused or succeeds as the rules say, and the keys follow.

Hypothesis plays people who enroll, grant, revoke, lose keys, push and pull on a real embedded registry, under
a clock that it moves. What must hold is told by ``support.rules``. ``HALLMARK_TEST_EXAMPLES`` plays more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from registry import access, acts, catalog, members, push
from registry.crypto.identity import Identity
from support.burglar import Loot, burgle
from support.cast import FOUNDER, Cast, tiny
from support.lives import Life, Past, Version
from support.rules import CONFLICT, DENIED, MISSING, Faults, Person, Rules

EXAMPLES = int(os.environ.get("HALLMARK_TEST_EXAMPLES", "25"))
STEPS = 25

NAMES, TEAMS = ("ann", "ben", "cy", "dee"), ("ml", "ops")
MODELS = ("v/a", "v/b", "s/c")
PLACES = ("v/", "s/", *MODELS)
names = st.sampled_from((FOUNDER, *NAMES))
actors = st.sampled_from((FOUNDER,) * 9 + NAMES)  # most deeds of others are refused: let some succeed
grantees = st.sampled_from((*NAMES, *TEAMS))
rights = st.sets(st.sampled_from(acts.ACTIONS), min_size=1)
models, places, teams = st.sampled_from(MODELS), st.sampled_from(PLACES), st.sampled_from(TEAMS)
hours = st.sampled_from((None, None, -1, 1, 5, 24))
numbers = st.sampled_from((1, 1, 1, 2))


class Registry(RuleBasedStateMachine):
    """One life, which goes on from ``past``."""

    past: ClassVar[Past]
    played: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.life = Life(Path(tempfile.mkdtemp(dir=self.past.home.parent)), self.past)
        self.rules, self.cast = self.life.rules, self.life.cast

    def teardown(self) -> None:
        try:
            self.life.end()
            self.played.update(self.life.done)
        finally:
            self.cast.close()
            shutil.rmtree(self.life.directory)

    # --- members and teams ----------------------------------------------------------------------

    def _fresh(self, name: str) -> tuple[Identity, Path]:
        identity = Identity.generate(name)
        return identity, self.cast.publish(identity)

    def _own(self, name: str) -> Path:
        return self.cast.publish(self.cast.identities[name][-1])

    @precondition(lambda self: self.rules.people.keys() < {FOUNDER, *NAMES})
    @rule(actor=actors, name=names, role=st.sampled_from(("member", "member", "admin", "auditor")))
    def enroll(self, actor: str, name: str, role: str) -> None:
        # Whoever is nobody yet has keys all the same. A second time, it is somebody else of that name.
        public = self._fresh(name)[1] if name in self.rules.people else self._own(name)
        faults = self.rules.enroll_faults(actor, name)
        if self.life.attempt("enroll", faults, lambda: members.add(self.cast(actor), public, role)):
            self.rules.people[name] = Person(role)

    @rule(actor=actors, name=names)
    def disable(self, actor: str, name: str) -> None:
        faults = self.rules.disable_faults(actor, name)
        if self.life.attempt("disable", faults, lambda: members.disable(self.cast(actor), name)):
            self.rules.people[name].active = False

    @precondition(lambda self: sum(map(len, self.cast.identities.values())) < 9)
    @rule(name=names)
    def rotate_own_keys(self, name: str) -> None:
        file = self.cast.people / f"{name}.own.{len(self.cast.identities[name])}.pem"
        faults = self.rules.replace_faults(name, name)
        if self.life.attempt("replace own", faults, lambda: members.replace_own(self.cast(name), file, None)):
            self.cast.adopt(file)

    @rule(actor=actors, name=names)
    def lose_a_key(self, actor: str, name: str) -> None:
        identity, public = self._fresh(name)
        faults = self.rules.replace_faults(actor, name)
        if self.life.attempt("lost", faults, lambda: members.replace_lost(self.cast(actor), name, public)):
            self.cast.take(identity)

    @precondition(lambda self: self.rules.teams.keys() < set(TEAMS))
    @rule(actor=actors, team=teams)
    def create_team(self, actor: str, team: str) -> None:
        faults = self.rules.team_faults(actor, team)
        if self.life.attempt("team", faults, lambda: members.create_team(self.cast(actor), team)):
            self.rules.teams[team] = set()

    @rule(actor=actors, team=teams, name=names)
    def join(self, actor: str, team: str, name: str) -> None:
        faults = self.rules.join_faults(actor, team, name)
        if self.life.attempt("join", faults, lambda: members.join_team(self.cast(actor), team, name)):
            self.rules.teams[team].add(name)

    @rule(actor=actors, team=teams, name=names, data=st.data())
    def leave(self, actor: str, team: str, name: str, data: st.DataObject) -> None:
        inside = sorted((team, name) for team, there in self.rules.teams.items() for name in there)
        if inside and data.draw(st.integers(0, 4)):  # mostly somebody who is in it
            team, name = data.draw(st.sampled_from(inside))
        faults = self.rules.leave_faults(actor, team, name)
        if self.life.attempt("leave", faults, lambda: members.leave_team(self.cast(actor), team, name)):
            self.rules.teams[team].remove(name)

    # --- grants and keys ------------------------------------------------------------------------

    @rule(actor=actors, grantee=grantees, actions=rights, place=places, after=hours)
    def grant(self, actor: str, grantee: str, actions: set[str], place: str, after: int | None) -> None:
        until = None if after is None else self.life.now + timedelta(hours=after)
        said = None if until is None else acts.timestamp(until)
        faults = self.rules.grant_faults(actor, grantee, place, until, self.life.now)
        if self.life.attempt(
            "grant", faults, lambda: access.grant(self.cast(actor), grantee, actions, place, said)
        ):
            self.rules.grant(grantee, actions, place, until)

    @rule(
        actor=actors, grantee=grantees, place=places, actions=rights, data=st.data(), reencrypt=st.booleans()
    )
    def revoke(
        self,
        actor: str,
        grantee: str,
        place: str,
        actions: set[str],
        data: st.DataObject,
        reencrypt: bool,
    ) -> None:
        if self.rules.grants and data.draw(st.integers(0, 4)):  # mostly what stands, whole or in part
            grantee, action, place = data.draw(st.sampled_from(sorted(self.rules.grants)))
            standing = {a for g, a, p in self.rules.grants if (g, p) == (grantee, place)}
            actions = {action} | (actions & standing)
        faults = self.rules.revoke_faults(actor, grantee, actions, place, self.life.now)
        if self.life.attempt(
            "revoke",
            faults,
            lambda: access.revoke(self.cast(actor), grantee, actions, place, reencrypt=reencrypt),
        ):
            self.rules.revoke(grantee, actions, place)

    @rule(actor=actors, vault=st.sampled_from(("/", *TEAMS, *PLACES)), reencrypt=st.booleans())
    def rotate_a_vault(self, actor: str, vault: str, reencrypt: bool) -> None:
        faults = self.rules.rotate_faults(actor, vault, self.life.now)
        self.life.attempt(
            "rotate", faults, lambda: access.rotate(self.cast(actor), vault, reencrypt=reencrypt)
        )

    # --- versions -------------------------------------------------------------------------------

    @rule(actor=actors, model=models, seed=st.integers(0, 3), prod=st.booleans())
    def push(self, actor: str, model: str, seed: int, prod: bool) -> None:
        aliases = ("prod",) if prod else ()
        faults = self.rules.push_faults(actor, model, aliases, self.life.now)
        file = self.life.file(seed)
        if self.life.attempt(
            "push", faults, lambda: push.push(self.cast(actor), file, model, aliases=aliases)
        ):
            self.life.versions[model].append(Version(file.read_bytes()))
            self.rules.open(model)

    def _missing(self, model: str, number: int) -> Faults:
        return set() if self.life.version(model, number) else {MISSING}

    @rule(actor=names, model=models, number=numbers)
    def pull(self, actor: str, model: str, number: int) -> None:
        found = self.life.version(model, number)
        faults = self.rules.pull_faults(actor, model, self.life.now) | self._missing(model, number)
        faults |= {DENIED} if found and found.yanked else set()
        self.life.attempt("pull", faults, lambda: self.life.read(actor, model, number))

    @rule(actor=actors, model=models, number=numbers)
    def alias(self, actor: str, model: str, number: int) -> None:
        found = self.life.version(model, number)
        faults = self.rules.promote_faults(actor, model, self.life.now) | self._missing(model, number)
        faults |= {DENIED} if found and found.yanked else set()
        self.life.attempt(
            "alias", faults, lambda: catalog.alias(self.cast(actor), f"{model}:{number}", "prod")
        )

    @rule(actor=actors, model=models, number=numbers)
    def yank(self, actor: str, model: str, number: int) -> None:
        found = self.life.version(model, number)
        faults = self.rules.promote_faults(actor, model, self.life.now) | self._missing(model, number)
        faults |= {CONFLICT} if found and found.yanked else set()
        if self.life.attempt(
            "yank", faults, lambda: catalog.yank(self.cast(actor), f"{model}:{number}", "x")
        ):
            assert found is not None
            found.yanked = True

    # --- time, thieves, old keys ----------------------------------------------------------------

    @rule(by=st.sampled_from((1, 4, 23)))
    def time_passes(self, by: int) -> None:
        self.cast.clock.forward(timedelta(hours=by))

    @rule(name=names)
    def somebody_copies_everything(self, name: str) -> None:
        self.life.burgle(self.life.copied(), name)

    @precondition(lambda self: any(len(made) > 1 for made in self.cast.identities.values()))
    @rule(data=st.data(), model=models)
    def an_old_key_is_used(self, data: st.DataObject, model: str) -> None:
        replaced = sorted(name for name, made in self.cast.identities.items() if len(made) > 1)
        name = data.draw(st.sampled_from(replaced))
        faults = {DENIED} | self._missing(model, 1)
        self.life.attempt("old key", faults, lambda: self.cast.fetch(name, f"{model}:1", key=-2))


def _past(directory: Path) -> Past:
    """Two models with readers by every way; everybody has kept what keys they could get. dee is nobody."""
    cast, rules = Cast.found(directory), Rules({FOUNDER: Person("admin")})
    root = cast(FOUNDER)
    for name in NAMES:
        public = cast.public(name)
        if name != NAMES[-1]:
            members.add(root, public)
            rules.people[name] = Person("member")
    members.create_team(root, "ml")
    members.join_team(root, "ml", "cy")
    rules.teams["ml"] = {"cy"}
    versions: dict[str, list[Version]] = {model: [] for model in MODELS}
    for seed, model in enumerate((MODELS[0], MODELS[2])):
        file = tiny(directory / "models", seed)
        push.push(root, file, model)
        rules.open(model)
        versions[model].append(Version(file.read_bytes()))
    for grantee, actions, place in (
        ("ann", ["pull"], "v/a"),
        ("ben", ["grant"], "s/"),
        ("ml", ["pull"], "v/"),
    ):
        access.grant(root, grantee, actions, place)
        rules.grant(grantee, actions, place, None)
    loot = Loot(cast.home, directory / "loot")
    hoards = {name: burgle(loot, cast.keys(name)).keys for name in cast.identities}
    cast.close()
    return Past(cast.home, cast.identities, rules, versions, hoards)


def test_random_lives_follow_the_rules(quick: Path) -> None:
    Registry.past = _past(quick / "past")
    Registry.played.clear()
    run_state_machine_as_test(
        Registry,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=False,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    told = ", ".join(f"{kind} {count}" for kind, count in sorted(Registry.played.items()))
    print(f"{EXAMPLES} lives: {told}")
    if EXAMPLES >= 100:
        for kind in ("enroll", "disable", "grant", "revoke", "rotate", "push", "pull", "join", "lost"):
            assert Registry.played[kind], f"no {kind} ever succeeded: {told}"
            assert Registry.played[f"{kind} refused"], f"no {kind} was ever refused: {told}"
