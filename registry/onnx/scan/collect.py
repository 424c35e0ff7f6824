"""Gathers what rules find, with a bound: a file made to overflow a report fills a line of it."""

from __future__ import annotations

from registry.onnx.findings import Finding, Rule

MOST = 20  # findings of one code for one file; the last says how many more there are
_LONG = 200  # characters of a name that come from the file


class Collector:
    """Collects findings about one file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._found: list[Finding] = []
        self._counts: dict[str, int] = {}

    def add(self, rule: Rule, on: str, message: str, *, severity: str | None = None) -> None:
        """One flaw of that kind at ``on``; ``severity`` where the place makes it better or worse."""
        count = self._counts[rule.code] = self._counts.get(rule.code, 0) + 1
        if count <= MOST:
            self._found.append(
                Finding(rule.code, severity or rule.severity, self.path, shortened(on), message)
            )

    def has(self, *severities: str) -> bool:
        """Whether something of one of these severities was found."""
        return any(one.severity in severities for one in self._found)

    @property
    def codes(self) -> frozenset[str]:
        """The codes found so far."""
        return frozenset(self._counts)

    def findings(self) -> tuple[Finding, ...]:
        """Everything found, in order; where there was too much of a kind, its last one says so."""
        last = {one.code: at for at, one in enumerate(self._found)}
        return tuple(
            self._numbered(one) if last[one.code] == at else one for at, one in enumerate(self._found)
        )

    def _numbered(self, one: Finding) -> Finding:
        more = self._counts[one.code] - MOST
        if more <= 0:
            return one
        return Finding(
            one.code, one.severity, one.path, one.on, f"{one.message} (and {more} more of this kind)"
        )


def shortened(text: str) -> str:
    """A name as a report shows it: of bounded length."""
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
