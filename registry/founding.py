"""The founding of a registry: keys, database, genesis act, and last the file that makes a home of it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from registry import acts, authority, disk, refs, seen
from registry.blobs import open_store
from registry.chain import from_genesis, keys_of
from registry.crypto import dsse
from registry.crypto.checkpoint import LedgerKey
from registry.crypto.identity import Identity
from registry.errors import AlreadyExists, InvalidInput
from registry.home import Config, Paths, dump
from registry.ledger import newest_note
from registry.records import schema
from registry.records.database import open_engine, reading


@dataclass(frozen=True)
class Founded:
    """A new registry and the identity that made it."""

    registry_id: str
    name: str
    home: Path
    keyid: str


def init(
    path: Path,
    now: datetime,
    *,
    name: str = "admin",
    database: str | None = None,
    store: str | None = None,
    passphrase: bytes | None = None,
) -> Founded:
    """Make ``path`` the home of a new registry whose first admin is ``name``.

    ``passphrase`` encrypts the identity and the ledger's key. Raises AlreadyExists (and changes
    nothing) where there is a registry already, InvalidInput or Unavailable.
    """
    refs.check_name(name, "the member")
    paths = Paths(path.absolute())
    with _claimed(paths):
        identity, key = Identity.generate(name), LedgerKey.generate()
        disk.create(paths.identity, identity.to_pem(passphrase), 0o600)
        disk.create(paths.ledger_key, key.to_pem(passphrase), 0o600)
        draft = Config(1, name, "0" * 64, database, _absolute_store(store))
        open_store(paths.store_url(draft))
        registry_id = _found(paths.database_url(draft), identity, key, now, paths)
        disk.create(paths.config, dump(Config(1, name, registry_id, database, draft.store)), 0o600)
    return Founded(registry_id, name, paths.home, identity.signing.verifying.keyid)


def _absolute_store(store: str | None) -> str | None:
    if store is None or "://" in store:
        return store
    return str(Path(store).absolute())


@contextmanager
def _claimed(paths: Paths) -> Iterator[None]:
    """The home directory, locked, empty of a registry; what a failed founding made is removed again."""
    if paths.config.exists():
        raise _taken(paths)
    with disk.translated(paths.home):
        paths.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(paths.home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if paths.config.exists():
            raise _taken(paths)
        _clear(paths)
        yield
    finally:
        os.close(lock)


def _taken(paths: Paths) -> AlreadyExists:
    return AlreadyExists(
        "there is a registry here already", on=str(paths.home), hint="choose another --home, or use this one"
    )


def _clear(paths: Paths) -> None:
    """Remove what an interrupted founding left: without registry.json nobody has pinned it."""
    others = [place for place in paths.home.iterdir() if place.name not in _OWN]
    if others:
        raise InvalidInput(
            "the directory has other content",
            on=str(others[0]),
            hint="choose an empty directory for the home",
        )
    for place in (paths.identity, paths.ledger_key, paths.checkpoint):
        place.unlink(missing_ok=True)


_OWN = {"identity.pem", "ledger.pem", "checkpoint", ".checkpoint.lock", "blobs"} | {
    f"registry.db{suffix}" for suffix in ("", "-wal", "-shm", "-journal")
}


def _found(url: str, identity: Identity, key: LedgerKey, now: datetime, paths: Paths) -> str:
    engine = open_engine(url)
    try:
        schema.upgrade(engine)
        body = acts.Genesis(name=identity.name, admin=keys_of(identity.public), ledger=key.public.raw)
        header = acts.Header(
            registry="",
            actor=identity.signing.verifying.keyid,
            time=acts.timestamp(now),
            nonce=os.urandom(16).hex(),
        )
        envelope = dsse.sign(acts.encode(header, body), identity.signing)
        registry_id = authority.found(engine, key, envelope).registry_id
        with reading(engine) as connection:
            chain = from_genesis(envelope.to_bytes(), registry_id)
            seen.accept(paths.checkpoint, chain, newest_note(connection), (), "")
        return registry_id
    finally:
        engine.dispose()
