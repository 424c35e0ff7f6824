"""A verification from the genesis act to the last row of the last table, in the order in which it is told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa

from registry import ledger
from registry.audit.verify import chunk, counts, plan
from registry.audit.verify.crew import crew, fitting
from registry.audit.verify.finding import Finding
from registry.audit.verify.lawful import bytes_of
from registry.audit.verify.scratch import Scratch
from registry.audit.verify.sealed import check_sealed
from registry.audit.verify.source import Source
from registry.audit.verify.tree import Tree
from registry.crypto.checkpoint import Checkpoint, open_checkpoint, origin_of
from registry.errors import RegistryError
from registry.law.law import Law, from_genesis
from registry.progress import SILENT, Progress

LIMIT = 10_000  # findings: where there are more, the first of them is what matters


_SAMPLE = 1000  # entries


@dataclass
class Sums:
    """What a verification has looked at so far."""

    acts: int = 0
    events: int = 0
    sayings: int = 0
    size: int = 0  # bytes of envelopes


class Verification:
    """One run over the ledger as a transaction sees it.

    ``start`` is the first entry whose signature and right are asked for. With a ``url`` the database is
    opened by ``jobs`` processes. ``watch`` is told of every chunk that holds, and may find something itself.
    """

    def __init__(
        self,
        connection: sa.Connection,
        registry_id: str,
        *,
        start: int = 0,
        url: str | None = None,
        jobs: int | None = None,
        level: int = plan.LEVEL,
        progress: Progress = SILENT,
        watch: Callable[[Tree], Iterator[Finding]] = lambda tree: iter(()),
    ) -> None:
        self._connection, self._registry_id = connection, registry_id
        self._start, self._url, self._jobs = start, url, jobs
        self._progress, self._watch = progress, watch
        self.sums, self.tree, self._level = Sums(), Tree(level), level
        self._whole = True  # so far no entry is missing

    def findings(self) -> Generator[Finding, None, None]:
        """Everything that is wrong, the ledger first, in its order. Close it. Raises Unavailable."""
        with closing(self._findings()) as found:
            yield from islice(found, LIMIT)
            if next(found, None) is not None:
                yield Finding("too-many", "the ledger", f"there is more; these are the first {LIMIT}")

    def _findings(self) -> Generator[Finding, None, None]:
        source = Source(self._connection)
        genesis = bytes_of(source.rows("SELECT envelope FROM acts WHERE seq = 0"))
        try:
            if not genesis:
                ledger.entry(self._connection, 0)
            law = from_genesis(genesis, self._registry_id)
        except RegistryError as error:
            yield Finding(error.code, error.on or "the ledger", error.message)
            return
        checkpoint, wrong = self._checkpoint(law)
        yield from wrong
        planned, beside = plan.make(source, self._registry_id, genesis, self._start, self._level)
        yield from beside
        scratch = Scratch()
        try:
            with crew(source, planned, self._url, fitting(self._jobs, planned.count)) as workers:
                self._progress.begin(f"verifying {planned.count:,} acts", _bytes(source, planned))
                yield from self._chunks(planned, workers.chunks(), scratch)
                if self._whole:
                    yield from self.tree.compare(source, checkpoint)
                yield from counts.check_acts(source, self.sums.acts)
                yield from counts.check_events(source, self.sums.events)
                yield from counts.check_sayings(source, self.sums.sayings)
                yield from scratch.compare(source)
                yield from workers.activity()
                yield from check_sealed(source)
        finally:
            self._progress.end()
            scratch.close()

    def _checkpoint(self, law: Law) -> tuple[Checkpoint | None, list[Finding]]:
        try:
            note = ledger.newest_note(self._connection)
            return open_checkpoint(note, origin_of(self._registry_id), law.ledger), []
        except RegistryError as error:
            return None, [Finding(error.code, error.on or "the ledger", error.message)]

    def _chunks(
        self, planned: plan.Plan, reports: Iterator[chunk.Report], scratch: Scratch
    ) -> Iterator[Finding]:
        reached = 0
        for report in reports:
            if report.begin != reached:
                self._whole = False
                yield Finding("missing-act", f"entry {reached}", f"the next entry is {report.begin} or later")
                reached = report.begin
            yield from scratch.take(report.rows)
            if report.last:
                reached = planned.chunk(report.begin)[1]
                yield from self._take(report)

    def _take(self, report: chunk.Report) -> Iterator[Finding]:
        self.sums.acts += report.count
        self.sums.events += report.events
        self.sums.sayings += report.sayings
        self.sums.size += report.size
        self._progress.advance(report.size)
        for one in report.findings:
            yield Finding(*one)
        if report.nodes is None:
            self._whole = False
        elif self._whole:
            self.tree.take(report.nodes)
            yield from self._watch(self.tree)


def _bytes(source: Source, planned: plan.Plan) -> int:
    """About how many bytes all envelopes have, from a few of them."""
    middle = planned.end // 2
    query = "SELECT count(*), sum(length(envelope)) FROM acts WHERE seq >= ? AND seq < ?"
    ((count, size),) = source.rows(query, middle, middle + _SAMPLE)
    return int(size or 0) * planned.count // max(int(count), 1)


def findings(connection: sa.Connection, registry_id: str, **how: Any) -> Iterator[Finding]:
    """Everything that is wrong with the ledger and the tables beside it; ``how`` as for ``Verification``."""
    return Verification(connection, registry_id, **how).findings()
