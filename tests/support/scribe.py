"""A law in memory, written act by act as a ledger would have it: no database, no files, no clock."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from registry import acts
from registry.acts import Act
from registry.crypto import dsse, possession
from registry.crypto.checkpoint import LedgerKey
from registry.crypto.identity import Identity
from registry.crypto.sealing import CLASSIC
from registry.law.custody import Need
from registry.law.law import from_genesis
from support.custodian import Custodian

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
CLIENT = acts.Client(program="tests/1", host="bench")


class Scribe:
    """Writes acts into a law: whole ones, signed by members, with the keys that follow from them."""

    def __init__(self, suite: str = CLASSIC) -> None:
        self.key = LedgerKey.generate()
        self.now = NOW
        self.members = {"root": Identity.generate("root")}
        self.custodian = Custodian(self.key.release().public, suite)
        body = self.custodian.found(self.members["root"], self.key)
        envelope = self.sign(body, registry="", law="")
        self.registry_id = acts.decode(envelope.payload).digest
        self.custodian.serve(self.registry_id)
        self.envelopes = [envelope]
        self.law = from_genesis(envelope.to_bytes(), self.registry_id)

    @property
    def time(self) -> str:
        return acts.timestamp(self.now)

    def header(self, by: str = "root", **changes: Any) -> acts.Header:
        values = {"time": self.time, "nonce": secrets.token_hex(16), "client": CLIENT}
        values["actor"] = self.members[by].signing.keyid
        if "law" not in changes:
            values |= {"registry": self.registry_id, "law": self.law.head}
        return acts.Header(**{**values, **changes})

    def sign(self, body: acts.Body, by: str = "root", **header: Any) -> dsse.Envelope:
        return dsse.sign(acts.encode(self.header(by, **header), body), self.members[by].signing)

    def need(self, body: Any, by: str = "root") -> Need:
        """What the law asks of an act."""
        return self.law.need(Act(header=self.header(by), body=body, digest=""), by)

    def whole(self, body: Any, by: str = "root") -> Any:
        """The act with its keys."""
        need = self.need(body, by)
        if not need.begin and not need.add:
            return body
        return replace(body, custody=self.custodian.custody(self.law, body, need))

    def submit(self, envelope: dsse.Envelope) -> Act:
        """As the door does: read, check, extend. Raises what the door would raise."""
        act, member = self.law.submitted(envelope)
        self.law.extend(act, member.name, len(self.envelopes))
        self.envelopes.append(envelope)
        return act

    def add(self, body: Any, by: str = "root") -> Act:
        """Write the next act, its keys with it."""
        return self.submit(self.sign(self.whole(body, by), by))

    def enroll(self, *names: str, role: acts.Role = "member") -> None:
        for name in names:
            identity = Identity.generate(name)
            self.add(acts.Enroll(name, possession.prove(identity), role))
            self.members[name] = identity

    def replace(self, name: str, by: str = "root") -> None:
        fresh = Identity.generate(name)
        self.add(acts.Replace(name, possession.prove(fresh)), by)
        self.members[name] = fresh

    def shares(self, vault: str) -> dict[str, bool]:
        """Who holds shares of a vault, and whether they are limited."""
        return {name: share.limited for name, share in self.law.state.vaults[vault].shares.items()}

    def epochs(self) -> dict[str, int]:
        return {name: vault.epoch for name, vault in self.law.state.vaults.items()}
