"""What the door refused: by accident mostly, by stubborn programs in floods, and by somebody who tries."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.ledgers import names
from benchmarks.ledgers.chance import Chance, Weighted, stream
from benchmarks.ledgers.company import Company, Member, Model
from benchmarks.ledgers.policies import NAMES
from registry.acts import Refusal
from registry.errors import BadSignature, Denied, Disabled, NotPermitted, PolicyDenied, RegistryError, Yanked

_MESSAGE = 255  # characters, as the door cuts them
_KINDS = Weighted(
    [("stranger", 46.0), ("policy", 17.0), ("yanked", 12.0), ("gone", 9.0), ("unknown", 6.0), ("forged", 1.0),
     ("grant", 3.0), ("clock", 2.0), ("lease", 4.0)]
)  # fmt: skip


_FORBIDDEN = "forbidden by policy %r"
_FORGED = "the signature does not verify"
_UNKNOWN = "this identity is not a member of the registry"
_CLOCK = "the act's time is too far from the registry's"
Tried = tuple[str, str, str, RegistryError]  # by whom, which kind of act, on what, and why not


class Storm(NamedTuple):
    """A program that asks again and again: who, and what for."""

    member: Member
    model: Model


class Door:
    """Proposes refusals, which the ledger's own key signs."""

    def __init__(self, company: Company, seed: str) -> None:
        self._company, self._seed = company, seed
        self._chance = Chance(seed, "door")
        self._count = 0
        self._storms: dict[int, Storm] = {}

    def refuse(self, time: str) -> Refusal | None:
        """One refusal, told in full."""
        if not self._company.published or not self._company.people:
            return None
        return self._told(time, *self._tried(_KINDS.draw(self._chance), time))

    def storm(self, number: int, time: str) -> Refusal | None:
        """One of many by the same member on the same model."""
        if number not in self._storms:
            company = self._company
            if not company.published or not company.services:
                return None
            found = Storm(self._chance.one(company.services), self._chance.one(company.published))
            self._storms[number] = found
        member, model = self._storms[number]
        return self._told(time, *_pulled(member, model))

    def count(self, number: int, since: str) -> Refusal | None:
        """What was only counted of a storm."""
        storm = self._storms.get(number)
        many = int(10 ** (1 + 2.7 * self._chance.random()))
        return storm and Refusal(member=storm.member.name, count=many, since=since)

    def _told(self, time: str, member: str, kind: str, target: str, error: RegistryError) -> Refusal:
        self._count += 1
        # Who asks whether they may push has not signed an act yet.
        act = None if kind == "push" else stream(self._seed, 32, "refused", self._count).hex()
        return Refusal(
            member=member,
            count=1,
            since=time,
            code=error.code,
            message=str(error)[:_MESSAGE],
            attempt=kind,
            target=target,
            act=act,
        )

    def _tried(self, kind: str, time: str) -> Tried:
        company, chance = self._company, self._chance
        model, member = chance.early(company.published, 1.5), self._somebody()
        version = f"{model.name}:{chance.between(1, len(model.versions))}"
        match kind:
            case "policy":
                on = f"pull {version} as {member.name}"
                return member.name, "pull", version, PolicyDenied(_FORBIDDEN % chance.one(NAMES), on=on)
            case "yanked" if model.yanked:
                version = f"{model.name}:{chance.one(sorted(model.yanked))}"
                withdrawn = Yanked(f"the version was yanked: {chance.one(names.YANKS)}", on=version)
                return member.name, "pull", version, withdrawn
            case "gone" if company.gone:
                member = chance.late(company.gone, 2)
                return member.name, "pull", version, Disabled("the member is disabled", on=member.name)
            case "unknown" | "forged":
                return "", "pull", version, self._unproven(kind == "forged")
            case "lease":
                return "", "push", model.name, _foreign(member, "push", model)
            case "clock":
                return member.name, "pull", version, Denied(_CLOCK, on=time)
            case "grant" if not company.may(member, "grant", model.name, time):
                return member.name, "grant", model.name, _foreign(member, "grant", model)
        return self._stranger(time)

    def _unproven(self, forged: bool) -> RegistryError:
        key = f"key {stream(self._seed, 8, 'stranger', self._chance.below(40)).hex()}"
        return BadSignature(_FORGED, on=key) if forged else NotPermitted(_UNKNOWN, on=key)

    def _stranger(self, time: str) -> Tried:
        """Somebody who has no right there; a few try again and again."""
        for _ in range(20):
            member, model = self._somebody(), self._chance.one(self._company.published)
            if not self._company.may(member, "pull", model.name, time):
                break
        return _pulled(member, model)

    def _somebody(self) -> Member:
        company = self._company
        if self._chance.yes(0.3) and company.services:
            return self._chance.early(company.services, 1.6)
        return self._chance.early(company.people, 1.6)


def _pulled(member: Member, model: Model) -> Tried:
    return member.name, "pull", f"{model.name}:{len(model.versions)}", _foreign(member, "pull", model)


def _foreign(member: Member, action: str, model: Model) -> NotPermitted:
    return NotPermitted(f"{member.name} may not {action} here", on=model.name)
