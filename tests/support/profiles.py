"""The kinds of people that the matrix of access is about, generated so that every pair of traits occurs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import combinations, product

ROLES = ("member", "admin", "auditor", "stranger")
RIGHTS = ("pull", "push", "promote", "grant", "pull+push", "push+promote", "push+grant", "all")
PLACES = ("vision/", "vision/a", "vision/b", "sound/")
TERMS = ("unlimited", "lasting", "ended")
WAYS = ("direct", "team", "former")
STATES = ("active", "disabled", "replaced", "lost", "revoked")


@dataclass(frozen=True)
class Profile:
    """Somebody: ``rights`` may be empty, and then place, term and way say nothing."""

    role: str
    state: str
    rights: str = ""
    place: str = ""
    term: str = ""
    way: str = ""

    def __str__(self) -> str:
        traits = (self.rights or "nothing", self.place, self.term, self.way, self.state)
        return "-".join([self.role, *(trait.replace("/", ".") for trait in traits if trait)])

    @property
    def actions(self) -> list[str]:
        """What they are granted."""
        return ["pull", "push", "promote", "grant"] if self.rights == "all" else self.rights.split("+")


def profiles(count: int) -> list[Profile]:
    """So many people. Every pair of traits occurs among the members, and every role in every state."""
    states = STATES[:-1]  # nothing granted, nothing revoked
    found = [Profile(role, state) for role in ROLES[:-1] for state in states] + [
        Profile("stranger", "active")
    ]
    found += [Profile("admin", state, "pull", "vision/", "ended", "direct") for state in states]
    everybody = list(product(RIGHTS, PLACES, TERMS, WAYS, STATES))
    random.Random("matrix").shuffle(everybody)
    missing = {pair for traits in everybody for pair in combinations(enumerate(traits), 2)}
    while len(found) < count or missing:
        best = max(everybody, key=lambda traits: len(missing & set(combinations(enumerate(traits), 2))))
        missing -= set(combinations(enumerate(best), 2))
        everybody.remove(best)
        rights, place, term, way, state = best
        found.append(Profile("member", state, rights, place, term, way))
    return found
