"""Who and what there is in the company at a moment of its life."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.ledgers import keys, names
from benchmarks.ledgers.chance import Chance
from registry import acts
from registry.law import rights
from registry.law.state import State

ADMIN, AUDITOR, ENGINEER = "admin", "auditor", "engineer"


@dataclass(eq=False)
class Member:
    """Somebody who acts. ``kind`` is person, service, ci, admin or auditor; ``home`` their namespace."""

    name: str
    kind: str
    home: str
    number: int
    use: str = ""  # of a service
    generation: int = 0
    active: bool = True


@dataclass(frozen=True)
class Published:
    """A version that is there."""

    number: int
    digest: str
    publisher: Member


@dataclass(eq=False)
class Model:
    """A model and what is published of it. ``base`` is the one that it is made from."""

    name: str
    namespace: str
    base: Model | None = None
    files: int = 1
    versions: list[Published] = field(default_factory=list)
    aliases: dict[str, int] = field(default_factory=dict)
    yanked: set[int] = field(default_factory=set)
    blobs: dict[str, acts.Blob] = field(default_factory=dict)  # by content

    def newest(self) -> Published | None:
        """The newest version that is not yanked."""
        return next((one for one in reversed(self.versions) if one.number not in self.yanked), None)

    def promoted(self) -> Published | None:
        """What runs in production."""
        number = self.aliases.get("prod", 0)
        return self.versions[number - 1] if number and number not in self.yanked else self.newest()


@dataclass(eq=False)
class Namespace:
    """A part of the company: its lead may grant there, its team publishes, its build machine too."""

    name: str
    lead: Member
    ci: Member
    people: list[Member] = field(default_factory=list)
    services: list[Member] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Given:
    """A grant that was given and not taken back since."""

    grantee: str
    actions: tuple[acts.Action, ...]
    target: str


class Company:
    """Everything there is. ``narrowed`` counts the acts that took some right away."""

    def __init__(self, seed: str, state: State, chance: Chance) -> None:
        self.seed, self.state, self.chance = seed, state, chance
        self.members: dict[str, Member] = {}
        self.namespaces: list[Namespace] = []
        self._spaces: dict[str, Namespace] = {}
        self.models: list[Model] = []
        self.published: list[Model] = []  # those with a version
        self.by_name: dict[str, Model] = {}
        self.people: list[Member] = []
        self.services: list[Member] = []
        self.admins: list[Member] = []
        self.auditors: list[Member] = []
        self.gone: list[Member] = []
        self.given: list[Given] = []
        self.used: list[tuple[Member, Model]] = []  # what services pull, day by day
        self.narrowed = 0
        self._numbers = {"person": 0}
        self._rights: dict[tuple[str, str, str], tuple[int, str]] = {}

    # --- asking -------------------------------------------------------------------------------

    def may(self, member: Member, action: str, model: str, time: str) -> bool:
        """Whether a right is there; asked of the law once, and again when rights were taken back."""
        if not member.active:
            return False
        place = (member.name, action, model)
        narrowed, until = self._rights.get(place, (-1, ""))
        if narrowed != self.narrowed or time >= until:
            reasons = rights.why(self.state, member.name, action, model, time)
            until = (rights.longest(reasons).until or "9") if reasons else ""
            self._rights[place] = self.narrowed, until
        return time < until

    def keyid(self, member: Member) -> str:
        return keys.keyid(self.seed, member.name, member.generation)

    def space(self, model: str) -> Namespace:
        """The namespace that a model is in."""
        return self._spaces[model.partition("/")[0]]

    # --- changing -----------------------------------------------------------------------------

    def newcomer(self, kind: str, home: str) -> Member:
        """Somebody who is not enrolled yet, under a name that nobody has had."""
        if kind == "person":
            number = self._numbers["person"]
            self._numbers["person"] += 1
            return Member(names.person(number), kind, home, number)
        use = self.chance.one(list(names.MACHINES)) if kind == "service" else ""
        stem = {"service": f"{home}-{use}", "ci": f"ci-{home}"}.get(kind, kind)
        number = self._numbers[stem] = self._numbers.get(stem, 0) + 1
        return Member(f"{stem}-{number}", kind, home, number, use)

    def join(self, member: Member) -> None:
        """Somebody is enrolled."""
        if member.name in self.members:
            raise ValueError(f"two members are called {member.name}")
        self.members[member.name] = member
        {
            "person": self.people,
            "service": self.services,
            "ci": self.services,
            "admin": self.admins,
            "auditor": self.auditors,
        }[member.kind].append(member)

    def leave(self, member: Member) -> None:
        """Somebody is disabled."""
        member.active = False
        self.narrowed += 1
        self.gone.append(member)
        for space in self.namespaces:
            for group in (space.people, space.services):
                if member in group:
                    group.remove(member)
        for group in (self.people, self.services):
            if member in group:
                group.remove(member)
        self.used = [one for one in self.used if one[0] is not member]

    def revoked(self, given: Given) -> None:
        """A grant is taken back."""
        self.narrowed += 1
        what = given.grantee, given.target
        self.used = [(who, model) for who, model in self.used if (who.name, model.name) != what]

    def found(self, space: Namespace) -> None:
        """A namespace is planned."""
        self.namespaces.append(space)
        self._spaces[space.name] = space

    def add(self, model: Model) -> None:
        """A model is created."""
        self.models.append(model)
        self.by_name[model.name] = model
        self.space(model.name).models.append(model)
