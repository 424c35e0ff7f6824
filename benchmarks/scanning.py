"""What deciding is measured against: a list of grants read from end to end, and one signature verified."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.batches import batch
from benchmarks.population import Given, Population
from registry.crypto import dsse
from registry.crypto.keys import VerifyingKey

Asked = tuple[str, str]  # a member and the model that they would pull
Signed = tuple[VerifyingKey, bytes, bytes]  # key, signature, what is signed


def scan(made: Population, asked: Asked, time: str) -> list[Given]:
    """The grants that allow the pull, in the plainest way there is: look at each."""
    name, model = asked
    who, where = {name, *made.teams[name]}, {model, f"{model.partition('/')[0]}/"}
    return [
        given
        for given in made.grants
        if given.grantee in who
        and given.target in where
        and given.action in ("pull", "grant")
        and (given.until is None or time < given.until)
    ]


def signed(envelope: dsse.Envelope, key: VerifyingKey) -> Signed:
    """An envelope taken apart, so that nothing but the verification is left to do."""
    return key, envelope.signatures[0].sig, dsse.pae(envelope.payload_type, envelope.payload)


def verify(one: Signed) -> None:
    """ECDSA P-256 over SHA-256, and nothing else."""
    key, sig, data = one
    key.verify(sig, data)


def commit(directory: Path, rows: Sequence[bytes]) -> float:
    """Milliseconds for one row in one durable transaction: SQLite alone, set as the registry sets it."""
    path = directory / "bare.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS acts (seq INTEGER PRIMARY KEY, envelope BLOB)")

        def insert(row: bytes) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO acts (envelope) VALUES (?)", (row,))
            connection.execute("COMMIT")

        return batch(insert, rows)
