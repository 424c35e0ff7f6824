"""Rules: Cedar policies that permit nothing. Where one matches an event, the watch reports it.

::

    @id("pull-at-night")            names the rule; webhooks and scripts may rely on it
    @severity("high")               info, low, medium (unless said), high or critical
    @say("{member} pulled {on}")    what to tell people; words in braces come from the event
    @quiet("1h")                    having reported a member, so long silent about them (s, m, h, d)
    permit (principal, action == Action::"pull", resource)
    when { context.hour >= 22 || context.hour < 6 };
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from registry import disk
from registry.audit.watch.facts import Question
from registry.audit.watch.schema import schema
from registry.errors import InvalidInput, InvalidPolicy
from registry.policy.parsing import read
from registry.policy.text import LIMIT

if TYPE_CHECKING:
    from cedarpy import PolicySet

SEVERITIES: Final = ("info", "low", "medium", "high", "critical")
SHIPPED: Final = Path(__file__).parent.parent / "rules" / "first.cedar"
# fmt: off
WORDS: Final = frozenset({
    "action", "alias", "attempt", "code", "count", "days", "detail", "grantee", "host", "hour", "member",
    "minutes", "models", "on", "program", "pulls", "purpose", "reason", "refusals", "rights", "role",
    "seq", "source", "step", "type", "weekday",
})
# fmt: on
_KNOWN = {"id", "severity", "say", "quiet"}
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONG = 64  # characters of a rule's name
_SAYING = 500  # characters of what it says
_WORD = re.compile(r"\{(\w*)\}")
_SPAN = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_NUMBER = re.compile(r"policy(\d+)")
_FAILED = re.compile(r"\Aerror while evaluating policy `policy(\d{1,6})`")
_SEE = "docs/watch.md explains the rules"


@dataclass(frozen=True)
class Rule:
    """What to call a match, and how often to tell of it."""

    name: str
    severity: str
    say: str
    quiet: int  # seconds

    def saying(self, words: dict[str, str]) -> str:
        """What to tell people of an event; ``words`` has a text for every one of ``WORDS`` that it knows."""
        return _WORD.sub(lambda found: words.get(found[1], ""), self.say)


@dataclass(frozen=True, eq=False)
class Rules:
    """A validated set of rules. Make one with ``parse`` or ``load``."""

    rules: tuple[Rule, ...]  # in the order of the text
    _set: PolicySet

    @staticmethod
    def parse(text: str) -> Rules:
        """Parse and validate strictly. Raises InvalidPolicy: which rule, where, and what is wrong with it."""
        try:
            names, heads, policies = read(text, schema())
            rules = tuple(_rule(name, head) for name, head in zip(names, heads, strict=True))
        except InvalidPolicy as error:
            error.hint = _SEE if error.hint is None or "docs/policies" in error.hint else error.hint
            raise
        if not rules:
            raise InvalidPolicy("there is no rule in it", hint=_SEE)
        return Rules(rules, policies)

    @staticmethod
    def load(path: Path | None = None) -> Rules:
        """The rules in a file, or those that ship. Raises NotFound, InvalidInput or InvalidPolicy."""
        data = disk.read(path or SHIPPED, LIMIT)
        try:
            return Rules.parse(data.decode())
        except UnicodeDecodeError as error:
            raise InvalidInput("the file of rules is not UTF-8", on=str(path)) from error

    def matching(self, asked: Question) -> list[Rule]:
        """The rules that match an event, in their order.

        One that cannot be evaluated (a number grew too large) matches: an alarm too many, and none too few.
        """
        from cedarpy import Entities, is_authorized

        known = Entities.from_json_str(json.dumps(asked.entities), schema())
        result = is_authorized(asked.request, self._set, known, schema=schema())
        numbers = {int(found[1]) for one in result.diagnostics.reasons if (found := _NUMBER.fullmatch(one))}
        numbers |= {int(found[1]) for one in result.diagnostics.errors if (found := _FAILED.match(one))}
        return [self.rules[number] for number in sorted(numbers)]


def _rule(name: str, head: dict[str, Any]) -> Rule:
    notes = {key: value or "" for key, value in head.get("annotations", {}).items()}
    if head["effect"] != "permit":
        raise InvalidPolicy("a rule is a permit: it reports what it matches, and forbids nothing", on=name)
    if unknown := notes.keys() - _KNOWN:
        raise InvalidPolicy("a rule has an annotation that means nothing", on=f"{name}: @{min(unknown)}")
    if not _ID.fullmatch(notes.get("id", "")) or len(name) > _LONG:
        raise InvalidPolicy("a rule needs an @id of lower-case words joined by hyphens", on=repr(name))
    severity = notes.get("severity", "medium")
    if severity not in SEVERITIES:
        raise InvalidPolicy(f"no such severity; one of {', '.join(SEVERITIES)}", on=f"{name}: {severity!r}")
    return Rule(name, severity, _say(name, notes.get("say", name)), _quiet(name, notes.get("quiet")))


def _say(name: str, text: str) -> str:
    if unknown := set(_WORD.findall(text)) - WORDS:
        raise InvalidPolicy(
            f"no such word in @say; there are {', '.join(sorted(WORDS))}", on=f"{name}: {min(unknown)!r}"
        )
    if len(text) > _SAYING:
        raise InvalidPolicy(f"@say is longer than {_SAYING} characters", on=name)
    return text


def _quiet(name: str, text: str | None) -> int:
    if text is None:
        return 0
    if not (span := _SPAN.fullmatch(text)):
        raise InvalidPolicy("@quiet is a span like 30m, 1h or 2d", on=f"{name}: {text!r}")
    return int(span[1]) * _SECONDS[span[2]]
