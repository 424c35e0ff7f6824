"""The tables derived again from the acts, in bulk."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from registry import acts, ledger
from registry.acts import Act
from registry.crypto import dsse
from registry.records import events, projection, tables

_BATCH = 500  # acts whose rows are written together


def project(source: sa.Connection, target: sa.Connection) -> None:
    """Write into ``target``, whose tables are empty, what every act of ``source``'s ledger writes."""
    replay = _Replay(target)
    start = 0
    while entries := ledger.some(source, start, _BATCH):
        for entry in entries:
            replay.add(acts.decode(dsse.Envelope.from_bytes(entry.envelope).payload), entry.seq)
        replay.flush()
        start = entries[-1].seq + 1
    events.tally(target)


class _Replay:
    """Rows that wait to be written, many at a time: parents before children, in the ledger's order."""

    def __init__(self, target: sa.Connection) -> None:
        self._target = target
        self._names: dict[str, str] = {}  # of members, by key id
        self._recorder = events.Recorder()
        self._acts: list[tuple[Act, int, str]] = []
        self._rows: dict[str, list[dict[str, Any]]] = {}

    def add(self, act: Act, seq: int) -> None:
        """Take the next act. What it removes may be waiting still: that is written first."""
        if gone := projection.removed(act):
            self.flush()
            projection.remove(self._target, gone)
        for row in projection.rows(act, seq):
            self._rows.setdefault(row.table.name, []).append(row.values)
            if row.table is tables.keys:
                self._names[row.values["keyid"]] = row.values["name"]
        member = act.body.member if isinstance(act.body, acts.Refusal) else self._names.get(act.header.actor)
        self._acts.append((act, seq, member or ""))

    def flush(self) -> None:
        """Write what waits."""
        happened, said = self._recorder.rows(self._acts)
        self._rows |= {tables.events.name: happened, tables.sayings.name: said}
        for table in tables.PROJECTION:
            if rows := self._rows.pop(table.name, None):
                projection.write(self._target, table, rows)
        self._acts = []
