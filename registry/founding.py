"""The founding of a registry: keys, database, genesis act, and last the file that makes a home of it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from registry import acts, authority, disk, ledger, refs
from registry.blobs import open_store
from registry.crypto import dsse, possession
from registry.crypto.checkpoint import LedgerKey
from registry.crypto.identity import Identity
from registry.crypto.sealing import SealingPrivateKey
from registry.errors import AlreadyExists, BadProof, InvalidInput, WrongRegistry
from registry.home import Config, Paths, dump, host, read_config, version
from registry.law.law import from_genesis
from registry.law.state import ROOT
from registry.records import schema
from registry.records.database import open_engine, reading
from registry.vaults import PublicVault, Reader, Sealer

_OWN = frozenset(
    {"identity.pem", "ledger.pem", "registry.json.new"}
    | {f"registry.db{suffix}" for suffix in ("", "-wal", "-shm", "-journal")}
)
_SCRAP = ".registry.json.new."  # what a killed disk.replace of the draft leaves


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
    with disk.translated(paths.home), _claimed(paths):
        asked = (name, database, _absolute_store(store))
        found = _resumed(paths, asked)
        if found is None:
            _clear(paths)
            found = _founded(paths, now, *asked, passphrase)
        return found


def _founded(
    paths: Paths, now: datetime, name: str, database: str | None, store: str | None, passphrase: bytes | None
) -> Founded:
    identity, key = Identity.generate(name), LedgerKey.generate()
    genesis, keys = _genesis(identity, key, now)
    config = Config(1, name, acts.decode(genesis.payload).digest, database, store)
    open_store(paths.store_url(config))
    engine = open_engine(paths.database_url(config))
    # The draft comes first: it alone says that what lies here is unfinished, and may be cleared.
    # The keys come before the genesis act, which only they can continue.
    disk.replace(paths.draft, dump(config), 0o600)
    disk.create(paths.identity, identity.to_pem(passphrase), 0o600)
    disk.create(paths.ledger_key, key.to_pem(passphrase), 0o600)
    try:
        schema.upgrade(engine)
        authority.found(engine, key, genesis, keys)
    finally:
        engine.dispose()
    return _open_home(paths, config, identity.signing.verifying.keyid)


def _genesis(identity: Identity, key: LedgerKey, now: datetime) -> tuple[dsse.Envelope, dict[str, bytes]]:
    """The genesis act, and the sealed share of the root vault that goes beside it.

    The share is sealed before the act has a digest, so its place names no registry: there is one root vault
    of epoch 1 for the first admin's key, and that key is made here.
    """
    release = key.release().public
    sealer, root = Sealer("", release), SealingPrivateKey.generate()
    vault = PublicVault(ROOT, 1, root.public)
    share = sealer.share(vault, root, Reader.member(identity.public), limited=False)
    made = acts.Vault(ROOT, 1, root.suite, root.public.to_bytes(), (share,))
    body = acts.Genesis(
        name=identity.name,
        admin=possession.prove(identity),
        ledger=key.public.raw,
        release=acts.Release(release.suite, release.to_bytes()),
        custody=acts.Custody(vaults=(made,)),
    )
    header = acts.Header(
        registry="",
        actor=identity.signing.keyid,
        time=acts.timestamp(now),
        nonce=os.urandom(16).hex(),
        law="",
        client=acts.Client(f"hallmark/{version()}", host()),
    )
    return dsse.sign(acts.encode(header, body), identity.signing), sealer.sealed


def _open_home(paths: Paths, config: Config, keyid: str) -> Founded:
    """The last step: the draft becomes ``registry.json``, and the home a home."""
    with disk.translated(paths.config):
        paths.draft.rename(paths.config)
        disk.sync_directory(paths.home)
    return Founded(config.registry_id, config.name, paths.home, keyid)


def _resumed(paths: Paths, asked: tuple[str, str | None, str | None]) -> Founded | None:
    """Finish a founding that was killed after its genesis act was in the database.

    ``asked`` is name, database and store: a founding that was to become another registry is begun anew,
    so that a mistyped URL does not stay.
    """
    if not paths.draft.exists():
        return None
    config = read_config(paths.draft)
    if (config.name, config.database, config.store) != asked:
        return None
    engine = open_engine(paths.database_url(config))
    try:
        if schema.current(engine) is None:
            return None
        with reading(engine) as connection:
            law = from_genesis(ledger.entry(connection, 0).envelope, config.registry_id)
    except (BadProof, WrongRegistry):
        return None  # this founding's genesis act never got into the database: begin anew
    finally:
        engine.dispose()
    return _open_home(paths, config, law.verifying(config.name).keyid)


def _absolute_store(store: str | None) -> str | None:
    if store is None or "://" in store:
        return store
    return str(Path(store).absolute())


@contextmanager
def _claimed(paths: Paths) -> Iterator[None]:
    """The home directory, locked, and without a registry."""
    if paths.config.exists():
        raise _taken(paths)
    with disk.translated(paths.home):
        paths.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(paths.home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if paths.config.exists():
            raise _taken(paths)
        yield
    finally:
        os.close(lock)


def _taken(paths: Paths) -> AlreadyExists:
    return AlreadyExists(
        "there is a registry here already", on=str(paths.home), hint="choose another --home, or use this one"
    )


def _clear(paths: Paths) -> None:
    """Remove what an unfinished founding left. Without its draft, whatever is here is somebody's."""
    own = _OWN if paths.draft.exists() else frozenset[str]()
    found = list(paths.home.iterdir())
    others = [place for place in found if place.name not in own and not place.name.startswith(_SCRAP)]
    if others:
        raise InvalidInput(
            "the directory has other content",
            on=str(others[0]),
            hint="choose an empty directory for the home",
        )
    for place in found:
        if place != paths.draft:
            place.unlink()
    paths.draft.unlink(missing_ok=True)
