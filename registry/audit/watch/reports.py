"""What the watch tells: a rule that matched, and the event that it matched."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from registry.audit.event import Event
from registry.audit.watch.rules import Rule

TYPE = "audit.rule.matched"
_LONG = 500  # characters of a text from outside


@dataclass(frozen=True)
class Report:
    """One rule and one event. ``id`` is the same whenever the same report is made again."""

    id: str
    rule: str
    severity: str
    say: str
    action: str  # which the rule matched: an act's kind, or what the watch found
    time: str  # of the event, RFC 3339
    registry: str
    event: Event

    def to_dict(self) -> dict[str, Any]:
        """The report as a webhook's data, and ``--json``, have it."""
        told = {name: _cut(value) for name, value in self.event.to_dict().items()}
        own = {"rule": self.rule, "severity": self.severity, "say": self.say, "action": self.action}
        return {"id": self.id, **own, "time": self.time, "registry": self.registry, "event": told}


Deliver = Callable[[Report], None]  # raises Unavailable where the report could not be brought


def report(rule: Rule, words: dict[str, str], said: Event, registry: str, about: str) -> Report:
    """``about`` tells events of one registry apart: an entry of the ledger, or a trouble."""
    action = words["action"]
    named = "\n".join((registry, rule.name, action, about))
    id = "msg_" + hashlib.sha256(named.encode()).hexdigest()[:32]
    return Report(id, rule.name, rule.severity, rule.saying(words), action, said.time, registry, said)


def _cut(value: Any) -> Any:
    return value[:_LONG] if isinstance(value, str) else value
