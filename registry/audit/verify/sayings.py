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
from registry.audit.verify.pulls import Predicate, Statement
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
        self._said(events.words(act, member), seq, saying)

    def pulled(self, pull: Statement, seq: int, member: str, saying: int) -> None:
        """As ``said``, for a pull, and a saying that is not later than it."""
        said = pull.predicate
        key = (member, said.body.model, said.body.purpose, said.client.program, said.client.host)
        text = self._pulls.get(key)
        if text is None:
            text = self._pulls[key] = events.words(_pull(said), member)
        self._said(text, seq, saying)

    def _said(self, text: str, seq: int, saying: int) -> None:
        self.first += saying == seq
        if self._named.setdefault(saying, (text, seq))[0] != text:
            self._findings.append(_of_event(seq))

    def check(self) -> list[Finding]:
        """Everything that is wrong with the words, once all acts of the chunk have been told."""
        named = sorted(self._named)
        for at in range(0, len(named), _AT_ONCE):
            self._compare(named[at : at + _AT_ONCE])
        return self._findings

    def _compare(self, named: list[int]) -> None:
        marks = ", ".join("?" * len(named))
        rows = self._source.rows(
            f"SELECT saying, sha256, text FROM sayings WHERE saying IN ({marks})", *named
        )
        stored = {row[0]: row[1:] for row in rows}
        for saying in named:
            text, seq = self._named[saying]
            digest = hashlib.sha256(text.encode()).hexdigest()
            self.first -= saying == seq and saying not in stored
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


def _pull(said: Predicate) -> Act:
    """The act as far as its words go."""
    client, body = acts.Client(said.client.program, said.client.host), said.body
    header = acts.Header(said.registry, said.actor, said.time, said.nonce, said.law, client)
    return Act(header, acts.Pull(body.model, body.number, body.digest, body.purpose), "")


def _of_event(seq: int) -> Finding:
    return Finding("row-differs", f"events.saying {seq}", _OTHERWISE)
