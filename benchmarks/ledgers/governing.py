"""Which acts of the law there are, one after the other: a founding, and then years of small changes."""

from __future__ import annotations

from collections import Counter

from benchmarks.ledgers import names
from benchmarks.ledgers.chance import Weighted
from benchmarks.ledgers.company import AUDITOR, ENGINEER, Member, Namespace
from benchmarks.ledgers.granting import EVERYTHING, Granting
from benchmarks.ledgers.intents import Intent, Office, Proposal, nothing
from benchmarks.ledgers.staffing import Staffing
from registry import acts


class Governor:
    """Proposes acts of the law. Whether they may be is for the law to say."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._granting = Granting(office)
        self._staffing = Staffing(office, self._granting)
        self._left: Counter[str] = office.sizes.lawful
        self._kinds: dict[str, Proposal] = {
            "enroll": self._staffing.enroll,
            "disable": self._staffing.disable,
            "replace": self._staffing.replace,
            "team": self._staffing.team,
            "team-add": self._staffing.team_add,
            "team-remove": self._staffing.team_remove,
            "create": self._granting.create,
            "grant": self._granting.grant,
            "revoke": self._granting.revoke,
            "rotate": self._granting.rotate,
            "policy": self._granting.policy,
        }
        office.waiting.extend(self._founding())

    def propose(self, moment: int) -> Intent | None:
        """The next act; None where chance proposed something that makes no sense now."""
        self._office.moment = moment
        if self._office.waiting:
            return self._office.waiting.pop(0)()
        left = [(kind, count) for kind, count in self._left.items() if count > 0]
        kind = Weighted(left or [("grant", 1)]).draw(self._office.chance)
        self._left[kind] -= 1
        return self._kinds[kind]()

    def fallback(self) -> Intent:
        """An act that may always be."""
        company = self._office.company
        return self._staffing.welcome(company.newcomer("service", company.namespaces[0].name))

    def _founding(self) -> list[Proposal]:
        """Auditor, engineer, the other admins, and every namespace with its first models."""
        welcome, company = self._staffing.welcome, self._office.company
        engineer = Member(ENGINEER, "person", names.namespace(0), 0)
        found: list[Proposal] = [
            lambda: welcome(Member(AUDITOR, "auditor", "", 0)),
            lambda: welcome(engineer),
            *[lambda: welcome(company.newcomer("admin", ""))] * (self._office.sizes.admins - 1),
        ]
        for number in range(self._office.sizes.namespaces):
            found += self._namespace(names.namespace(number))
        return [*found, self._granting.policy]

    def _namespace(self, name: str) -> list[Proposal]:
        company, welcome, give = self._office.company, self._staffing.welcome, self._granting.give
        lead, ci, admin = company.newcomer("person", name), company.newcomer("ci", name), self._office.founder
        space = Namespace(name, lead, ci, people=[lead], teams=[name])
        company.found(space)
        return [
            lambda: welcome(lead),
            lambda: Intent(acts.Team(name), admin, nothing),
            lambda: Intent(acts.TeamAdd(name, lead.name), admin, nothing),
            lambda: give(admin, name, EVERYTHING, f"{name}/"),
            lambda: give(admin, lead.name, ("grant",), f"{name}/"),
            lambda: welcome(ci),
            lambda: give(lead, ci.name, EVERYTHING, f"{name}/"),
            lambda: self._granting.open(space),
            lambda: self._granting.open(space),
        ]
