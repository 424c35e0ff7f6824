"""Acts by the thousand, written as the door would have written them: signed, chained, under one checkpoint.

Nothing is decided here, and every act becomes part of one transaction. Whether they are what the door would
have admitted, the replay says that reads them afterwards: it checks each.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from registry import acts
from registry.context import Context
from registry.crypto import dsse, merkle
from registry.crypto.checkpoint import Checkpoint, origin_of, sign_checkpoint
from registry.crypto.identity import Identity
from registry.crypto.sealing import SealingPrivateKey
from registry.ledger import Place
from registry.records import projection, tables
from registry.records.database import reading, writing
from registry.vaults import PublicVault, Reader, Sealer


class Scribe:
    """Writes acts in the name of the registry's admin."""

    def __init__(self, context: Context) -> None:
        law = context.law()
        self._context, self._registry_id, self._head = context, law.registry_id, law.head
        self._client = context.client
        self._rows: dict[str, list[dict[str, Any]]] = {}
        with reading(context.engine) as connection:
            self._size = connection.execute(sa.select(tables.head.c.size)).scalar_one()
            self._nodes = {
                (level, at): bytes(node) for level, at, node in connection.execute(sa.select(tables.nodes))
            }
        self.sealer = Sealer(law.registry_id, law.release)
        self._vaults: dict[str, tuple[PublicVault, SealingPrivateKey]] = {}

    def add(self, body: acts.Body) -> None:
        """Sign an act and make it the next entry."""
        header = self.header(self._context.identity)
        payload = acts.encode(header, body)
        act = acts.Act(header=header, body=body, digest=hashlib.sha256(payload).hexdigest())
        self._append(act, dsse.sign(payload, self._context.identity.signing).to_bytes())
        if act.is_law:
            self._head = act.digest

    def header(self, identity: Identity) -> acts.Header:
        """The header of an act that ``identity`` signs now."""
        return acts.Header(
            registry=self._registry_id,
            actor=identity.signing.keyid,
            time=acts.timestamp(self._context.now()),
            nonce=secrets.token_hex(16),
            law=self._head,
            client=self._client,
        )

    def begin(self, name: str, readers: Sequence[Reader]) -> acts.Vault:
        """The first epoch of a vault, sealed to ``readers``."""
        key = SealingPrivateKey.generate()
        vault = PublicVault(name, 1, key.public)
        self._vaults[name] = vault, key
        shares = tuple(self.sealer.share(vault, key, reader, limited=False) for reader in readers)
        return acts.Vault(name, 1, key.suite, key.public.to_bytes(), shares)

    def hand(self, name: str, reader: Reader, *, limited: bool = False) -> acts.Custody:
        """One more share of a vault that was begun here."""
        share = self.sealer.share(*self._vaults[name], reader, limited=limited)
        return acts.Custody(shares=(acts.Handed(name, 1, share),))

    def has(self, name: str) -> bool:
        """Whether the vault was begun here."""
        return name in self._vaults

    def vault(self, name: str) -> PublicVault:
        return self._vaults[name][0]

    def reader(self, name: str) -> Reader:
        """A vault that was begun here, as the reader of another."""
        return Reader.vault(name, 1, self.vault(name).public)

    def commit(self) -> None:
        """Write everything."""
        tree = Checkpoint(origin_of(self._registry_id), self._size, merkle.root(self._size, self._read))
        note = sign_checkpoint(tree, self._context.authority.key)
        for digest, ciphertext in self.sealer.sealed.items():
            self._row(tables.sealed, {"sha256": digest, "ciphertext": ciphertext})
        with writing(self._context.engine) as connection:
            for table in tables.metadata.sorted_tables:
                if rows := self._rows.pop(table.name, None):
                    connection.execute(sa.insert(table), rows)
            connection.execute(sa.update(tables.head).values(size=self._size, note=note))

    def _append(self, act: acts.Act, envelope: bytes) -> None:
        row = {"kind": act.kind, "digest": act.digest, "actor": act.header.actor, "time": act.header.time}
        place = {"seq": self._size, "model": act.model, "number": act.number, "target": act.target}
        self._row(tables.acts, {**row, **place, "envelope": envelope})
        for level, at, node in merkle.appended_nodes(self._size, merkle.leaf_hash(envelope), self._read):
            self._nodes[level, at] = node
            self._row(tables.nodes, {"level": level, "position": at, "hash": node})
        for one in projection.rows(act, self._size):
            self._row(one.table, one.values)
        self._size += 1

    def _row(self, table: sa.Table, values: dict[str, Any]) -> None:
        self._rows.setdefault(table.name, []).append(values)

    def _read(self, wanted: Sequence[Place]) -> Mapping[Place, bytes]:
        return {place: self._nodes[place] for place in wanted}
