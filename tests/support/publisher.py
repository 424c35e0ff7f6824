"""Acts made by hand for tests of the door: valid by default, so that one change is the only flaw.

Nothing is stored anywhere: the door judges what is signed, and the blobs that a push names need not exist
for that. The keys, though, are real: shares and blob keys are sealed to whom the law says.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace

from registry import acts, authority, bundle, ledger, statements
from registry.authority import Authority, Receipt
from registry.crypto import dsse, possession, streaming
from registry.crypto.checkpoint import LedgerKey
from registry.crypto.identity import Identity
from registry.crypto.sealing import SealingPrivateKey
from registry.errors import RegistryError
from registry.law.law import Law
from registry.lawbook import Lawbook
from registry.manifest import Manifest
from registry.records import queries
from registry.records.database import reading
from registry.records.law_rows import blob_of
from registry.vaults import PublicVault
from support.custodian import Custodian, named, public_of
from support.madefacts import FACTS

MODEL = "vision/net"
CLIENT = acts.Client(program="tests/1", host="bench")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Publisher:
    """An admin before the door of an otherwise empty database, and whoever the admin enrolls."""

    def __init__(self, engine: sa.Engine, name: str = "alice") -> None:
        self.identity = Identity.generate(name)
        self.key = LedgerKey.generate()
        self.now = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
        self.custodian = Custodian(self.key.release().public)
        body = self.genesis_body()
        self.genesis = self.sign(body, registry="", law="")
        self.members: dict[str, Identity] = {name: self.identity}
        self.authority: Authority = authority.found(
            engine, self.key, self.genesis, named(self.custodian.sealed, body)
        )
        self.custodian.serve(self.authority.registry_id)
        self._lawbook = Lawbook(self.authority.registry_id)

    def moved(self, engine: sa.Engine) -> Publisher:
        """The same before a copy of the database; neither knows what the other does from now on."""
        other = copy(self)
        other.members, other.custodian = dict(self.members), self.custodian.copy()
        registry_id = self.authority.registry_id
        other.authority = Authority(engine, self.key, registry_id, Lawbook(registry_id))
        other._lawbook = Lawbook(registry_id)
        return other

    @property
    def keyid(self) -> str:
        return self.identity.signing.verifying.keyid

    def genesis_body(self) -> acts.Genesis:
        return self.custodian.found(self.identity, self.key)

    def law(self) -> Law:
        """The law as the database has it."""
        with reading(self.authority.engine) as connection:
            return self._lawbook.read(connection)

    # --- acts in general ----------------------------------------------------------------------

    def header(self, **changes: Any) -> acts.Header:
        values = {
            "actor": self.keyid,
            "time": acts.timestamp(self.now),
            "nonce": secrets.token_hex(16),
            "client": CLIENT,
        }
        if "registry" not in changes:
            values["registry"] = self.authority.registry_id
        if "law" not in changes:
            values["law"] = self.law().head
        return acts.Header(**{**values, **changes})

    def sign(
        self, body: acts.Body, identity: Identity | None = None, *, by: Identity | None = None, **header: Any
    ) -> dsse.Envelope:
        """``body`` under a header, signed by ``identity``, by default the admin; ``by`` is the actor, too."""
        if by is not None:
            identity, header = by, {"actor": by.signing.keyid, **header}
        return dsse.sign(acts.encode(self.header(**header), body), (identity or self.identity).signing)

    def submit(self, envelope: dsse.Envelope, **options: Any) -> Receipt:
        """Bring it to the door, with the sealed keys that it names unless ``keys`` are others."""
        options = {"keys": self.beside(envelope), **options}
        return authority.submit(self.authority, envelope, self.now, **options)

    def beside(self, envelope: dsse.Envelope) -> dict[str, bytes]:
        """The sealed keys that travel beside an act; none for one that does not parse."""
        try:
            return named(self.custodian.sealed, acts.decode(envelope.payload).body)
        except RegistryError:
            return {}

    def admit(self, body: acts.Body, by: Identity | None = None, **options: Any) -> Receipt:
        return self.submit(self.sign(body, by=by), **options)

    # --- the law ------------------------------------------------------------------------------

    def whole(self, body: Any, by: Identity | None = None) -> Any:
        """An act of the law with the keys that follow from it. Raises what the door would say of it."""
        law = self.law()
        actor = by or self.identity
        act = acts.Act(header=self.header(actor=actor.signing.keyid), body=body, digest="")
        need = law.need(act, actor.name)
        if not need.begin and not need.add:
            return body
        return replace(body, custody=self.custodian.custody(law, body, need, self.blobs_of))

    def enact(self, body: Any, by: Identity | None = None) -> Receipt:
        """Make the keys for an act of the law, and have it admitted."""
        return self.admit(self.whole(body, by), by)

    def enroll(self, who: str | Identity, role: acts.Role = "member") -> Identity:
        """Make somebody a member; a name gets a new identity."""
        identity = Identity.generate(who) if isinstance(who, str) else who
        self.enact(acts.Enroll(identity.name, possession.prove(identity), role))
        self.members[identity.name] = identity
        return identity

    def disable(self, name: str) -> Receipt:
        return self.enact(acts.Disable(name, "left"))

    def replace(self, name: str, by: Identity | None = None) -> Identity:
        """Give a member new keys: with the old ones (``by``), or by the admin."""
        fresh = Identity.generate(name)
        self.enact(acts.Replace(name, possession.prove(fresh)), by)
        self.members[name] = fresh
        return fresh

    def team(self, name: str, *members: str) -> None:
        """Create a team with these members."""
        self.enact(acts.Team(name))
        for member in members:
            self.enact(acts.TeamAdd(name, member))

    def leave(self, team: str, name: str) -> Receipt:
        return self.enact(acts.TeamRemove(team, name))

    def grant(
        self,
        grantee: str,
        actions: tuple[acts.Action, ...],
        target: str,
        until: datetime | None = None,
        by: Identity | None = None,
    ) -> Receipt:
        ends = acts.timestamp(until) if until else None
        return self.enact(acts.Grant(grantee, actions, target, ends), by)

    def revoke(self, grantee: str, actions: tuple[acts.Action, ...], target: str) -> Receipt:
        return self.enact(acts.Revoke(grantee, actions, target))

    def create(self, model: str, by: Identity | None = None) -> Receipt:
        return self.enact(acts.Create(model), by)

    def rotate(self, vault: str) -> Receipt:
        return self.enact(acts.Rotate(vault))

    def policy(self, text: str) -> Receipt:
        return self.admit(acts.Policy(text))

    # --- versions -----------------------------------------------------------------------------

    def push(
        self,
        files: Mapping[str, bytes] | None = None,
        *,
        model: str = MODEL,
        signer: Identity | None = None,
        create: bool = True,
        **changes: Any,
    ) -> acts.Push:
        """A push of ``files`` (path to content) that the door admits next; ``changes`` replace its fields.

        A model that is not there yet is created first, unless ``create`` is off: then its blobs are sealed
        to a vault that is in no act.
        """
        contents = files or {"model.onnx": secrets.token_bytes(16)}
        digests = {path: sha256(data) for path, data in contents.items()}
        manifest = Manifest.of(model, digests)
        vault = self.vault(model, create=create)
        with reading(self.authority.engine) as connection:
            number = queries.newest_number(connection, model) + 1
            stored = queries.stored(connection, model, set(digests.values()))
        listed = tuple(
            acts.File(path=path, size=len(data), sha256=digests[path]) for path, data in contents.items()
        )
        values: dict[str, Any] = {
            "model": model,
            "number": number,
            "digest": manifest.digest,
            "bundle": bundle.sign(manifest, (signer or self.identity).signing),
            "files": listed,
            "blobs": self._blobs(vault, listed, stored),
            "attestations": (self.attestation(model, manifest.digest, sorted(contents), signer=signer),),
        }
        return acts.Push(**{**values, **changes})

    def vault(self, model: str, *, create: bool = True) -> PublicVault:
        """The model's vault, made first where there is none."""
        if create and model not in self.law().state.vaults:
            self.create(model)
        if model in self.law().state.vaults:
            return public_of(self.law(), model)
        return PublicVault(model, 1, SealingPrivateKey.generate().public)

    def _blobs(
        self, vault: PublicVault, files: Sequence[acts.File], stored: Mapping[str, str]
    ) -> tuple[acts.Blob, ...]:
        fresh = {file.sha256: file for file in files if file.sha256 not in stored}
        return tuple(
            self.custodian.blob(
                vault, content, streaming.ciphertext_size(file.size), sha256(b"encrypted " + content.encode())
            )
            for content, file in fresh.items()
        )

    def blobs_of(self, model: str) -> list[acts.Blob]:
        """The blobs of a model, as the database has them."""
        with reading(self.authority.engine) as connection:
            return [blob_of(row) for row in queries.blobs_of(connection, model)]

    def attestation(
        self, model: str, digest: str, paths: Sequence[str], *, signer: Identity | None = None
    ) -> bytes:
        facts = [(path, FACTS) for path in paths if path.endswith(".onnx")]
        return statements.quantization(model, digest, facts, (signer or self.identity).signing)

    def about(self, kind: type[Any], number: int, model: str = MODEL, **fields: Any) -> Any:
        """An Alias, Yank, Pull or Attest of a version, with the digest that the database has for it."""
        with reading(self.authority.engine) as connection:
            ref = queries.Reference(*model.split("/"), version=number)
            digest = queries.version(connection, ref)["digest"]
        return kind(**{"model": model, "number": number, "digest": digest, **fields})

    def envelopes(self) -> list[bytes]:
        """The ledger, in order."""
        with reading(self.authority.engine) as connection:
            return [entry.envelope for entry in ledger.entries(connection)]
