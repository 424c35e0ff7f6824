"""The composition root: one opened registry, its parts made when they are first needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import sqlalchemy as sa

from registry import acts, disk, home, seen
from registry.authority import Authority, Receipt, submit
from registry.blobs import BlobStore, open_store
from registry.crypto import dsse
from registry.crypto.checkpoint import Checkpoint, LedgerKey
from registry.crypto.identity import Identity
from registry.errors import (
    BadIdentity,
    InvalidIdentity,
    Outdated,
    RegistryError,
    Unavailable,
    WrongPassphrase,
)
from registry.law.law import Law
from registry.law_memory import LawMemory
from registry.lawbook import Lawbook
from registry.progress import SILENT, Progress
from registry.records import schema
from registry.records.database import open_engine, reading

IDENTITY_LIMIT = 64 << 10  # bytes
_LEDGER_HINT = "set REGISTRY_LEDGER_PASSPHRASE, where the ledger's is not REGISTRY_PASSPHRASE"
_ROUNDS = 100  # times an act is signed again; each time somebody else has changed the law
_NOTHING: Mapping[str, bytes] = MappingProxyType({})


def utc_now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


class Context:
    """An open registry: configuration, database, store, identity, and the clock.

    ``identity_file`` replaces the home's own identity; ``passphrase`` opens it.
    ``ledger_passphrase`` opens the ledger's key where it is another. Close it, or use it in a ``with`` block.
    """

    def __init__(
        self,
        path: Path,
        *,
        identity_file: Path | None = None,
        passphrase: bytes | None = None,
        ledger_passphrase: bytes | None = None,
        now: Callable[[], datetime] = utc_now,
        progress: Progress = SILENT,
    ) -> None:
        self.paths = home.Paths(path.absolute())
        self.config = home.load(self.paths.home)
        self.identity_file = identity_file
        self.passphrase = passphrase
        self.ledger_passphrase = ledger_passphrase or passphrase
        self.now = now
        self.progress = progress

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the database connections back."""
        if "raw_engine" in self.__dict__:
            self.raw_engine.dispose()

    @cached_property
    def raw_engine(self) -> sa.Engine:
        """The database, whatever its schema."""
        return open_engine(self.paths.database_url(self.config))

    @cached_property
    def engine(self) -> sa.Engine:
        """The database, at this program's schema. Raises SchemaMismatch."""
        schema.check(self.raw_engine)
        return self.raw_engine

    @cached_property
    def store(self) -> BlobStore:
        return open_store(self.paths.store_url(self.config))

    @cached_property
    def authority(self) -> Authority:
        with self._own(self.paths.ledger_key):
            pem = disk.read(self.paths.ledger_key, IDENTITY_LIMIT)
            try:
                key = LedgerKey.from_pem(pem, self.ledger_passphrase)
            except WrongPassphrase as error:
                error.on, error.hint = str(self.paths.ledger_key), _LEDGER_HINT
                raise
        return Authority(self.engine, key, self.config.registry_id, self.lawbook)

    @cached_property
    def identity(self) -> Identity:
        """Who acts. The home's own identity file, when it was changed, raises BadIdentity."""
        if self.identity_file is not None:
            return Identity.from_pem(disk.read(self.identity_file, IDENTITY_LIMIT), self.passphrase)
        with self._own(self.paths.identity):
            return Identity.from_pem(disk.read(self.paths.identity, IDENTITY_LIMIT), self.passphrase)

    @contextmanager
    def _own(self, path: Path) -> Iterator[None]:
        """Nobody but the home wrote this file: one that does not read was changed."""
        try:
            yield
        except InvalidIdentity as error:
            raise BadIdentity(error.message, on=str(path), hint="restore it from a backup") from error

    @property
    def keyid(self) -> str:
        return self.identity.signing.verifying.keyid

    def law(self) -> Law:
        """The law as the ledger has it now, replayed from the pinned registry id. Raises Untrusted."""
        with reading(self.engine) as connection:
            return self.lawbook.read(connection)

    @cached_property
    def lawbook(self) -> Lawbook:
        """What has been read of the law, proven from the pin."""
        memory = LawMemory(self.paths.law, lambda: self.identity.signing)
        return Lawbook(self.config.registry_id, memory)

    @property
    def client(self) -> acts.Client:
        """What every act says of this program and machine."""
        return acts.Client(program=f"hallmark/{home.version()}", host=home.host())

    def header(self, law: str) -> acts.Header:
        """The header of an act that this identity signs now, under the law that ends with this digest."""
        return acts.Header(
            registry=self.config.registry_id,
            actor=self.keyid,
            time=acts.timestamp(self.now()),
            nonce=os.urandom(16).hex(),
            law=law,
            client=self.client,
        )

    def act(
        self,
        body: acts.Body,
        *,
        push: str | None = None,
        keys: Mapping[str, bytes] = _NOTHING,
        header: acts.Header | None = None,
    ) -> Receipt:
        """Sign an act, submit it, and verify the receipt before believing it.

        ``header`` is for bodies that were made for one; otherwise an act whose law has changed meanwhile is
        signed again. Raises what ``submit`` raises.
        """
        for _ in range(_ROUNDS):
            law = self.law()
            try:
                return self._submit(law, header or self.header(law.head), body, push, keys)
            except Outdated:
                if header is not None:
                    raise
        raise Outdated("the registry's law kept changing", hint="run the same command again")

    def _submit(
        self,
        law: Law,
        header: acts.Header,
        body: acts.Body,
        push: str | None,
        keys: Mapping[str, bytes],
    ) -> Receipt:
        envelope = dsse.sign(acts.compose(header, body), self.identity.signing)
        remembered = seen.load(self.paths.checkpoint)
        known = seen.size_of(remembered)
        receipt = submit(self.authority, envelope, self.now(), known=known, push=push, keys=keys)
        checkpoint = self._remember(law, receipt, remembered)
        receipt.proof.check(checkpoint)
        if receipt.proof.entry.envelope != envelope.to_bytes():
            raise RegistryError("the receipt is for another act")
        return receipt

    def _remember(self, law: Law, receipt: Receipt, remembered: str) -> Checkpoint:
        """Accept the receipt's checkpoint. A disk that cannot keep it does not undo the act, and says so."""
        try:
            return seen.accept(self.paths.checkpoint, law, receipt.note, receipt.consistency, remembered)
        except Unavailable as error:
            done = f"the act is in the ledger, as entry {receipt.proof.entry.seq}: do not repeat it"
            error.hint = f"{done}; {error.hint}" if error.hint else done
            raise
