"""The ledger replayed: every signature and hash checked, the projection derived again from the acts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from registry import acts, ledger
from registry.acts import Act
from registry.crypto import dsse, merkle
from registry.crypto.checkpoint import Checkpoint, open_checkpoint, origin_of
from registry.errors import BadAuthority, RegistryError
from registry.judge import authorised
from registry.law.law import Law, from_genesis
from registry.records import events, projection, tables
from registry.records.database import open_engine

_BATCH = 500  # acts whose rows are written together


@dataclass(frozen=True)
class Finding:
    """Something that is not as the ledger says: a stable code, where, and what."""

    code: str
    on: str
    detail: str


def check_ledger(connection: sa.Connection, registry_id: str) -> Iterator[Finding]:
    """Check every entry, the index beside it, the tree and the checkpoint."""
    try:
        law = from_genesis(ledger.entry(connection, 0).envelope, registry_id)
        checkpoint = open_checkpoint(ledger.newest_note(connection), origin_of(registry_id), law.ledger)
    except RegistryError as error:
        yield Finding(error.code, error.on or "the ledger", error.message)
        return
    yield from _entries(connection, law, checkpoint)


def _entries(connection: sa.Connection, law: Law, checkpoint: Checkpoint) -> Iterator[Finding]:
    tree: dict[tuple[int, int], bytes] = {}
    size = 0
    query = sa.select(tables.acts).order_by(tables.acts.c.seq)
    with connection.execute(query.execution_options(yield_per=500)) as rows:
        for row in rows:
            if row.seq != size:
                yield Finding("missing-act", f"entry {size}", f"the next entry is {row.seq}")
                return
            yield from _entry(law, row._mapping)
            leaf = merkle.leaf_hash(bytes(row.envelope))
            for level, at, node in merkle.appended_nodes(size, leaf, tree_reader(tree)):
                tree[level, at] = node
            size += 1
    yield from _tree(connection, tree, size, checkpoint)


def tree_reader(tree: dict[tuple[int, int], bytes]) -> Any:
    """What the tree algorithms read from: a dictionary of nodes."""
    return lambda wanted: {place: tree[place] for place in wanted}


def _entry(law: Law, row: Any) -> Iterator[Finding]:
    on = f"entry {row['seq']}"
    try:
        act = _authorised(law, bytes(row["envelope"]), row["seq"])
    except RegistryError as error:
        yield Finding(error.code, on, error.message)
        return
    said = {"kind": act.kind, "digest": act.digest, "actor": act.header.actor, "time": act.header.time}
    for name, value in {**said, "model": act.model, "number": act.number, "target": act.target}.items():
        if row[name] != value:
            yield Finding("index-differs", f"{on}, acts.{name}", "the index does not say what the act says")


def _authorised(law: Law, envelope: bytes, seq: int) -> Act:
    """The entry, by somebody with the right to it, under the law as it was; one of the law extends it."""
    parsed = dsse.Envelope.from_bytes(envelope)
    act = law.admitted(parsed)
    if seq == 0:
        return act  # from_genesis has checked it
    if act.is_law:
        return law.follow(envelope, seq)
    if act.header.law != law.head:
        raise BadAuthority("the act was admitted under another law than the newest", on=act.kind)
    return authorised(law, envelope)


def _tree(
    connection: sa.Connection, tree: dict[tuple[int, int], bytes], size: int, checkpoint: Checkpoint
) -> Iterator[Finding]:
    stored = {(level, at): bytes(node) for level, at, node in connection.execute(sa.select(tables.nodes))}
    for place in sorted(tree.keys() | stored.keys()):
        if tree.get(place) != stored.get(place):
            yield Finding(
                "node-differs",
                f"level {place[0]}, position {place[1]}",
                "a node of the tree is not its subtree's hash",
            )
    heads = [(row.id, row.size) for row in connection.execute(sa.select(tables.head))]
    if size != checkpoint.size or heads != [(ledger.HEAD, size)]:
        yield Finding(
            "size-differs", f"{size} acts", f"the checkpoint covers {checkpoint.size}, head {heads}"
        )
    elif merkle.root(size, tree_reader(tree)) != checkpoint.root:
        yield Finding("root-differs", f"{size} acts", "the checkpoint is of another history")


def compare_projection(connection: sa.Connection) -> Iterator[Finding]:
    """Derive every table from the ledger in a scratch database, and compare row by row."""
    scratch = open_engine("sqlite://")
    tables.metadata.create_all(scratch)
    with scratch.connect() as replayed, replayed.begin():
        try:
            project(connection, replayed)
        except (RegistryError, sa.exc.IntegrityError) as error:
            yield Finding("replay-failed", "the ledger", str(error).splitlines()[0])
            return
        for table in tables.PROJECTION:
            yield from _compare(table, connection, replayed)
    scratch.dispose()


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


def _compare(table: sa.Table, connection: sa.Connection, replayed: sa.Connection) -> Iterator[Finding]:
    found, expected = _rows(table, connection), _rows(table, replayed)
    for key in sorted(found.keys() | expected.keys(), key=repr):
        if key not in found:
            yield Finding("row-missing", f"{table.name} {_shown(key)}", "the ledger has it")
        elif key not in expected:
            yield Finding("row-forged", f"{table.name} {_shown(key)}", "no act wrote it")
        elif found[key] != expected[key]:
            names = [name for name, value in expected[key].items() if found[key][name] != value]
            yield Finding(
                "row-differs", f"{table.name}.{', '.join(names)} {_shown(key)}", "an act says otherwise"
            )


def _rows(table: sa.Table, connection: sa.Connection) -> dict[tuple[Any, ...], dict[str, Any]]:
    rows = (dict(row._mapping) for row in connection.execute(sa.select(table)))
    return {tuple(row[column.name] for column in table.primary_key): row for row in rows}


def _shown(key: tuple[Any, ...]) -> str:
    return " ".join(str(part) for part in key)
