"""What a scan finds: one stable code for each kind of flaw, how bad it is, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SEVERITIES: Final = ("info", "low", "medium", "high", "critical")
THRESHOLD: Final = "medium"  # from here on a push is refused, unless the code is allowed


@dataclass(frozen=True)
class Rule:
    """A kind of flaw. ``why`` tells a person what it can do to them."""

    code: str
    severity: str
    title: str
    why: str


@dataclass(frozen=True)
class Finding:
    """One flaw: its rule's code and severity, the file, the place in it ("": all of it), what is there."""

    code: str
    severity: str
    path: str
    on: str
    message: str

    def to_dict(self) -> dict[str, str]:
        return {
            "code": self.code,
            "severity": self.severity,
            "path": self.path,
            "on": self.on,
            "message": self.message,
        }


def at_least(finding: Finding, threshold: str = THRESHOLD) -> bool:
    """Whether the finding is as bad as ``threshold``, or worse."""
    return SEVERITIES.index(finding.severity) >= SEVERITIES.index(threshold)
