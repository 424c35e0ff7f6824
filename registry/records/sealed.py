"""The sealed keys beside the ledger, each under the SHA-256 by which an act names it.

Deleting is the point: what a rotation supersedes is gone from here, and the ledger never had it. On SQLite
deleted bytes are overwritten (``secure_delete``), and the write-ahead log is cut; PostgreSQL does so when it
vacuums.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping

import sqlalchemy as sa

from registry.errors import BadEncryption, Conflict, InvalidInput
from registry.records.database import scrub
from registry.records.tables import sealed

_CHUNK = 500  # values in one IN list
LIMIT = 16 << 10  # bytes of one sealed secret


def put(connection: sa.Connection, named: Collection[str], given: Mapping[str, bytes]) -> None:
    """Keep what an act names: all of it, nothing else, and nothing twice. Raises InvalidInput or Conflict."""
    for digest, ciphertext in given.items():
        if len(ciphertext) > LIMIT or hashlib.sha256(ciphertext).hexdigest() != digest:
            raise InvalidInput("a sealed key is not what its digest says", on=digest[:16])
    if len(set(named)) != len(named) or set(named) != given.keys():
        raise InvalidInput("the sealed keys are not those that the act names")
    if given:
        rows = [{"sha256": digest, "ciphertext": ciphertext} for digest, ciphertext in given.items()]
        try:
            connection.execute(sa.insert(sealed), rows)
        except sa.exc.IntegrityError as error:
            # Two acts on one row: what supersedes the one would destroy the key of the other.
            raise Conflict("a sealed key of the act is there already") from error


def get(connection: sa.Connection, digests: Collection[str]) -> dict[str, bytes]:
    """The ciphertexts. Raises BadEncryption where one is missing or not as its digest says."""
    found: dict[str, bytes] = {}
    wanted = sorted(set(digests))
    for begin in range(0, len(wanted), _CHUNK):
        query = sa.select(sealed).where(sealed.c.sha256.in_(wanted[begin : begin + _CHUNK]))
        found.update((digest, bytes(ciphertext)) for digest, ciphertext in connection.execute(query))
    for digest in wanted:
        if digest not in found:
            raise BadEncryption("the database has lost a sealed key", on=digest[:16], hint=_HINT)
        if hashlib.sha256(found[digest]).hexdigest() != digest:
            raise BadEncryption("a sealed key in the database was changed", on=digest[:16], hint=_HINT)
    return found


def drop(connection: sa.Connection, digests: Iterable[str]) -> None:
    """Destroy what has been superseded."""
    gone = sorted(set(digests))
    if gone:
        scrub(connection)
    for begin in range(0, len(gone), _CHUNK):
        connection.execute(sa.delete(sealed).where(sealed.c.sha256.in_(gone[begin : begin + _CHUNK])))


_HINT = "restore the database from a backup"
