"""A watch over a court: what it reports, round by round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

from registry.audit.watch.reports import Report
from registry.audit.watch.rules import Rules
from registry.audit.watch.watching import Round, Watch
from registry.errors import Unavailable
from support.courtroom import Court


class Post:
    """Where reports go; ``broken`` after so many of them, None: never."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.left: int | None = None

    def __call__(self, report: Report) -> None:
        if self.left is not None:
            if self.left == 0:
                raise Unavailable("nobody takes it")
            self.left -= 1
        self.reports.append(report)

    def take(self) -> list[Report]:
        """What came since the last time."""
        taken, self.reports = self.reports, []
        return taken


class Guard:
    """Somebody who watches a court, from the entry that comes next unless ``start`` says another."""

    def __init__(
        self,
        court: Court,
        rules: str | None = None,
        *,
        by: str = "aud",
        zone: tzinfo = UTC,
        start: int | None = None,
        name: str = "watch.json",
    ) -> None:
        self.court, self.post = court, Post()
        self.path: Path = court.home / name
        loaded = Rules.parse(rules) if rules else Rules.load()
        self.watch = Watch(court.by(by), loaded, self.post, self.path, zone=zone, start=start)

    def looks(self) -> list[Report]:
        """One round: the reports."""
        self.watch.round()
        return self.post.take()

    def hears(self) -> list[str]:
        """One round: the rules that reported."""
        return [one.rule for one in self.looks()]

    def round(self) -> Round:
        return self.watch.round()

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """Nobody takes a report meanwhile."""
        self.post.left = 0
        yield
        self.post.left = None


def at_hour(court: Court, hour: int) -> tzinfo:
    """A zone in which it is this hour now."""
    return timezone(timedelta(hours=(hour - court.now.hour + 11) % 24 - 11))


def rule(when: str = "", action: str = "", **notes: Any) -> str:
    """A rule's text."""
    said = "".join(f'@{name}("{value}")\n' for name, value in {"id": "rule", **notes}.items())
    scope = f' == Action::"{action}"' if action else ""
    condition = f"\nwhen {{ {when} }}" if when else ""
    return f"{said}permit (principal, action{scope}, resource){condition};\n"
