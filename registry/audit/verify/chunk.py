"""Chunks of entries, each verified by itself: the acts, the index and the event beside each, its subtree."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from operator import itemgetter
from typing import Final

import msgspec

from registry import acts
from registry.acts import Act
from registry.audit.verify.finding import Finding
from registry.audit.verify.judging import Judge
from registry.audit.verify.lawful import Lawful
from registry.audit.verify.pulls import Pull, Pulls
from registry.audit.verify.reading import Reader
from registry.audit.verify.sayings import Sayings
from registry.audit.verify.source import Source, Values
from registry.audit.verify.subtree import Subtree
from registry.audit.verify.written import Written, written
from registry.errors import RegistryError
from registry.records import events

_PART: Final = 2000  # rows that are handed on together
_INDEX: Final = ("kind", "digest", "actor", "time", "model", "number", "target")
_EVENT: Final = ("time", "member", "action", "outcome", "code", "place", "number")
_event_of: Final = itemgetter(*_EVENT)
_QUERY: Final = (
    f"SELECT a.seq, a.envelope, {', '.join(f'a.{name}' for name in _INDEX)}, e.saying,"
    f" {', '.join(f'e.{name}' for name in _EVENT)}"
    " FROM acts a LEFT JOIN events e ON e.seq = a.seq WHERE a.seq >= ? AND a.seq < ? ORDER BY a.seq"
)
_KIND: Final = 2  # the places of columns in a row
_SAYING: Final = _KIND + len(_INDEX)
_PULL: Final = acts.Pull.kind


class Report(msgspec.Struct, array_like=True):
    """What was found in a chunk, or in a part of one: those before the ``last`` bring rows alone."""

    begin: int
    rows: list[Written]
    last: bool = False
    count: int = 0  # entries
    size: int = 0  # bytes of their envelopes
    events: int = 0  # that are there
    sayings: int = 0  # said first in this chunk
    findings: list[tuple[str, str, str]] = []
    nodes: list[tuple[int, int, bytes]] | None = None  # the roots of its complete subtrees, from the left


class Verifier:
    """Verifies chunks under one law; ``start`` is the first entry whose signature and right are asked for."""

    def __init__(self, source: Source, lawful: Lawful, start: int) -> None:
        self._source, self._start = source, start
        self._judge, self._reader, self._pulls = Judge(lawful), Reader(), Pulls()

    def verify(self, begin: int, end: int) -> Iterator[Report]:
        """The reports of the entries from ``begin``, where a subtree begins, to ``end``, exclusive."""
        one = _Chunk(self._source, self._judge, self._reader, begin, end)
        rows: list[Written] = []
        for some in self._source.batches(_QUERY, begin, end):
            for found, pull in zip(some, self._pulled(some), strict=True):
                judged = found[0] >= self._start
                if pull is None or not one.pull(found, pull, judged=judged):
                    rows += one.entry(found, judged=judged)
            if len(rows) >= _PART:
                yield Report(begin, rows)
                rows = []
        yield one.report(rows)

    def _pulled(self, some: list[Values]) -> list[Pull | None]:
        """The pulls among rows; None for every other, and for all of them where one is odd."""
        pulls = [found[1] for found in some if found[_KIND] == _PULL]
        read = self._pulls.read(pulls)
        if read is None:
            return [None] * len(some)
        left = iter(read)
        return [next(left) if found[_KIND] == _PULL else None for found in some]


class _Chunk:
    def __init__(self, source: Source, judge: Judge, reader: Reader, begin: int, end: int) -> None:
        self._judge, self._reader, self._end = judge, reader, end
        self._findings: list[Finding] = []
        self._subtree = Subtree(source, begin)
        self._sayings = Sayings(source)
        self._begin, self._count, self._size, self._events = begin, 0, 0, 0
        self._whole = True

    def pull(self, found: Values, pull: Pull, *, judged: bool) -> bool:
        """Check a pull; False, and nothing is noted, where anything about it is not in order."""
        seq, envelope, saying = found[0], found[1], found[_SAYING]
        member = self._judge.pulled(pull, seq) if judged else self._judge.known(pull)
        said = pull[1].predicate
        time, model, number = said.time, said.body.model, said.body.number
        digest = hashlib.sha256(pull[0].payload).hexdigest()
        if (
            member is None
            or found[_KIND:_SAYING] != (_PULL, digest, said.actor, time, model, number, None)
            or found[_SAYING + 1 :] != (time, member, _PULL, events.ALLOWED, "", model, number)
            or not isinstance(saying, int)
            or not 0 <= saying <= seq
        ):
            return False
        self._in_turn(seq)
        self._count += 1
        self._events += 1
        self._size += len(envelope)
        self._subtree.add(envelope)
        self._sayings.pulled(pull[1], seq, member, saying)
        return True

    def entry(self, found: Values, *, judged: bool) -> list[Written]:
        """Check one entry, and return the rows that its act writes."""
        seq, envelope = found[0], found[1]
        self._in_turn(seq)
        self._count += 1
        if not isinstance(envelope, bytes):
            envelope = b""
        self._size += len(envelope)
        self._subtree.add(envelope)
        try:
            entry = self._reader.read(envelope)
        except RegistryError as error:
            self._find(error.code, f"entry {seq}", error.message)
            self._events += found[_SAYING] is not None
            return []
        try:
            if judged or entry.act.is_law:  # the law is read from its beginning in any case
                self._judge.check(entry, envelope, seq)
            self._index(entry.act, seq, found)
        except RegistryError as error:
            self._find(error.code, f"entry {seq}", error.message)
        self._event(entry.act, seq, found)
        return self._rows(entry.act, seq)

    def report(self, rows: list[Written]) -> Report:
        """What was found in all, with the last of the rows."""
        self._in_turn(self._end)
        said = self._sayings.check()
        nodes = None
        if self._whole:
            nodes, wrong = self._subtree.check()
            said += wrong
        findings = [(one.code, one.on, one.detail) for one in (*self._findings, *said)]
        return Report(
            self._begin,
            rows,
            True,
            self._count,
            self._size,
            self._events,
            self._sayings.first,
            findings,
            nodes,
        )

    def _find(self, code: str, on: str, detail: str) -> None:
        self._findings.append(Finding(code, on, detail))

    def _in_turn(self, seq: int) -> None:
        """Entries are numbered without a hole."""
        if self._whole and seq != self._begin + self._count:
            self._whole = False
            missing = self._begin + self._count
            after = f"the next entry is {seq}" if seq != self._end else "there is no such act"
            self._find("missing-act", f"entry {missing}", after)

    def _index(self, act: Act, seq: int, found: Values) -> None:
        header = act.header
        said = (act.kind, act.digest, header.actor, header.time, act.model, act.number, act.target)
        if found[_KIND:_SAYING] != said:
            for name, value, stored in zip(_INDEX, said, found[_KIND:_SAYING], strict=True):
                if value != stored:
                    self._find(
                        "index-differs",
                        f"entry {seq}, acts.{name}",
                        "the index does not say what the act says",
                    )

    def _event(self, act: Act, seq: int, found: Values) -> None:
        member, saying = self._judge.name(act), found[_SAYING]
        if saying is None:
            self._find("row-missing", f"events {seq}", "the ledger has it")
            return
        self._events += 1
        said = _event_of(events.event(act, seq, member, saying))
        if found[_SAYING + 1 :] != said:
            stored = dict(zip(_EVENT, found[_SAYING + 1 :], strict=True))
            names = [name for name, value in zip(_EVENT, said, strict=True) if stored[name] != value]
            self._find("row-differs", f"events.{', '.join(names)} {seq}", "an act says otherwise")
        self._sayings.said(act, seq, member, saying)

    def _rows(self, act: Act, seq: int) -> list[Written]:
        try:
            return written(act, seq)
        except RegistryError as error:
            self._find("replay-failed", f"entry {seq}", error.message)
            return []
