"""Members as the law had them when an act came into the ledger, and since when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from registry import acts, ledger
from registry.acts import Act
from registry.crypto import dsse
from registry.errors import BadProof
from registry.law.law import Law
from registry.policy.facts import entity
from registry.records.projection import attested

NOBODY: Final = "nobody"
_DAY: Final = 86_400  # seconds
_TYPE: Final = 500  # characters of a predicate type


@dataclass(frozen=True)
class Person:
    """A member at a moment; ``Person("")`` is nobody that is known."""

    name: str
    role: str = NOBODY
    days: int = 0
    teams: tuple[str, ...] = ()

    def entity(self) -> dict[str, Any]:
        """The schema's Member."""
        return {
            "uid": {"type": "Member", "id": self.name},
            "attrs": {"name": self.name, "role": entity("Role", self.role), "days": self.days},
            "parents": [{"type": "Team", "id": team} for team in self.teams],
        }


@dataclass
class Register:
    """Since when everybody is a member: read once each, from acts that the law holds."""

    _since: dict[str, datetime] = field(default_factory=dict)

    def since(self, connection: sa.Connection, law: Law, name: str) -> datetime | None:
        """When the member was enrolled, by the act that did it; None for who is no member.

        Raises BadProof where the database shows another act in its place.
        """
        member = law.state.members.get(name)
        if member is None:
            return None
        if name not in self._since:
            seq = law.entry(member.keys.first())
            act = acts.decode(dsse.Envelope.from_bytes(ledger.entry(connection, seq).envelope).payload)
            enrols = isinstance(act.body, acts.Genesis | acts.Enroll) and act.body.name == name
            if not enrols or not law.holds(act):
                raise BadProof(
                    "the database shows another act in the place of an enrolment", on=f"entry {seq}"
                )
            self._since[name] = moment(act.header.time)
        return self._since[name]


class People:
    """Everybody, at the position of the law at which one act is looked at."""

    def __init__(self, connection: sa.Connection, law: Law, register: Register, act: Act, at: int) -> None:
        self._connection, self._law, self._register, self._at = connection, law, register, at
        self._time = moment(act.header.time)
        self.signer = _signer(law, act)

    def person(self, name: str) -> Person:
        """A member; nobody where there is no such member."""
        member = self._law.state.members.get(name)
        if member is None:
            return Person(name)
        teams = tuple(self._law.state.teams_of(name, self._at))
        return Person(name, member.role, self.days(name), teams)

    def is_team(self, name: str) -> bool:
        return self._law.state.has_team(name)

    def days(self, name: str) -> int:
        """Whole days since a member was enrolled; of a team, since its newest member was."""
        names = self._inside(name) if self.is_team(name) else [name]
        since = [found for one in names if (found := self._register.since(self._connection, self._law, one))]
        return min((max(0, int((self._time - one).total_seconds()) // _DAY) for one in since), default=0)

    def _inside(self, team: str) -> list[str]:
        return [name for name, there in self._law.state.teams[team].items() if there.at(self._at)]

    @staticmethod
    def attested(body: acts.Attest) -> str:
        """The predicate type of what was attested."""
        return attested(body.statement).type[:_TYPE]


def _signer(law: Law, act: Act) -> str:
    """Whose act it is, by a proven signature; of a refusal, who was refused."""
    match act.body:
        case acts.Genesis():
            return act.body.name
        case acts.Refusal():
            return act.body.member
    return law.signer(act).name


def moment(text: str) -> datetime:
    """The time of an act, RFC 3339."""
    return datetime.fromisoformat(text)
