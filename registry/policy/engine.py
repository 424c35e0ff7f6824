"""Decide requests by a set of Cedar policies. Policies close doors: they only narrow what grants open.

Two readings, by what the set holds. Only ``forbid``: everything that none of them forbids is allowed, as if
``permit (principal, action, resource);`` stood beside them. With a ``permit``: Cedar's own, so what no permit
covers is denied. No policies: everything is allowed.

Fail closed. Cedar skips a policy whose evaluation fails, which for a ``forbid`` opens the door that it
should close. Here any such error denies.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from registry.errors import PolicyDenied
from registry.policy.entities import described, member, question
from registry.policy.parsing import parsed
from registry.policy.schema import schema
from registry.policy.words import Request

if TYPE_CHECKING:
    from cedarpy import AuthzResult, Entities, PolicySet

_ID = re.compile(r"policy(\d+)")
_FAILED = re.compile(r"\Aerror while evaluating policy `policy(\d{1,6})`")  # names from outside come after it


@dataclass(frozen=True)
class Verdict:
    """The answer to one request.

    ``decided_by`` names the policies that decided: those that forbid, else those that could not be evaluated,
    else those that permit. Nobody decided where nothing forbids, or where no permit covers the request.
    """

    allowed: bool
    decided_by: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()  # why a policy could not be evaluated


@dataclass(frozen=True, eq=False)
class Policies:
    """A validated set of policies, ready to decide. Make one with ``parse``."""

    text: str
    names: tuple[str, ...]  # in the order of the text: the @id, or "policy 2"
    _set: PolicySet | None  # None: there are no policies

    @staticmethod
    def parse(text: str) -> Policies:
        """Parse and validate; the same text is parsed once. Raises InvalidPolicy: which policy, and where."""
        return _parse(text)

    def decide(self, request: Request) -> Verdict:
        """The verdict, with its reasons. Never raises for a request, whatever its names are."""
        if self._set is None:
            return Verdict(True)
        from cedarpy import is_authorized

        try:
            known = _entities(request)
            result = is_authorized(question(request), self._set, known, schema=schema())
        except (ValueError, OverflowError) as error:  # half a surrogate pair; a time before the year 1 in UTC
            return Verdict(False, errors=(f"the request cannot be put to the policies: {error}",))
        return self._verdict(result)

    def require(self, request: Request) -> None:
        """Raise PolicyDenied unless the policies allow the request."""
        verdict = self.decide(request)
        if not verdict.allowed:
            raise PolicyDenied(_reason(verdict), on=str(request), hint=_explain(request))

    def _verdict(self, result: AuthzResult) -> Verdict:
        errors = sorted(result.diagnostics.errors)
        reasons = {int(found[1]) for one in result.diagnostics.reasons if (found := _ID.fullmatch(one))}
        if errors and result.allowed:
            reasons = {int(found[1]) for error in errors if (found := _FAILED.match(error))}
        return Verdict(result.allowed and not errors, self._decided(reasons), tuple(map(self._said, errors)))

    def _decided(self, numbers: set[int]) -> tuple[str, ...]:
        """Without the permit that ``parsed`` adds: it stands after all that have names."""
        return tuple(self.names[number] for number in sorted(numbers) if number < len(self.names))

    def _said(self, error: str) -> str:
        """Cedar's error with the policy's own name for Cedar's."""
        return _FAILED.sub(lambda found: f"policy {self.names[int(found[1])]!r}", error)


NO_POLICY: Final = Policies("", (), None)


def _entities(request: Request) -> Entities:
    """Raises ValueError for what does not fit the schema, or says two things of one member."""
    principal = json.dumps([member(request.principal)])
    return _described(json.dumps(described(request.on))).with_added_json_str(principal, schema())


@lru_cache(maxsize=128)  # by the text, so that what changed is read again; most of a decision's time
def _described(text: str) -> Entities:
    from cedarpy import Entities

    return Entities.from_json_str(text, schema())


@lru_cache(maxsize=32)
def _parse(text: str) -> Policies:
    names, policies = parsed(text)
    return Policies(text, names, policies if names else None)


def _reason(verdict: Verdict) -> str:
    by = " by policy " + ", ".join(map(repr, verdict.decided_by)) if verdict.decided_by else ""
    if verdict.errors:
        return f"denied{by}: what cannot be evaluated denies: {verdict.errors[0]}"
    return f"forbidden{by}" if by else "no policy permits it"


def _explain(request: Request) -> str:
    asked = f"--as {request.principal.name} --action {request.action} --on {request.on}"
    also = (("alias", request.alias), ("purpose", request.purpose), ("grantee", request.grantee))
    told = "".join(f" --{name} {value}" for name, value in also if value)
    return f"registry policy explain {asked}{told}"
