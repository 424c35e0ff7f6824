"""Models, and who may do what with them."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.ledgers import names
from benchmarks.ledgers.company import Given, Member, Model, Namespace
from benchmarks.ledgers.intents import Intent, Office, nothing
from benchmarks.ledgers.moments import DAY
from benchmarks.ledgers.policies import policy
from registry import acts

EVERYTHING: tuple[acts.Action, ...] = ("pull", "push", "promote")
_DERIVED = 0.45  # of the models are made from another
_ELSEWHERE = 0.15  # of these from one of another namespace
_USED = 0.4  # of what services may pull they do pull
_FOR_EVER = 0.6  # of the grants to people on a model


class Granting:
    """Proposes grants and revocations, new models, new keys and new policies."""

    def __init__(self, office: Office) -> None:
        self._office, self._company, self._chance = office, office.company, office.chance
        self._policies = 0

    def create(self) -> Intent | None:
        """A model, in a namespace that is liked."""
        return self.open(self._chance.early(self._company.namespaces, 1.3))

    def open(self, space: Namespace) -> Intent | None:
        """A model in this namespace."""
        model = self._model(space)
        if model.name in self._company.by_name:
            return None
        by = space.ci if self._chance.yes(0.5) else space.lead
        return Intent(acts.Create(model.name), by, lambda: self._company.add(model))

    def _model(self, space: Namespace) -> Model:
        files = self._chance.between(1, 3)
        if space.models and self._chance.yes(_DERIVED):
            base = self._chance.early(
                self._company.models if self._chance.yes(_ELSEWHERE) else space.models, 1.5
            )
            stem = base.name.partition("/")[2]
            name = f"{space.name}/{stem}-{self._chance.one(names.DERIVED)}"
            return Model(name, space.name, base, files)
        tail = f"-{self._chance.one(names.SIZES)}" if self._chance.yes(0.6) else ""
        return Model(f"{space.name}/{self._chance.one(names.NOUNS)}{tail}", space.name, None, files)

    def grant(self) -> Intent | None:
        """To a service mostly, to a crew or to a person."""
        space, drawn = self._chance.early(self._company.namespaces, 1.3), self._chance.random()
        if not space.models or not self._company.people:
            return None
        model = self._chance.early(space.models, 1.4)
        services = [one for one in self._company.services if one.kind == "service"]
        if drawn < 0.4 and services:
            return self.serve(self._chance.one(services), space)
        if drawn < 0.55:
            crew = self._chance.one(self._chance.one(self._company.namespaces).teams)
            return self.give(self._granter(space), crew, ("pull",), model.name)
        person = self._chance.one(self._company.people)
        if drawn < 0.58:
            return self.give(self._granter(space), person.name, ("pull",), f"{space.name}/")
        actions = self._chance.one(_ACTIONS)
        return self.give(self._granter(space), person.name, actions, model.name, self._until())

    def _until(self) -> str | None:
        if self._chance.yes(_FOR_EVER):
            return None
        office = self._office
        return office.moments.text(office.moment + self._chance.between(3, 120) * DAY)

    def _granter(self, space: Namespace) -> Member:
        return space.lead if self._chance.yes(0.7) else self._office.admin()

    def serve(self, service: Member, space: Namespace) -> Intent | None:
        """A service gets a model, and may pull it day by day from then on."""
        if not space.models:
            return None
        model = self._chance.early(space.models, 1.6)
        by = self._granter(space)

        uses = self._chance.yes(_USED)

        def done() -> None:
            if uses:
                self._company.used.append((service, model))

        return self.give(by, service.name, ("pull",), model.name, done=done)

    def give(
        self,
        by: Member,
        grantee: str,
        actions: tuple[acts.Action, ...],
        target: str,
        until: str | None = None,
        done: Callable[[], object] = nothing,
    ) -> Intent:
        """A grant."""

        def given() -> None:
            if until is not None:  # it takes the place of one that lasted for ever
                self._office.narrowed()
            if not target.endswith("/"):
                self._company.given.append(Given(grantee, actions, target))
            done()

        return Intent(acts.Grant(grantee, actions, target, until), by, given)

    def revoke(self) -> Intent | None:
        """A grant on a model is taken back."""
        if not self._company.given:
            return None
        at = self._chance.below(len(self._company.given))
        given = self._company.given[at]
        space = self._company.space(given.target)

        def done() -> None:
            self._company.given.pop(at)
            self._company.revoked(given)

        return Intent(acts.Revoke(given.grantee, given.actions, given.target), self._granter(space), done)

    def rotate(self) -> Intent:
        """New keys, just in case: of a model, seldom of a namespace."""
        space = self._chance.one(self._company.namespaces)
        if not space.models or self._chance.yes(0.05):
            return Intent(acts.Rotate(f"{space.name}/"), self._office.admin(), nothing)
        return Intent(acts.Rotate(self._chance.one(space.models).name), self._granter(space), nothing)

    def policy(self) -> Intent:
        """Other policies."""
        self._policies += 1
        return Intent(acts.Policy(policy(self._policies)), self._office.admin(), nothing)


_ACTIONS: tuple[tuple[acts.Action, ...], ...] = (("pull",), ("pull",), ("pull", "push"), EVERYTHING)
