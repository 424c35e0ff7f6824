"""From questions to reports: the rules are asked, and what matches is delivered, unless it was just told."""

from __future__ import annotations

from registry.audit.event import Event
from registry.audit.watch.facts import Question
from registry.audit.watch.people import moment
from registry.audit.watch.reports import Deliver, report
from registry.audit.watch.rules import Rule, Rules
from registry.audit.watch.state import State


class Teller:
    """Asks the rules and delivers; ``count`` says how often it did."""

    def __init__(self, rules: Rules, deliver: Deliver, registry_id: str) -> None:
        self._rules, self._deliver, self._registry = rules, deliver, registry_id
        self.count = 0
        self._strange: set[str] = set()  # troubles from before there was anything to remember them in

    def entry(self, kept: State, question: Question, said: Event) -> None:
        """Report an entry of the ledger by every rule that matches it and is not to be quiet."""
        time = int(moment(said.time).timestamp())
        for rule in self._rules.matching(question):
            about = f"{rule.name} {said.actor}"
            if rule.quiet and time < kept.quiet.get(about, 0):
                continue
            self._tell(rule, question, said, f"entry {said.seq}")
            if rule.quiet:
                kept.quiet = {name: end for name, end in kept.quiet.items() if end > time}
                kept.quiet[about] = time + rule.quiet

    def trouble(self, kept: State | None, question: Question, said: Event, about: str, since: str) -> bool:
        """Report a trouble, by each rule once for as long as it lasts; whether there is something to keep.

        ``about`` names it, ``since`` tells one time from the next.
        """
        told = False
        for rule in self._rules.matching(question):
            name = f"{about} {rule.name}"
            if name in (self._strange if kept is None else kept.told):
                continue
            self._tell(rule, question, said, f"{about} {since}")
            told = True
            if kept is None:
                self._strange.add(name)
            else:
                kept.tell(name)
        return told and kept is not None

    def _tell(self, rule: Rule, question: Question, said: Event, about: str) -> None:
        self._deliver(report(rule, question.words, said, self._registry, about))
        self.count += 1
