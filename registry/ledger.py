"""The ledger: acts in order under an RFC 9162 Merkle tree, with a signed checkpoint on top."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from registry.acts import LAW, Act
from registry.crypto import merkle
from registry.crypto.checkpoint import Checkpoint, LedgerKey, origin_of, sign_checkpoint
from registry.errors import BadCheckpoint, BadProof
from registry.records.tables import acts, events, head, nodes

HEAD = 1  # the id of the one row of the head table
_SHAPES = (1, 4, 16, 64, 256)  # how many tree nodes one query asks for
_BATCH = _SHAPES[-1]

Place = tuple[int, int]  # (level, position) of a complete subtree


@dataclass(frozen=True)
class Entry:
    """One act as the ledger keeps it: its sequence number and the exact envelope bytes."""

    seq: int
    envelope: bytes


@dataclass(frozen=True)
class Proof:
    """That ``entry`` is in the tree of the checkpoint it came with (RFC 9162 section 2.1.3)."""

    entry: Entry
    path: tuple[bytes, ...]

    def check(self, checkpoint: Checkpoint) -> None:
        """Raise BadProof unless the entry lies at its place under the checkpoint's root."""
        leaf = merkle.leaf_hash(self.entry.envelope)
        merkle.verify_inclusion(leaf, self.entry.seq, checkpoint.size, list(self.path), checkpoint.root)


def append(connection: sa.Connection, act: Act, envelope: bytes, key: LedgerKey, registry_id: str) -> int:
    """Append an act, its tree nodes and a new checkpoint; return its sequence number."""
    size = tree_size(connection)
    row = {"kind": act.kind, "digest": act.digest, "actor": act.header.actor, "time": act.header.time}
    place = {"seq": size, "model": act.model, "number": act.number, "target": act.target}
    connection.execute(sa.insert(acts), {**row, **place, "envelope": envelope})
    added = merkle.appended_nodes(size, merkle.leaf_hash(envelope), reader(connection))
    connection.execute(
        sa.insert(nodes), [{"level": level, "position": index, "hash": node} for level, index, node in added]
    )
    note = _sign(connection, size + 1, key, registry_id)
    connection.execute(sa.update(head).where(head.c.id == HEAD).values(size=size + 1, note=note))
    return size


def start(connection: sa.Connection) -> None:
    """Write the head of an empty ledger."""
    connection.execute(sa.insert(head), {"id": HEAD, "size": 0, "note": ""})


def tree_size(connection: sa.Connection) -> int:
    """The number of acts. Raises BadCheckpoint where the ledger's head is gone."""
    size: int | None = connection.execute(_head(head.c.size)).scalar_one_or_none()
    if size is None:
        raise BadCheckpoint("the ledger has lost its head", hint="restore the database from a backup")
    return size


def newest_note(connection: sa.Connection) -> str:
    """The newest checkpoint, a C2SP signed note, unverified."""
    return str(connection.execute(_head(head.c.note)).scalar_one_or_none() or "")


def stand(connection: sa.Connection, checkpoint: Checkpoint) -> None:
    """Raise BadProof unless the tree is the one that ``checkpoint`` speaks of."""
    size = tree_size(connection)
    if size != checkpoint.size or merkle.root(size, reader(connection)) != checkpoint.root:
        raise BadProof(
            "the ledger's tree is not the one that its checkpoint signed",
            on=f"{size} acts, checkpoint of {checkpoint.size}",
            hint="run 'registry fsck'",
        )


def _head(column: sa.Column[Any]) -> sa.Select[Any]:
    return sa.select(column).where(head.c.id == HEAD)


def entry(connection: sa.Connection, seq: int) -> Entry:
    """The entry ``seq``. Raises BadProof where it is missing."""
    envelope = connection.execute(sa.select(acts.c.envelope).where(acts.c.seq == seq)).scalar_one_or_none()
    if envelope is None:
        raise BadProof("an act is missing from the ledger", on=f"entry {seq}")
    return Entry(seq, bytes(envelope))


def entries(connection: sa.Connection, start: int = 0) -> Iterator[Entry]:
    """Every entry from ``start`` on, in order, streamed."""
    query = sa.select(acts.c.seq, acts.c.envelope).where(acts.c.seq >= start).order_by(acts.c.seq)
    with connection.execute(query.execution_options(yield_per=500)) as rows:
        for seq, envelope in rows:
            yield Entry(seq, bytes(envelope))


def some(connection: sa.Connection, start: int, count: int) -> list[Entry]:
    """Up to ``count`` entries from ``start`` on, in order."""
    query = sa.select(acts.c.seq, acts.c.envelope).where(acts.c.seq >= start).order_by(acts.c.seq)
    return [Entry(seq, bytes(envelope)) for seq, envelope in connection.execute(query.limit(count))]


def of_law(connection: sa.Connection, after: int) -> list[Entry]:
    """The acts of the law after an entry, in order, as the index has them."""
    query = sa.select(acts.c.seq, acts.c.envelope).where(acts.c.kind.in_(LAW), acts.c.seq > after)
    return [Entry(seq, bytes(envelope)) for seq, envelope in connection.execute(query.order_by(acts.c.seq))]


def next_of_law(connection: sa.Connection, seqs: Iterable[int]) -> Iterator[int]:
    """For each entry the next act of the law after it, where there is one."""
    for seq in seqs:
        query = sa.select(sa.func.min(acts.c.seq)).where(acts.c.kind.in_(LAW), acts.c.seq > seq)
        found: int | None = connection.execute(query).scalar_one()
        if found is not None:
            yield found


def prove(connection: sa.Connection, seq: int, size: int) -> Proof:
    """The inclusion proof of entry ``seq`` in the tree of ``size`` acts."""
    path = merkle.inclusion_path(seq, size, reader(connection)) if 0 <= seq < size else []
    return Proof(entry(connection, seq), tuple(path))


def consistency(connection: sa.Connection, old: int, new: int) -> tuple[bytes, ...]:
    """The proof that the tree of ``new`` acts extends the one of ``old`` (RFC 9162 section 2.1.4)."""
    if not 0 < old < new:
        return ()
    return tuple(merkle.consistency_path(old, new, reader(connection)))


def reader(connection: sa.Connection) -> Callable[[Sequence[Place]], Mapping[Place, bytes]]:
    """What the tree algorithms read from. A node that is missing raises BadProof."""

    def read(wanted: Sequence[Place]) -> Mapping[Place, bytes]:
        found: dict[Place, bytes] = {}
        for begin in range(0, len(wanted), _BATCH):
            found.update(_fetched(connection, wanted[begin : begin + _BATCH]))
        if missing := [place for place in wanted if place not in found]:
            raise BadProof(
                "a node of the ledger's tree is missing", on=f"level {missing[0][0]}, {missing[0][1]}"
            )
        return found

    return read


@cache
def _lookup(count: int) -> sa.Select[Any]:
    """A query for ``count`` nodes: of few shapes, so that each is compiled once."""
    places = ((f"level{n}", f"position{n}") for n in range(count))
    wanted = (
        sa.and_(nodes.c.level == sa.bindparam(level), nodes.c.position == sa.bindparam(position))
        for level, position in places
    )
    return sa.select(nodes).where(sa.or_(*wanted))


def _fetched(connection: sa.Connection, places: Sequence[Place]) -> Iterator[tuple[Place, bytes]]:
    count = next(size for size in _SHAPES if size >= len(places))
    padded = [*places, *[places[-1]] * (count - len(places))]
    values = {f"level{n}": level for n, (level, _) in enumerate(padded)}
    values |= {f"position{n}": position for n, (_, position) in enumerate(padded)}
    for level, index, node in connection.execute(_lookup(count), values):
        yield (level, index), bytes(node)


def _sign(connection: sa.Connection, size: int, key: LedgerKey, registry_id: str) -> str:
    tree = Checkpoint(origin_of(registry_id), size, merkle.root(size, reader(connection)))
    return sign_checkpoint(tree, key)


def recent(
    connection: sa.Connection, limit: int, where: sa.ColumnElement[bool] | None = None
) -> list[dict[str, Any]]:
    """The newest acts, newest first, as the index has them: all, or those whose events ``where`` selects."""
    query = sa.select(acts).order_by(acts.c.seq.desc()).limit(limit)
    if where is not None:
        query = query.join(events, events.c.seq == acts.c.seq).where(where)
    return [dict(row._mapping) for row in connection.execute(query)]
