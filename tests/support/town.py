"""A registry full of people of every kind, with a life behind them: the world of the access matrix.

First everybody is enrolled and granted what their profile says, the early versions are pushed, and a copy of
everything is taken (``early``). Then people are disabled, lose keys, leave teams, and grants are revoked, or
end. The late versions are pushed, and a second copy is taken (``late``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from registry import access, catalog, checkout, members, push
from registry.crypto.identity import Identity
from registry.errors import Denied
from support.burglar import Haul, Loot, burgle
from support.cast import FOUNDER, Cast, refused, tiny
from support.picklock import Key
from support.profiles import Profile
from support.rules import Person, Rules

EARLY = ("vision/a", "vision/b", "sound/c")
LATE = (*EARLY, "vision/late")  # the last one comes after every grant
MODEL = "vision/a"  # what the matrix asks about at the door
_AFTER = {"lasting": timedelta(days=30), "ended": timedelta(hours=1)}


@dataclass
class Hoard:
    """What somebody had before things changed: what they opened then, and what they kept of it."""

    may: set[str]  # models
    haul: Haul


class Town:
    """The world. ``rules`` is what should hold in it, ``cast`` are its people."""

    def __init__(self, directory: Path, profiles: Sequence[Profile]) -> None:
        self.cast, self.rules = Cast.found(directory), Rules({FOUNDER: Person("admin")})
        self.people = {f"p{number}": profile for number, profile in enumerate(profiles)}
        self.named = {profile: name for name, profile in self.people.items()}
        self._models, self._probes, self._copies = directory / "models", 0, 0
        self._enroll()
        self._push(EARLY, 1)
        self.early, self.then = Loot(self.cast.home, directory / "early"), self.now
        self.hoards = {name: self._hoard(name) for name in self.people}
        self._change()
        self._push(LATE, 2)
        self.late = Loot(self.cast.home, directory / "late")

    @property
    def now(self) -> datetime:
        return self.cast.clock.moment

    def close(self) -> None:
        self.cast.close()

    # --- its history ----------------------------------------------------------------------------

    def _enroll(self) -> None:
        root, rules = self.cast(FOUNDER), self.rules
        for name, profile in self.people.items():
            public = self.cast.public(name)
            if profile.role != "stranger":
                members.add(root, public, profile.role)
                rules.people[name] = Person(profile.role)
            if profile.way in ("team", "former"):
                members.create_team(root, f"t-{name}")
                members.join_team(root, f"t-{name}", name)
                rules.teams[f"t-{name}"] = {name}
            if profile.rights:
                self._grant(name, profile)

    def _grant(self, name: str, profile: Profile) -> None:
        grantee = name if profile.way == "direct" else f"t-{name}"
        after = _AFTER.get(profile.term)
        until = self.cast.clock.after(after) if after else None
        access.grant(self.cast(FOUNDER), grantee, profile.actions, profile.place, until)
        self.rules.grant(grantee, profile.actions, profile.place, self.now + after if after else None)

    def _push(self, models: Sequence[str], number: int) -> None:
        for place, model in enumerate(models):
            push.push(self.cast(FOUNDER), tiny(self._models, 10 * number + place), model)

    def _hoard(self, name: str) -> Hoard:
        # The door helps: whoever may pull now gets their limited shares uncovered, and keeps them.
        keys = [*self.cast.keys(name), self.cast.release_key()]
        may = {model for model in EARLY if self.rules.may(name, "pull", model, self.now)}
        return Hoard(may, burgle(self.early, keys))

    def _change(self) -> None:
        root, rules = self.cast(FOUNDER), self.rules
        for name, profile in self.people.items():
            grantee = name if profile.way == "direct" else f"t-{name}"
            if profile.way == "former":
                members.leave_team(root, grantee, name)
                rules.teams[grantee].remove(name)
            match profile.state:
                case "disabled":
                    members.disable(root, name)
                    rules.people[name].active = False
                case "replaced":
                    file = self.cast.people / f"{name}.pem"
                    members.replace_own(self.cast(name), file, None)
                    self.cast.adopt(file)
                case "lost":
                    members.replace_lost(root, name, self.cast.public(name))
                case "revoked":
                    access.revoke(root, grantee, profile.actions, profile.place)
                    rules.revoke(grantee, profile.actions, profile.place)
        self.cast.clock.forward(timedelta(hours=2))

    # --- at the door ----------------------------------------------------------------------------

    def pull(self, name: str) -> Exception | None:
        """Somebody checks the model out; return what they are refused with."""
        return refused(lambda: checkout.checkout(self.cast(name), f"{MODEL}:1"), Denied)

    def push(self, name: str) -> Exception | None:
        """Somebody pushes to the model."""
        return refused(lambda: push.push(self.cast(name), tiny(self._models, 20), MODEL), Denied)

    def promote(self, name: str) -> Exception | None:
        """Somebody moves an alias."""
        return refused(lambda: catalog.alias(self.cast(name), f"{MODEL}:1", "prod"), Denied)

    def grant(self, name: str) -> Exception | None:
        """Somebody lets a newcomer read for a minute."""
        until = self.cast.clock.after(timedelta(minutes=1))
        probe = self._newcomer
        error = refused(lambda: access.grant(self.cast(name), probe, ["pull"], MODEL, until), Denied)
        if error is None:  # next time it has to be somebody to whom the key is sealed anew
            del self._newcomer
        return error

    @cached_property
    def _newcomer(self) -> str:
        self._probes += 1
        members.add(self.cast(FOUNDER), self.cast.public(f"probe{self._probes}"))
        return f"probe{self._probes}"

    # --- behind it ------------------------------------------------------------------------------

    def readable(self, name: str) -> set[str]:
        """The models that a copy of everything tells this person, by the rules."""
        return {model for model in LATE if self.rules.keeps(name, model, self.now)}

    def copied(self) -> Loot:
        """Everything as it is by now: the tests at the door add grants and versions."""
        self._copies += 1
        return Loot(self.cast.home, self._models.with_name(f"copy{self._copies}"))

    def everybody(self) -> list[Key]:
        """All keys there are, but for the door's."""
        return [key for name in self.cast.identities for key in self.cast.keys(name)]

    def older(self, name: str) -> list[Identity]:
        """The keys that somebody had before the ones they have now."""
        return self.cast.identities[name][:-1]
