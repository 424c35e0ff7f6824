"""The composition root: one opened registry, its parts made when they are first needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import sqlalchemy as sa

from registry import acts, disk, home, ledger, seen
from registry.authority import Authority, Receipt, submit
from registry.blobs import BlobStore, open_store
from registry.chain import Chain, from_genesis
from registry.crypto import dsse
from registry.crypto.checkpoint import Checkpoint, LedgerKey
from registry.crypto.identity import Identity
from registry.errors import BadIdentity, InvalidIdentity, RegistryError, Unavailable
from registry.progress import SILENT, Progress
from registry.records import schema
from registry.records.database import open_engine, reading

IDENTITY_LIMIT = 64 << 10  # bytes


def utc_now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


class Context:
    """An open registry: configuration, database, store, identity, and the clock.

    ``identity_file`` replaces the home's own identity; ``passphrase`` opens it. Close it, or use it in
    a ``with`` block.
    """

    def __init__(
        self,
        path: Path,
        *,
        identity_file: Path | None = None,
        passphrase: bytes | None = None,
        now: Callable[[], datetime] = utc_now,
        progress: Progress = SILENT,
    ) -> None:
        self.paths = home.Paths(path.absolute())
        self.config = home.load(self.paths.home)
        self.identity_file = identity_file
        self.passphrase = passphrase
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
            return Authority(self.engine, LedgerKey.from_pem(pem, self.passphrase), self.config.registry_id)

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

    def chain(self) -> Chain:
        """The chain of authority from the pinned registry id."""
        with reading(self.engine) as connection:
            return from_genesis(ledger.entry(connection, 0).envelope, self.config.registry_id)

    def act(self, body: acts.Body, push: str | None = None) -> Receipt:
        """Sign an act, submit it, and verify the receipt before believing it.

        Raises NotPermitted for an identity that is no member, and what ``submit`` raises.
        """
        chain = self.chain()
        chain.enrolled(self.keyid)
        header = acts.Header(
            registry=self.config.registry_id,
            actor=self.keyid,
            time=acts.timestamp(self.now()),
            nonce=os.urandom(16).hex(),
        )
        envelope = dsse.sign(acts.compose(header, body), self.identity.signing)
        remembered = seen.load(self.paths.checkpoint)
        known = seen.size_of(remembered)
        receipt = submit(self.authority, envelope, self.now(), known=known, push=push)
        checkpoint = self._remember(chain, receipt, remembered)
        receipt.proof.check(checkpoint)
        if receipt.proof.entry.envelope != envelope.to_bytes():
            raise RegistryError("the receipt is for another act")
        return receipt

    def _remember(self, chain: Chain, receipt: Receipt, remembered: str) -> Checkpoint:
        """Accept the receipt's checkpoint. A disk that cannot keep it does not undo the act, and says so."""
        try:
            return seen.accept(self.paths.checkpoint, chain, receipt.note, receipt.consistency, remembered)
        except Unavailable as error:
            done = f"the act is in the ledger, as entry {receipt.proof.entry.seq}: do not repeat it"
            error.hint = f"{done}; {error.hint}" if error.hint else done
            raise
