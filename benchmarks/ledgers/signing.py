"""Jobs to signed entries, in processes of their own."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import NamedTuple

from benchmarks.ledgers import keys, versions
from benchmarks.ledgers.chance import stream
from benchmarks.ledgers.jobs import Job
from benchmarks.ledgers.versions import Publication, Statement
from registry import acts
from registry.crypto import dsse, merkle
from registry.crypto.checkpoint import LedgerKey

LEVELS = 10
BATCH = 1 << LEVELS  # entries: a full batch is a complete subtree
_AHEAD = 3  # batches on their way, for each process


class Entry(NamedTuple):
    """One row of ``acts``."""

    seq: int
    kind: str
    digest: str
    actor: str
    time: str
    model: str | None
    number: int | None
    target: str | None
    envelope: bytes


class Node(NamedTuple):
    """One row of ``nodes``."""

    level: int
    position: int
    hash: bytes


class Signed(NamedTuple):
    """A batch: its entries and the nodes of the subtrees that they complete."""

    entries: list[Entry]
    nodes: list[Node]


def signed(jobs: Iterable[Job], seed: str, registry_id: str, processes: int) -> Iterator[Signed]:
    """Every batch of jobs, signed, in order; none of ``processes``: in this one."""
    batches, sign = _batches(jobs), partial(_sign, seed, registry_id)
    if processes < 1:
        yield from map(sign, batches)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from _ahead(batches, lambda batch: pool.submit(sign, batch), _AHEAD * processes)


def _batches(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    waiting = iter(jobs)
    while batch := list(islice(waiting, BATCH)):
        yield batch


def _ahead(
    batches: Iterator[list[Job]], submit: Callable[[list[Job]], Future[Signed]], most: int
) -> Iterator[Signed]:
    """In order, with no more on their way than that: whoever tells is faster than who signs."""
    waiting: deque[Future[Signed]] = deque()
    for batch in batches:
        waiting.append(submit(batch))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _sign(seed: str, registry_id: str, batch: list[Job]) -> Signed:
    entries = [_entry(seed, registry_id, job) for job in batch]
    hashes = [merkle.leaf_hash(entry.envelope) for entry in entries]
    return Signed(entries, list(_nodes(entries[0].seq, hashes)))


def _entry(seed: str, registry_id: str, job: Job) -> Entry:
    key = keys.signing(seed, job.signer, job.generation) if job.signer else keys.ledger(seed)
    if isinstance(job.body, bytes):
        payload, act = job.body, acts.decode(job.body)
    else:
        nonce = stream(seed, 16, "nonce", job.seq).hex()
        header = acts.Header(registry_id, key.keyid, job.time, nonce, job.law, job.client)
        body = _body(seed, job.body, key)
        payload = acts.encode(header, body)
        act = acts.Act(header, body, hashlib.sha256(payload).hexdigest())
    said = (act.kind, act.digest, act.header.actor, act.header.time, act.model, act.number, act.target)
    return Entry(job.seq, *said, dsse.sign(payload, key).to_bytes())


def _body(seed: str, said: acts.Body | Publication | Statement, key: keys.SteadyKey | LedgerKey) -> acts.Body:
    if isinstance(said, Publication | Statement):
        assert isinstance(key, keys.SteadyKey)  # the door publishes nothing
        return versions.push(seed, said, key) if isinstance(said, Publication) else versions.attest(said, key)
    return said


def _nodes(first: int, hashes: list[bytes]) -> Iterator[Node]:
    """Of the complete subtrees over leaves whose first is a multiple of ``BATCH``."""
    for level in range(LEVELS + 1):
        yield from (Node(level, (first >> level) + at, found) for at, found in enumerate(hashes))
        pairs = zip(hashes[::2], hashes[1::2], strict=False)
        hashes = [merkle.node_hash(left, right) for left, right in pairs]
