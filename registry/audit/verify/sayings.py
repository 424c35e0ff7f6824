"""What acts say in words, held against the table of sayings.

An event names the entry that said its words first. That they are these words is checked here; that nobody
said them before follows from all of them together: a saying names itself, no two are alike, and each event
names one that is not later than itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from registry import acts
from registry.acts import Act
from registry.audit.verify.finding import Finding
from registry.audit.verify.source import Source
from registry.records import events

_AT_ONCE: Final = 500  # sayings in one query
_OTHERWISE: Final = "an act says otherwise"
_Words = tuple[str, str, str, str, str]


class Sayings:
    """The words of one chunk's acts."""

    def __init__(self, source: Source) -> None:
        self.first = 0  # acts that say what nobody has said before, as the events have it
        self._source = source
        self._pulls: dict[_Words, str] = {}  # services say the same again and again
        self._named: dict[int, tuple[str, int]] = {}  # by saying: the words, and who said them
        self._findings: list[Finding] = []

    def said(self, act: Act, seq: int, member: str, saying: object) -> None:
        """The event of entry ``seq`` names ``saying``."""
        if not isinstance(saying, int) or not 0 <= saying <= seq:
            self._findings.append(_of_event(seq))
            return
        self.first += saying == seq
        text = self._words(act, member)
        if self._named.setdefault(saying, (text, seq))[0] != text:
            self._findings.append(_of_event(seq))

    def check(self) -> list[Finding]:
        """Everything that is wrong with the words, once all acts of the chunk have been told."""
        named = sorted(self._named)
        for at in range(0, len(named), _AT_ONCE):
            self._compare(named[at : at + _AT_ONCE])
        return self._findings

    def _words(self, act: Act, member: str) -> str:
        body, client = act.body, act.header.client
        if type(body) is not acts.Pull:
            return events.words(act, member)
        key = (member, body.model, body.purpose, client.program, client.host)
        text = self._pulls.get(key)
        if text is None:
            text = self._pulls[key] = events.words(act, member)
        return text

    def _compare(self, named: list[int]) -> None:
        marks = ", ".join("?" * len(named))
        rows = self._source.rows(
            f"SELECT saying, sha256, text FROM sayings WHERE saying IN ({marks})", *named
        )
        stored = {row[0]: row[1:] for row in rows}
        for saying in named:
            text, seq = self._named[saying]
            digest = hashlib.sha256(text.encode()).hexdigest()
            if stored.get(saying) != (digest, text):
                self._findings += _wrong(saying, seq, text, digest, stored.get(saying))


def _wrong(
    saying: int, seq: int, text: str, digest: str, row: tuple[object, ...] | None
) -> Iterator[Finding]:
    """The row is gone or was changed; or the event names another's."""
    if row is None:
        yield Finding("row-missing", f"sayings {saying}", "an event names it")
        yield _of_event(seq)
    elif row[0] == digest:
        yield Finding("row-differs", f"sayings.text {saying}", _OTHERWISE)
    elif row[1] == text:
        yield Finding("row-differs", f"sayings.sha256 {saying}", _OTHERWISE)
    else:
        yield _of_event(seq)


def _of_event(seq: int) -> Finding:
    return Finding("row-differs", f"events.saying {seq}", _OTHERWISE)
