"""Who joins and leaves, and which teams they are in."""

from __future__ import annotations

from benchmarks.ledgers import keys, names
from benchmarks.ledgers.company import ENGINEER, Member
from benchmarks.ledgers.granting import Granting
from benchmarks.ledgers.intents import Intent, Office, nothing
from registry import acts
from registry.crypto import possession

_ROLES: dict[str, acts.Role] = {"admin": "admin", "auditor": "auditor"}
_SERVICES = 0.3  # of those who join
_LOST = 0.04  # of the keys that are replaced: an admin does it, and every vault begins anew


class Staffing:
    """Proposes enrolments, departures, new keys, and changes of teams."""

    def __init__(self, office: Office, granting: Granting) -> None:
        self._office, self._granting = office, granting
        self._company, self._chance = office.company, office.chance
        self._teams = 0

    def enroll(self) -> Intent:
        """A person or a service, seldom an auditor."""
        if len(self._company.auditors) < self._office.sizes.auditors and self._chance.yes(0.1):
            return self.welcome(self._company.newcomer("auditor", ""))
        space = self._chance.early(self._company.namespaces, 1.6)
        kind = "service" if self._chance.yes(_SERVICES) else "person"
        return self.welcome(self._company.newcomer(kind, space.name))

    def welcome(self, member: Member) -> Intent:
        """Somebody is enrolled, and gets what belongs to their work with the next acts."""
        identity = possession.prove(keys.identity(self._office.seed, member.name))
        body = acts.Enroll(member.name, identity, _ROLES.get(member.kind, "member"))
        return Intent(body, self._office.admin(), lambda: self._joined(member))

    def _joined(self, member: Member) -> None:
        self._company.join(member)
        space = next((one for one in self._company.namespaces if one.name == member.home), None)
        if space is None or member in (space.lead, space.ci):
            return
        if member.kind == "person":
            space.people.append(member)
            body = acts.TeamAdd(space.name, member.name)
            self._office.waiting.append(lambda: Intent(body, self._office.admin(), nothing))
        else:
            count = self._chance.between(1, 3)
            self._office.waiting.extend([lambda: self._granting.serve(member, space)] * count)

    def disable(self) -> Intent | None:
        """A service is switched off, or a person leaves."""
        services = [one for one in self._company.services if one.kind == "service"]
        group = services if self._chance.yes(0.6) else self._company.people
        member = self._chance.one(group) if len(group) > 3 else None
        if member is None or self._stays(member):
            return None
        body = acts.Disable(member.name, self._chance.one(names.LEFT))
        return Intent(body, self._office.admin(), lambda: self._company.leave(member))

    def _stays(self, member: Member) -> bool:
        return member.name == ENGINEER or any(member is one.lead for one in self._company.namespaces)

    def replace(self) -> Intent | None:
        """Somebody has new keys."""
        member = self._chance.one(self._company.people + self._company.services)
        if member.name == ENGINEER:
            return None
        fresh = possession.prove(keys.identity(self._office.seed, member.name, member.generation + 1))
        by = self._office.admin() if self._chance.yes(_LOST) else member

        def done() -> None:
            member.generation += 1

        return Intent(acts.Replace(member.name, fresh), by, done)

    def team(self) -> Intent:
        """A crew for some project."""
        space = self._chance.one(self._company.namespaces)
        self._teams += 1
        name = f"{space.name}-crew-{self._teams}"
        return Intent(acts.Team(name), self._office.admin(), lambda: space.teams.append(name))

    def team_add(self) -> Intent:
        """A person joins one more team."""
        space = self._chance.one(self._company.namespaces)
        team, member = self._chance.late(space.teams, 1.5), self._chance.one(self._company.people)
        return Intent(acts.TeamAdd(team, member.name), self._office.admin(), nothing)

    def team_remove(self) -> Intent | None:
        """A person leaves a team."""
        space = self._chance.one(self._company.namespaces)
        team = self._chance.late(space.teams, 2)
        stay = (space.lead.name, ENGINEER)
        inside = [one for one in self._company.state.members_of(team) if one not in stay]
        if not inside:
            return None
        body = acts.TeamRemove(team, self._chance.one(inside))
        return Intent(body, self._office.admin(), self._office.narrowed)
