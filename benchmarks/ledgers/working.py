"""What people and machines do with models, day by day."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.ledgers import names, versions
from benchmarks.ledgers.chance import Chance, Weighted
from benchmarks.ledgers.company import Company, Member, Model, Namespace, Published
from benchmarks.ledgers.moments import DAY, HOUR
from benchmarks.ledgers.versions import Parent, Publication, Statement
from registry import acts

Done = tuple[Member, acts.Body | Publication | Statement]
_TRIES = 30  # proposals before somebody who may do everything does it
_POPULAR = 1.8  # the first services pull most
_CUSTOM = "https://example.com/review/v1"
_FAILURES = Weighted(
    [("bad-digest", 3.0), ("bad-encryption", 2.0), ("hostile-content", 2.0), ("bad-content", 1.0)]
)
_STEPS = {"bad-encryption": 9, "bad-digest": 10, "hostile-content": 11, "bad-content": 11}


class _Wish(NamedTuple):
    member: Member
    model: Model
    version: Published | None
    purpose: str


class Worker:
    """Proposes deeds that somebody may do at a moment."""

    def __init__(self, company: Company, seed: str, admin: Member) -> None:
        self._company, self._seed, self._admin = company, seed, admin
        self._chance = Chance(seed, "work")

    # --- pulls ----------------------------------------------------------------------------------

    def pull(self, moment: int, time: str) -> Done | None:
        """Somebody asks for a version's keys; None as long as there is nothing to ask for."""
        for _ in range(_TRIES if self._company.published else 0):
            wish = self._wish(moment)
            if wish and wish.version and self._company.may(wish.member, "pull", wish.model.name, time):
                return wish.member, _pull(wish.model, wish.version, wish.purpose)
        newest = ((model, model.newest()) for model in reversed(self._company.published))
        found = next(((model, version) for model, version in newest if version), None)
        return (self._admin, _pull(*found, "verify")) if found else None

    def _wish(self, moment: int) -> _Wish | None:
        """What somebody wants to pull: a service mostly, at night and at weekends hardly anybody else."""
        company, drawn = self._company, self._chance.random()
        night = self._night(moment)
        if company.used and (night or drawn < 0.8):
            member, model = self._chance.early(company.used, _POPULAR)
            return _Wish(member, model, model.promoted(), names.MACHINES.get(member.use, "quantize"))
        space = self._chance.early(company.namespaces, 1.5)
        if not space.models:
            return None
        if drawn < 0.9:
            model = self._chance.late(space.models, 1.5)
            return _Wish(space.ci, model, model.newest(), self._chance.one(("evaluate", "quantize")))
        return self._curious(space) if company.people else None

    def _curious(self, space: Namespace) -> _Wish:
        """A person tries a version, mostly a new one."""
        member = self._chance.one(space.people or self._company.people)
        model = self._chance.early(space.models, 1.4)
        version = self._chance.late(model.versions, 3) if model.versions else None
        if version is not None and version.number in model.yanked:
            version = model.newest()
        return _Wish(member, model, version, self._chance.one(names.PURPOSES))

    def _night(self, moment: int) -> bool:
        return not 7 <= (moment % DAY) // HOUR < 20 and self._chance.yes(0.96)

    def failure(self, moment: int, time: str) -> Done | None:
        """A checkout that its puller complains of."""
        pulled = self.pull(moment, time)
        if pulled is None or not isinstance(pulled[1], acts.Pull):
            return None
        body, code = pulled[1], _FAILURES.draw(self._chance)
        said = (body.model, body.number, body.digest, body.purpose, _STEPS[code], code)
        return pulled[0], acts.Failure(*said)

    # --- publishing -----------------------------------------------------------------------------

    def push(self, moment: int, time: str) -> Done | None:
        """The next version of some model; a model without one has it first."""
        if not self._company.models:
            return None
        for _ in range(_TRIES):
            model = self._pushed()
            by = self._somebody(model, "push", time)
            if by is not None and (by.kind == "ci" or self._company.may(by, "promote", model.name, time)):
                return by, self._publish(model, by)
        return None

    def _pushed(self) -> Model:
        fresh = self._company.models[-1 - self._chance.below(min(6, len(self._company.models)))]
        if not fresh.versions:
            return fresh
        if self._company.published and self._chance.yes(0.85):
            return self._chance.early(self._company.published, 2)
        return self._chance.one(self._company.models)

    def _publish(self, model: Model, by: Member) -> Publication:
        number, chance = len(model.versions) + 1, self._chance
        epoch = self._company.state.vaults[model.name].epoch
        metadata = {"run": f"{model.namespace}-{chance.below(100_000):05}"} if chance.yes(0.6) else {}
        if chance.yes(0.1):
            metadata["note"] = chance.one(names.NOTES)
        parent = self._parent(model)
        label = f"{1 + number // 20}.{number % 20}.0" if chance.yes(0.3) else None
        aliases = ("candidate",) if chance.yes(0.1) else ()
        self._keep(model, number, epoch, by)
        model.aliases |= dict.fromkeys(aliases, number)
        proven = parent is not None and chance.yes(0.5)
        return Publication(model.name, number, model.files, epoch, label, aliases, metadata, parent, proven)

    def _keep(self, model: Model, number: int, epoch: int, by: Member) -> None:
        """The version is there, and so are its blobs."""
        files = versions.files_of(self._seed, model.name, number, model.files)
        for blob in versions.blobs_of(self._seed, model.name, number, files, epoch):
            model.blobs[blob.content] = blob
        if not model.versions:
            self._company.published.append(model)
        model.versions.append(Published(number, versions.digest_of(model.name, files), by))

    def _parent(self, model: Model) -> Parent | None:
        if model.base is None or not model.base.versions:
            return None
        version = self._chance.late(model.base.versions, 2)
        return Parent(f"{model.base.name}:{version.number}", version.digest)

    def _somebody(self, model: Model, action: acts.Action, time: str) -> Member | None:
        """Who does it: the build machine, the lead, or somebody of the team."""
        space, drawn = self._company.space(model.name), self._chance.random()
        member = space.ci if drawn < 0.6 or not space.people else self._chance.one(space.people)
        return member if self._company.may(member, action, model.name, time) else None

    # --- about versions -------------------------------------------------------------------------

    def alias(self, moment: int, time: str) -> Done | None:
        """A version goes into production, or to where it is tried."""
        model, version = self._version()
        by = self._somebody(model, "promote", time) if model else None
        if model is None or version is None or by is None:
            return None
        name = self._chance.early(names.ALIASES, 1.8)
        model.aliases[name] = version.number
        return by, acts.Alias(model.name, version.number, version.digest, name)

    def yank(self, moment: int, time: str) -> Done | None:
        """A version is withdrawn."""
        model, version = self._version(3)
        by = self._somebody(model, "promote", time) if model else None
        if model is None or version is None or by is None or len(model.versions) - len(model.yanked) < 2:
            return None
        model.yanked.add(version.number)
        return by, acts.Yank(model.name, version.number, version.digest, self._chance.one(names.YANKS))

    def attest(self, moment: int, time: str) -> Done | None:
        """Somebody says more about a version: its lineage, its evaluation, a review."""
        model, version = self._version()
        if model is None or version is None:
            return None
        parent, drawn = self._parent(model), self._chance.random()
        kind = acts.LINEAGE if drawn < 0.4 else acts.EVALUATION if drawn < 0.85 else _CUSTOM
        kind = kind if parent or kind == _CUSTOM else _CUSTOM
        by = self._somebody(model, "push", time)
        if self._company.auditors and kind == _CUSTOM:
            by = self._chance.one(self._company.auditors)
        if by is None or not by.active:
            return None
        return by, Statement(model.name, version.number, version.digest, kind, parent)

    def _version(self, back: int = 1) -> tuple[Model | None, Published | None]:
        if not self._company.published:
            return None, None
        model = self._chance.early(self._company.published, 1.6)
        versions_ = [one for one in model.versions[-4 * back :] if one.number not in model.yanked]
        return model, self._chance.one(versions_) if versions_ else None


def _pull(model: Model, version: Published, purpose: str) -> acts.Pull:
    return acts.Pull(model.name, version.number, version.digest, purpose)
